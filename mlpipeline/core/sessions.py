"""How a session of the scheduler ends, and what came of it."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

import msgspec

from mlpipeline.core.listed import ListedModel
from mlpipeline.core.runs import Run
from mlpipeline.core.standings import Standing


class StopMode(StrEnum):
    """How a session ends."""

    GRACEFUL = "graceful"  # runs are asked to stop, and have their grace
    NOW = "now"  # runs are killed
    AFTER_CURRENT = "after-current"  # what runs runs to its end, and nothing more is started
    DETACH = "detach"  # runs go on without a scheduler


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a session."""

    runs: tuple[Run, ...]  # that ended, in the order of their end
    broken: tuple[ListedModel, ...]  # listed models that can't be used
    held: tuple[Standing, ...] = ()  # versions whose rehearsal failed
    skipped: tuple[Standing, ...] = ()  # versions that come after one that failed, say
    blocked: tuple[Standing, ...]  # listed versions that are left to other hosts
    listed: int  # versions and broken models that the list asks for
    signal: int | None  # that ended the session
    stopped: StopMode | None = None  # how it was asked to end, by a signal or a request
    left_running: int = 0  # runs that go on without a scheduler

    @property
    def counts(self) -> dict[str, int]:
        """How many runs had each outcome, in the order of their first one."""
        return dict(Counter(run.verdict.outcome.value for run in self.runs if run.verdict))

    @property
    def failed(self) -> bool:
        """Whether anything went wrong that a person should look at."""
        fine = {
            (run.id.model, run.id.version)
            for run in self.runs
            if run.succeeded or run.stopping_why  # a person cancelled it
        }
        return bool(self.broken or self.held) or any(
            (run.id.model, run.id.version) not in fine for run in self.runs
        )
