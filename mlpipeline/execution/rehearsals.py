"""Versions that are run in test mode before their first real run, and what came of that."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime

from mlpipeline.core.judging import judge
from mlpipeline.core.orders import Rehearsed
from mlpipeline.core.planning import Start
from mlpipeline.core.runs import Outcome
from mlpipeline.execution.executors.base import Executor, Gone, Handle, Observation
from mlpipeline.execution.launching import Launcher
from mlpipeline.execution.watching import WatchedRun
from mlpipeline.state.history import History


class Rehearsals:
    """The rehearsals that go on. A killed session leaves none behind that matters: they are short,
    write into a temporary folder, and are made again.
    """

    def __init__(self, launcher: Launcher, executor: Executor, history: History):
        self._launcher = launcher
        self._executor = executor
        self._history = history
        self._going_on: dict[Handle, tuple[Start, WatchedRun]] = {}

    @property
    def handles(self) -> list[Handle]:
        """For the executor."""
        return list(self._going_on)

    @property
    def versions(self) -> set[tuple[str, str]]:
        """Model and version of each."""
        return {(start.run.model, start.run.version) for start, _ in self._going_on.values()}

    def begin(self, start: Start) -> None:
        """Start one; raises StorageError."""
        watched = self._launcher.rehearse(start)
        self._going_on[watched.handle] = start, watched

    def stop(self) -> None:
        """End all at once: they are made again."""
        for handle in self._going_on:
            self._executor.stop(handle, 0.0)

    def observe(
        self, observations: Mapping[Handle, Observation], now: datetime, *, stopping: bool
    ) -> list[tuple[Rehearsed, str]]:
        """Record those that are over; returns them, each with its traceback if it has one.

        Raises StorageError when that can't be recorded; then it is tried again. What is cut
        short, since the session is ``stopping`` or the script was edited, is no rehearsal.
        """
        over = []
        for handle, (start, watched) in list(self._going_on.items()):
            observation = observations[handle]
            if not isinstance(observation, Gone):
                continue
            report = observation.report
            verdict = judge(observation.exit, report, stopping_at=now if stopping else None)
            if verdict.outcome is not Outcome.INTERRUPTED:
                problem = "" if verdict.outcome is Outcome.SUCCEEDED else str(verdict)
                note = self._note(start, now, problem)
                self._history.note(note)
                failures = report.failures if report else []
                over.append((note, "\n".join(each.traceback for each in failures)))
            del self._going_on[handle]
            shutil.rmtree(watched.folder.path, ignore_errors=True)
        return over

    def _note(self, start: Start, now: datetime, problem: str) -> Rehearsed:
        order = self._history.ledger.order(start.run.model, start.run.version)
        return Rehearsed(
            at=now,
            model=start.run.model,
            version=start.run.version,
            signature=start.version.signature,
            script=start.model.digest,
            orders=order.number if order else 0,
            problem=problem,
        )
