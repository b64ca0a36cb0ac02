"""Versions that are run in test mode before their first real run, and what came of that."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from mlpipeline.core.judging import judge
from mlpipeline.core.orders import Rehearsed
from mlpipeline.core.planning import Start
from mlpipeline.core.runs import Outcome
from mlpipeline.core.slots import Held
from mlpipeline.execution.executors.base import Executor, Gone, Handle, Observation, Running
from mlpipeline.execution.launching import Launcher
from mlpipeline.execution.watching import WatchedRun
from mlpipeline.state.history import History

LOOK = 0.01  # seconds between two looks whether what a killed session left has ended


class Rehearsals:
    """The rehearsals that go on. They write into temporary folders, and are made again where a
    session ends before them.
    """

    def __init__(self, launcher: Launcher, executor: Executor, history: History):
        self._launcher = launcher
        self._executor = executor
        self._history = history
        self._going_on: dict[Handle, tuple[Start, WatchedRun]] = {}
        self._stopped: set[Handle] = set()

    @property
    def handles(self) -> list[Handle]:
        """For the executor."""
        return list(self._going_on)

    @property
    def versions(self) -> dict[tuple[str, str], Held]:
        """Model and version of each, with what it holds of this host."""
        return {
            (start.run.model, start.run.version): start.place.holds
            for start, _ in self._going_on.values()
        }

    def begin(self, start: Start) -> None:
        """Start one; raises StorageError."""
        left_over = self._executor.handle_of(str(self._launcher.rehearsal_folder(start)))
        self._executor.stop(left_over, 0.0)  # of a session that was killed
        while isinstance(self._executor.poll([left_over])[left_over], Running):
            time.sleep(LOOK)
        watched = self._launcher.rehearse(start)
        self._going_on[watched.handle] = start, watched

    def stop(self, versions: Collection[tuple[str, str]] | None = None) -> None:
        """End those of ``versions`` (default: all) at once; what they found does not count."""
        for handle, (start, _) in self._going_on.items():
            if versions is None or (start.run.model, start.run.version) in versions:
                self._stopped.add(handle)
                self._executor.stop(handle, 0.0)

    def observe(
        self, observations: Mapping[Handle, Observation], now: datetime
    ) -> Iterator[tuple[Rehearsed, str]]:
        """Record those that are over; yields each with its traceback, if it has one.

        Raises StorageError when one can't be recorded; that is tried again next time. What is cut
        short, since it was stopped or the script was edited, is no rehearsal.
        """
        for handle, (start, watched) in list(self._going_on.items()):
            observation = observations[handle]
            if not isinstance(observation, Gone):
                continue
            stopping_at = now if handle in self._stopped else None
            verdict = judge(observation.exit, observation.report, stopping_at=stopping_at)
            if stopping_at is None and verdict.outcome is not Outcome.INTERRUPTED:
                problem = "" if verdict.outcome is Outcome.SUCCEEDED else str(verdict)
                note = self._note(start, now, problem)
                self._history.note(note)
                failures = observation.report.failures if observation.report else []
                yield note, "\n".join(dict.fromkeys(each.traceback for each in failures))
            del self._going_on[handle]
            self._stopped.discard(handle)
            shutil.rmtree(watched.folder.path, ignore_errors=True)

    def _note(self, start: Start, now: datetime, problem: str) -> Rehearsed:
        order = self._history.ledger.order(start.run.model, start.run.version)
        return Rehearsed(
            at=now,
            model=start.run.model,
            version=start.run.version,
            signature=start.version.signature,
            script=start.model.digest_of(start.version),
            orders=order.number if order else 0,
            problem=problem,
        )
