"""What the history says of versions rather than of runs: a person's orders, and rehearsals."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from mlpipeline.core.runs import FORMAT, AnyEvent, Moment


class Order(StrEnum):
    """What a person wants of a version, whatever the list and its past runs say."""

    SKIP = "skip"  # it is not started, until it is ordered again
    RETRY = "retry"  # its attempts so far, however they ended, do not count


class Note(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=str.lower):
    """Something that happened to a version; a line of the history."""

    v: int = FORMAT
    at: Moment
    model: str
    version: str


class Ordered(Note, frozen=True, kw_only=True):
    """A person's order; the one with the highest ``number`` holds, on whichever host it is told."""

    order: Order
    number: int  # 1 for the first order of this version
    after: int  # the highest attempt there was
    why: str = ""  # "cancelled", for one that was running


class Rehearsed(Note, frozen=True, kw_only=True):
    """The version was run in test mode, before its first real run."""

    signature: str
    script: str  # digest of all its sources
    orders: int = 0  # how many there were of this version
    problem: str = ""  # why the real run is held back; empty when all went well


AnyNote = Ordered | Rehearsed
AnyRecord = AnyEvent | AnyNote  # a line of the history
