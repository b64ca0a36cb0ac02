"""The runs that a session watches: adopted or started, followed, ended, and recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from mlpipeline.core.listening import Audience, Ended, Level
from mlpipeline.core.runs import Adopted, Run, RunId, Stopping
from mlpipeline.errors import DiskFull
from mlpipeline.execution.executors.base import Executor, Gone, Handle, Observation
from mlpipeline.execution.watching import WatchedRun
from mlpipeline.state.claims import Claims
from mlpipeline.state.history import History
from mlpipeline.state.layout import Layout


class WatchedRuns:
    """``ended`` are those that came to their end in this session, in that order."""

    def __init__(
        self,
        layout: Layout,
        history: History,
        executor: Executor,
        audience: Audience,
        *,
        session: str,
        grace: float,
        now: Callable[[], datetime],
    ):
        """``grace``: seconds between asking a run to end and killing it."""
        self._layout = layout
        self._history = history
        self._executor = executor
        self._audience = audience
        self._session = session
        self._grace = grace
        self._now = now
        self._claims = Claims(layout)
        self._runs: dict[RunId, WatchedRun] = {}
        self.ended: list[Run] = []

    def __len__(self) -> int:
        return len(self._runs)

    @property
    def handles(self) -> list[Handle]:
        """For the executor."""
        return [watched.handle for watched in self._runs.values()]

    def add(self, watched: WatchedRun) -> None:
        """Watch a run that was just started."""
        self._runs[watched.run.id] = watched

    def adopt(self) -> None:
        """Go on with the runs of this host's earlier sessions, or find out how they ended."""
        for run in self._history.ledger.active(self._history.host):
            folder = self._layout.run_folder(run.id)
            handle = self._executor.handle_of(str(folder.path))
            watched = WatchedRun(run, handle, folder, None)
            self.add(watched)
            if isinstance(self._executor.poll([handle])[handle], Gone):
                continue  # the first look of the loop records that
            watched.run = self._history.append(
                Adopted(at=self._now(), run=run.id, session=self._session)
            )
            self._audience.adopted(watched.run)

    def observe(self, observations: Mapping[Handle, Observation]) -> list[Run]:
        """Pass on what the runs say, and record which are over; returns those."""
        before = len(self.ended)
        for watched in list(self._runs.values()):
            observation = observations[watched.handle]
            if isinstance(observation, Gone):
                self._finish(watched, observation)
            else:
                watched.tell(self._audience)
        return self.ended[before:]

    def cancel(self, up_to: Mapping[tuple[str, str], int]) -> None:
        """End runs, by model and version, up to an attempt: a person wants it."""
        for watched in self._runs.values():
            run = watched.run.id
            if run.attempt <= up_to.get((run.model, run.version), 0):
                watched.run = self._with_stop(watched.run, "cancelled")
                self._executor.stop(watched.handle, self._grace)

    def stop(self, *, at_once: bool, again: bool) -> None:
        """Have all end, since the session does; ``again``: also those that were asked before."""
        for watched in self._runs.values():
            if watched.run.stopping_at is None and not watched.run.fenced:
                watched.run = self._with_stop(watched.run)
            elif not again:
                continue
            self._executor.stop(watched.handle, 0.0 if at_once else self._grace)

    def end_the_fenced(self) -> None:
        """Stop what another host has taken for lost: its version may run there by now."""
        for watched in self._runs.values():
            now = self._history.ledger.find(self._history.host, watched.run.id)
            if now and now.fenced and not watched.run.fenced:
                watched.run = now
                self._audience.say(
                    Level.ERROR, f"{now.id} is stopped: another host took this one for lost"
                )
                self._executor.stop(watched.handle, self._grace)

    def _finish(self, watched: WatchedRun, gone: Gone) -> None:
        """Record how a run ended; as long as the disk has no room for that, it is watched on."""
        run = watched.run
        try:
            run = self._history.append(watched.finished(gone, self._now()), settle=False)
        except DiskFull as error:
            self._audience.say_once(
                Level.ERROR, f"{error}: the end of {run.id} is recorded when there is room"
            )
            return
        del self._runs[run.id]
        self._claims.release_model_dir(run.model_dir)
        self.ended.append(run)
        self._audience.later(lambda: watched.tell(self._audience, to_the_end=True))
        ended = Ended(launched=watched.launched, run=run, exit=gone.exit, report=gone.report)
        self._audience.ended(ended)

    def _with_stop(self, run: Run, why: str = "") -> Run:
        now = self._now()
        try:
            return self._history.append(Stopping(at=now, run=run.id, why=why))
        except DiskFull:  # it must stop all the same
            return msgspec.structs.replace(run, stopping_at=now, stopping_why=why)
