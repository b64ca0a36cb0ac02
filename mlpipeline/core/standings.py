"""Where a listed version stands, as data: what the rules of core/planning.py come to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.runs import Run
from mlpipeline.core.stages import told_apart
from mlpipeline.core.wording import plural

NOT_LISTED = "is not listed, nor done"


class State(StrEnum):
    """Where a listed version stands."""

    RUNNING = "running"
    QUEUED = "queued"
    DONE = "done"
    FAILED = "failed"  # given up for this session
    HELD = "held"  # its rehearsal failed
    SKIPPED = "skipped"  # a person does not want it now, or what it comes after failed
    TOO_BIG = "too big"  # it asks for more than this host has
    BROKEN = "broken"  # the model file can't be used


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """That a version can't start, since one that it comes after is not done."""

    stuck: bool = False  # nor can it be in this session, as things are
    reason: str = ""
    root: Standing | None = None  # the one that it lies with; None where nobody needs to know


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
    behind: Behind | None = None  # why it may not start, whatever else there is

    @property
    def is_outdated(self) -> bool:
        """Whether it is done, with a script that was edited since."""
        if self.success is None or self.version is None:
            return False
        return not self.model.is_as_for(self.success, self.version)

    @property
    def is_wanted_anew(self) -> bool:
        """Whether a person has ordered again what has succeeded just as it is now."""
        last, version = self.last, self.version
        if not self.overruled or last is None or version is None or not last.succeeded:
            return False
        codes = self.model.digest_of(version), self.model.digest
        return last.signature == version.signature and last.script in codes

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

    @property
    def is_stuck(self) -> bool:
        """Whether nothing more becomes of it in this session, and what comes after it can't run."""
        return self.state in (State.FAILED, State.HELD, State.SKIPPED)


def why_behind(version: ListedVersion, before: Sequence[Standing]) -> Behind | None:
    """What keeps ``version`` from starting, of those that it comes after; None if all are done."""
    not_done = [each for each in before if each.state is not State.DONE]
    if not not_done:
        return None
    first = not_done[0] if len(not_done) == 1 else min(not_done, key=_rank)
    root = first.behind.root or first if first.behind else first
    if first.is_stuck:
        return Behind(stuck=True, reason=fate(root, version), root=root)
    name = told_apart(_name(first), version.name)
    more = f" and {plural(len(not_done) - 1, 'other')}" if len(not_done) > 1 else ""
    never = ", which can't run here" if first.state is State.TOO_BIG and not more else ""
    return Behind(reason=f"waits for {name}{more}{never}", root=root)


def fate(root: Standing, version: ListedVersion | None = None) -> str:
    """What became of ``root``; for one who sees ``version``, which comes after it, in short."""
    name = told_apart(_name(root), version.name) if version else _name(root)
    return f"{name} {became(root)}"


def became(root: Standing) -> str:
    """What became of one that others come after: a verb."""
    if root.state is State.HELD:
        return "is held"
    if root.state is State.SKIPPED:
        return NOT_LISTED if root.reason == NOT_LISTED else f"was {root.reason or 'skipped'}"
    return "failed"


def _rank(standing: Standing) -> tuple[bool, bool]:
    """Of those that are waited for, the worst one is told of."""
    root = standing.behind.root if standing.behind else standing
    return not standing.is_stuck, not (root and root.has_failed)


def _name(standing: Standing) -> str:
    return standing.version.name if standing.version else standing.model.name
