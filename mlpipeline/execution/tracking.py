"""A listener that has runs sent to MLflow, by a process of its own; the queue never waits for it.

What a session has not sent, since the server was down or the session was killed, the next one does.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

from mlpipeline.core.launch import Spec
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listening import Ended, Launched, Level, Listener
from mlpipeline.core.masking import without_access
from mlpipeline.core.runs import Run
from mlpipeline.core.tracking import Told, told
from mlpipeline.core.variables import resolved
from mlpipeline.core.wording import plural
from mlpipeline.execution.helper_process import HelperProcess
from mlpipeline.state.files import read_record
from mlpipeline.state.layout import Layout
from mlpipeline.state.mlflow_config import MISSING, Mlflow
from mlpipeline.state.tracked import read_mark, read_sent, write_mark

FAREWELL = 10.0  # seconds that a session waits at its end for what is not sent
POLL_INTERVAL = 0.02  # seconds, in that time
A_WHILE = 0.005  # seconds of a tick that looking at earlier runs may take

Say = Callable[[Level, str], None]


def lacks(settings: Mlflow) -> str:
    """What is missing for anything to be sent; empty for nothing."""
    if not resolved(settings.uri, os.environ):
        return f"{settings.uri} in tracking_uri of [MLFLOW] is not set in the environment"
    return "" if importlib.util.find_spec("mlflow") else MISSING


class Unsent:
    """Finds runs of this host that are not wholly sent."""

    def __init__(self, settings: Mlflow, layout: Layout, ledger: Ledger):
        self._uri = without_access(resolved(settings.uri, os.environ))
        self._layout = layout
        self._ledger = ledger

    def of(self, run: Run, *, all_runs: bool = False, is_new: bool = False) -> Told | None:
        """What is to be told of ``run``; None where nothing is to be sent.

        That is so, too, where it started when nothing was to be sent, or was sent to another
        server; but for ``all_runs``.
        """
        folder = self._layout.run_folder(run.id)
        if not is_new and not self._is_wanted(run, all_runs):
            return None
        before = self.resumed_by(run)
        resumed = str(self._layout.run_folder(before.id).path) if before else ""
        return told(run, str(folder.path), resumed, is_new=is_new)

    def resumed_by(self, run: Run) -> Run | None:
        """The attempt that ``run`` goes on from."""
        attempts = self._ledger.attempts(run.id.model, run.id.version) if run.resume else []
        before = [each for each in attempts if each.id.attempt < run.id.attempt]
        return before[-1] if before else None

    def among(self, runs: Iterable[Run], *, all_runs: bool = False) -> Iterator[Told | None]:
        """The same for each of ``runs`` that is of this host."""
        for run in runs:
            ours = run.host == self._layout.host
            yield self.of(run, all_runs=all_runs) if ours else None

    def _is_wanted(self, run: Run, all_runs: bool) -> bool:
        folder = self._layout.run_folder(run.id)
        sent = read_sent(folder)
        if sent is not None and (sent.uri == self._uri or not all_runs):
            return not sent.done
        spec = read_record(folder.spec, Spec)
        return spec is not None and (all_runs or spec.tracking is not None)


class Tracker(Listener):
    """Tells the helper process of runs; driven by the scheduler's ticks."""

    def __init__(self, settings: Mlflow, layout: Layout, ledger: Ledger, say: Say):
        """``ledger`` has each run by the time it is told of; ``say`` tells people."""
        self._settings = settings
        self._layout = layout
        self._ledger = ledger
        self._say = say
        self._uri = without_access(resolved(settings.uri, os.environ))
        self._unsent = Unsent(settings, layout, ledger)
        self._helper = HelperProcess(settings, layout, self._warn)
        self._mark = read_mark(layout, self._uri)
        self._began = datetime.now().astimezone()
        self._backlog: Iterator[Told | None] | None = None  # earlier runs, from when on it is ready
        self._has_looked = False  # at all earlier runs
        self._awaited: dict[Path, float] = {}  # mlflow.json of runs that started, and until when
        self._lack = lacks(settings)
        if not self._lack:
            self._helper.start()  # it takes a second, and the scripts are read meanwhile

    def wait(self) -> float:
        """Seconds that a run which starts now may wait for its MLflow run.

        0 where it would wait in vain: the server is down, or does not answer.
        """
        now = time.monotonic()
        self._awaited = {path: until for path, until in self._awaited.items() if not path.exists()}
        in_vain = any(until < now for until in self._awaited.values())
        in_vain = in_vain or bool(self._lack) or not self._helper.is_usable
        return 0.0 if in_vain else self._settings.wait

    def ready(self) -> None:
        """Say now what is missing; look for what earlier sessions have not sent."""
        if self._lack:
            self._warn(f"MLflow: {self._lack}; runs go on, and nothing is sent")
            return
        runs = (run for run in self._ledger if self._mark is None or run.started_at >= self._mark)
        self._backlog = self._unsent.among(runs)

    def started(self, launched: Launched) -> None:
        """Have the MLflow run made, which this one may wait for."""
        run = launched.run
        before = self._unsent.resumed_by(run)
        if before is not None and before.host == self._layout.host:  # they share an MLflow run
            self._tell(self._unsent.of(before))
        self._tell(self._unsent.of(run, is_new=True))
        path = self._layout.run_folder(run.id).tracked
        self._awaited[path] = time.monotonic() + self._settings.wait

    def adopted(self, run: Run) -> None:
        """Go on with it."""
        self._tell(self._unsent.of(run))

    def ended(self, ended: Ended) -> None:
        """Have its end sent, and what is left of it."""
        self._awaited.pop(self._layout.run_folder(ended.run.id).tracked, None)
        self._tell(self._unsent.of(ended.run))

    def tick(self) -> None:
        """Look at earlier runs for a moment; hear what the helper says."""
        if self._lack:
            return
        until = time.monotonic() + A_WHILE
        while self._backlog is not None and time.monotonic() < until:
            self._look_at_one(self._backlog)
        self._helper.get_on()

    def close(self) -> None:
        """Give what is outstanding a few seconds; then say what is sent later."""
        if self._lack:
            return
        until = time.monotonic() + FAREWELL
        try:
            if self._helper.told:
                while not self._helper.finish() and self._helper.state.is_up:
                    if time.monotonic() > until:
                        break
                    time.sleep(POLL_INTERVAL)
        finally:
            self._helper.kill()
            self._note()
            if left := sum(each.over is not None for each in self._helper.told.values()):
                self._warn(
                    f"MLflow: {plural(left, 'run')} not wholly sent yet; the next session, or "
                    "`mlpipeline track`, sends what is missing"
                )

    def _look_at_one(self, backlog: Iterator[Told | None]) -> None:
        try:
            found = next(backlog)
        except StopIteration:
            self._backlog, self._has_looked = None, True
            return
        if found is not None and found.folder not in self._helper.told:
            self._tell(found)

    def _tell(self, told: Told | None) -> None:
        if told is not None and not self._lack:
            self._helper.tell(told)

    def _note(self) -> None:
        """Put down from when on something may not be sent, so that less is looked at next time."""
        if self._has_looked:
            since = min((told.started for told in self._helper.told.values()), default=self._began)
            write_mark(self._layout, self._uri, min(since, self._began))

    def _warn(self, text: str) -> None:
        self._say(Level.WARNING, text)
