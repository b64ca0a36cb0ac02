"""Where a listed version stands, as data: what the rules of core/planning.py come to."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.runs import Run


class State(StrEnum):
    """Where a listed version stands."""

    RUNNING = "running"
    QUEUED = "queued"
    DONE = "done"
    FAILED = "failed"  # given up for this session
    HELD = "held"  # its rehearsal failed
    SKIPPED = "skipped"  # a person does not want it now
    TOO_BIG = "too big"  # it asks for more than this host has
    BROKEN = "broken"  # the model file can't be used


class Standing(msgspec.Struct, frozen=True, kw_only=True, gc=False):  # there may be 100,000
    """A listed version with its state, and the reason in a person's words."""

    model: ListedModel
    version: ListedVersion | None  # None for a model that can't be used
    state: State
    reason: str = ""
    lacks: str = ""  # what of the host is not free enough for it now
    resumes: bool = False
    rehearses: bool = False  # what starts is its rehearsal
    overruled: bool = False  # a person wants it retried, whatever became of its last attempt
    last: Run | None = None  # its newest attempt
    success: Run | None = None  # that it is done by
    not_before: datetime | None = None  # when it may start, if not now

    @property
    def is_outdated(self) -> bool:
        """Whether it is done, with a script that was edited since."""
        return self.success is not None and self.success.script != self.model.digest

    @property
    def has_failed(self) -> bool:
        """Whether the last word on it is a failure, of itself or of its rehearsal."""
        if self.state is not State.QUEUED:
            return self.state in (State.FAILED, State.HELD)
        last, version = self.last, self.version
        if last is None or last.verdict is None or version is None:
            return False
        again = self.resumes or self.overruled or last.signature != version.signature
        return last.verdict.outcome.is_failure and not again
