"""The records that a run is made of, and the transitions between them that are legal.

A run's life is told by events. ``starting`` comes first, before any process exists, then perhaps
``adopted`` (a later session goes on watching it) and ``stopping`` (it was asked to stop), and
``finished`` comes last, once.

There may be a million of these records in a process. So they are out of the garbage collector's
sight (``gc=False``; none of them can lead back to itself), and share what many of them say.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from sys import intern
from typing import Annotated, Any

import msgspec

from mlpipeline.core.slots import Held

FORMAT = 1  # version of the history records that this program writes

Moment = Annotated[datetime, msgspec.Meta(tz=True)]  # with its offset from UTC


class Outcome(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"  # by an exception, sys.exit or os._exit
    OUT_OF_MEMORY = "out of memory"  # of the GPU or the machine
    DISK_FULL = "disk full"
    TIMEOUT = "timeout"  # took longer than `timeout` allows
    STALLED = "stalled"  # gave no sign of life for `stall_timeout`
    DIVERGED = "diverged"  # a metric was no finite number, and `stop_on_nan` is set
    CRASHED = "crashed"  # by a signal that the process brought on itself: SIGSEGV, SIGABRT …
    KILLED = "killed"  # by a signal from outside that nobody here sent
    INTERRUPTED = "interrupted"  # asked to stop
    LOST = "lost"  # gone without a trace: reboot, power cut

    @property
    def is_failure(self) -> bool:
        """Whether something went wrong: it ended neither well nor because it was asked to."""
        return self not in (Outcome.SUCCEEDED, Outcome.INTERRUPTED)

    @property
    def resumes(self) -> bool:
        """Whether the next attempt goes on from this one's checkpoints.

        Not where the user's own code or data went wrong: what it left may be wrong too.
        """
        done = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.CRASHED, Outcome.DIVERGED)
        return self not in done


class RunId(msgspec.Struct, frozen=True, order=True, gc=False):
    """Names one attempt at one version; written ``model/version#attempt``."""

    model: str
    version: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.model}/{self.version}#{self.attempt}"


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """An outcome with its reason (one line, empty for a success)."""

    outcome: Outcome
    reason: str = ""

    def __str__(self) -> str:
        if not self.reason:
            return self.outcome.value
        divider = " by " if self.outcome in (Outcome.CRASHED, Outcome.KILLED) else ": "
        return f"{self.outcome.value}{divider}{self.reason}"


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Says which host has an attempt; it is there before the history tells of that."""

    host: str
    run: RunId
    model_dir: str
    at: Moment


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="event", tag=str.lower):
    """Something that happened to a run; a line of the history."""

    v: int = FORMAT
    at: Moment
    run: RunId


class Starting(Event, frozen=True, kw_only=True, gc=False):
    """On disk before a process is started."""

    session: str
    signature: str
    epochs: float | None = None  # that it is to train, where that is a number
    script: str  # digest of the model file and of the local modules it imports
    model_dir: str  # its name in model_ckpts/
    resume: bool = False
    holds: Held = Held()  # of its host


class Adopted(Event, frozen=True, kw_only=True, gc=False):
    """A later session found the run alive and goes on watching it."""

    session: str


class Stopping(Event, frozen=True, kw_only=True, gc=False):
    """The run was asked to stop."""

    why: str = ""  # "cancelled"; empty: the session ended


class Finished(Event, frozen=True, kw_only=True, gc=False):
    """The last event of a run."""

    outcome: Outcome
    reason: str = ""
    ended_at: Moment
    prepared: bool = False  # its model_dir had been made ready, and is this run's since then
    steps: int | None = None
    results: dict[str, Any] = {}


class Fenced(Event, frozen=True, kw_only=True, gc=False):
    """Another host takes the run for lost; nothing that its own host says of it counts any more."""

    host: str  # whose run it is
    prepared: bool = False  # as in Finished


AnyEvent = Starting | Adopted | Stopping | Finished | Fenced


class IllegalTransition(ValueError):
    """An event that can't follow what the history says of the run so far."""


class Run(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """All that the history says of one run."""

    id: RunId
    host: str
    signature: str
    script: str
    model_dir: str
    resume: bool
    sessions: tuple[str, ...]  # that watched it; the first one started it
    started_at: datetime
    epochs: float | None = None
    holds: Held = Held()
    stopping_at: datetime | None = None  # when it was first asked to stop
    stopping_why: str = ""
    verdict: Verdict | None = None  # None while it runs
    ended_at: datetime | None = None
    recorded_at: datetime | None = None  # when its end became known
    prepared: bool = False
    fenced: bool = False  # taken for lost by another host
    steps: int | None = None
    results: dict[str, Any] = {}

    @property
    def active(self) -> bool:
        """Whether it has not ended, as far as the history knows."""
        return self.verdict is None

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return self.verdict is not None and self.verdict.outcome is Outcome.SUCCEEDED

    @property
    def resumable(self) -> bool:
        """Whether a next attempt can go on from what this one left in its model_dir.

        One that went on from an earlier attempt left that one's state, at least.
        """
        cut_short = self.verdict is not None and self.verdict.outcome.resumes
        return cut_short and (self.prepared or self.resume)

    @property
    def seconds(self) -> float | None:
        """Wall-clock seconds from start to end; None while it runs."""
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at else None


def advance(run: Run | None, event: AnyEvent, host: str) -> Run:
    """The run after ``event``.

    Raises IllegalTransition for an event of a run that never started, a second start, or an event
    after the end.
    """
    if isinstance(event, Fenced):
        return _fence(run, event)
    if run is None:
        if isinstance(event, Starting):
            return _begun(event, host)
        raise IllegalTransition(f"{event.run} is {_kind(event)} but never started")
    if run.fenced:
        return _as_started(run, event) if isinstance(event, Starting) else run
    if isinstance(event, Starting):
        raise IllegalTransition(f"{event.run} starts twice")
    if not run.active:
        raise IllegalTransition(f"{event.run} is {_kind(event)} after its end")
    match event:
        case Finished():  # first, since it is the most frequent one
            return msgspec.structs.replace(
                run,
                verdict=_verdict(event.outcome, event.reason),
                ended_at=event.ended_at,
                recorded_at=event.at,
                prepared=event.prepared,
                steps=event.steps,
                results=event.results or _NO_RESULTS,
            )
        case Adopted():
            return msgspec.structs.replace(run, sessions=(*run.sessions, event.session))
        case Stopping():
            return msgspec.structs.replace(
                run,
                stopping_at=run.stopping_at or event.at,
                stopping_why=run.stopping_why or event.why,
            )


def _kind(event: AnyEvent) -> str:
    return type(event).__name__.lower()


_NO_RESULTS: dict[str, Any] = {}
_NOTHING = Held()


@lru_cache(maxsize=256)
def _verdict(outcome: Outcome, reason: str) -> Verdict:
    return Verdict(outcome, reason)


@lru_cache(maxsize=256)
def _alone(session: str) -> tuple[str]:
    return (session,)


def _begun(event: Starting, host: str) -> Run:
    return Run(
        id=event.run,
        host=host,
        signature=event.signature,
        script=intern(event.script),
        model_dir=event.model_dir,
        resume=event.resume,
        sessions=_alone(event.session),
        started_at=event.at,
        epochs=event.epochs,
        holds=_NOTHING if event.holds == _NOTHING else event.holds,
    )


def _as_started(run: Run, event: Starting) -> Run:
    """A run that was fenced in one history before its start was read in another."""
    return msgspec.structs.replace(
        _begun(event, run.host),
        fenced=True,
        verdict=run.verdict,
        ended_at=run.ended_at,
        recorded_at=run.recorded_at,
        prepared=run.prepared,
    )


def _fence(run: Run | None, event: Fenced) -> Run:
    """The run as lost, whatever its own host says or will say of it.

    ``run`` is None where only its claim is known.
    """
    if run is None:
        run = Run(
            id=event.run,
            host=event.host,
            signature="",
            script="",
            model_dir="",
            resume=False,
            sessions=(),
            started_at=event.at,
        )
    return msgspec.structs.replace(
        run,
        fenced=True,
        verdict=Verdict(Outcome.LOST, f"{event.host} was taken for lost"),
        ended_at=run.ended_at or event.at,
        recorded_at=run.recorded_at or event.at,
        prepared=run.prepared or event.prepared,
        results={},
    )
