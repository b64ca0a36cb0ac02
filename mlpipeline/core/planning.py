"""What should run next, and why the rest does not: pure functions from state to actions.

The rules, in order, for one version of a listed model:

1. A version that runs is left alone.
2. *Unattended*, it is done when any host's history has a success of the same signature; otherwise
   when it succeeded in this session.
3. A version that failed in this session is given up until the next one, unless its outcome is one
   of ``retry_on`` and fewer than ``retries`` tries have followed the first. Each further try waits
   twice as long as the one before it.
4. What was cut short (interrupted, killed, lost) is resumed, before anything of its priority is
   started afresh, when unattended, if its parameters are the same and its model_dir still holds its
   state: it had come so far as to make it ready, and no other run has used it since.
5. What a person has skipped or cancelled, and is not done, waits until it is ordered again; what is
   to be retried starts as if it had not run yet, but for the state of a cut short attempt.
6. *Rehearsing*, a version is run in test mode before its first real run. What fails there is held
   until its parameters, its script or a person's order change that.
7. A model of a higher priority goes before others, whatever is to be resumed among them; the rest
   starts in the order of the list, as far as it fits on the host (core/slots.py). Two runs never
   share a model_dir at one time: the later one waits for the earlier one, and others may pass it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from mlpipeline.core.attempts import (
    can_go_on,
    counted,
    may_retry,
    next_try,
    rehearsal,
    why_again,
)
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.orders import Order
from mlpipeline.core.runs import Claim, Outcome, Run, RunId
from mlpipeline.core.slots import UNCOUNTED, Filling, Held, Host, Place, Room

# What may well not happen again. A bug in the code is the same bug a minute later.
RETRIED = frozenset(
    {
        Outcome.LOST,
        Outcome.KILLED,
        Outcome.CRASHED,
        Outcome.STALLED,
        Outcome.OUT_OF_MEMORY,
        Outcome.DISK_FULL,
    }
)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How this session decides."""

    session: str
    host: str
    unattended: bool
    retries: int = 0  # further tries of a failed version in one session
    retry_on: frozenset[Outcome] = RETRIED
    retry_delay: timedelta = timedelta(0)  # before the second try
    slots: int = 1  # runs at a time
    rehearse: bool = False  # run a version in test mode before its first real run

    @property
    def passes(self) -> int:
        """How many are let past one that waits for more room, where that takes of what it needs."""
        return self.slots


class Claimed(msgspec.Struct, frozen=True):
    """What other hosts have claimed, beyond what their histories tell."""

    versions: Mapping[tuple[str, str], Claim] = {}  # by model and version
    model_dirs: Mapping[str, Claim] = {}


NOTHING_CLAIMED = Claimed()


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


class Standing(msgspec.Struct, frozen=True, kw_only=True):
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


class Start(msgspec.Struct, frozen=True):
    """An action: start one more attempt at a version, or its rehearsal."""

    model: ListedModel
    version: ListedVersion
    run: RunId
    resume: bool = False
    rehearsal: bool = False
    place: Place = Place()  # on the host


def explain(
    listed: Sequence[ListedModel],
    ledger: Ledger,
    policy: Policy,
    now: datetime,
    claimed: Claimed = NOTHING_CLAIMED,
    host: Host = UNCOUNTED,
) -> list[Standing]:
    """Where each listed version stands, in the order in which they would start."""
    room = Room.of(host, [run.holds for run in ledger.active(policy.host)])
    standings = [
        standing
        for model in listed
        for standing in (
            [
                _fitted(_standing(model, version, ledger, policy, now, claimed), host, room)
                for version in model.versions
            ]
            if not model.problem
            else [Standing(model=model, version=None, state=State.BROKEN, reason=model.problem)]
        )
    ]
    return sorted(standings, key=lambda each: (-each.model.priority, not each.resumes))  # stable


def plan(
    listed: Sequence[ListedModel],
    ledger: Ledger,
    policy: Policy,
    now: datetime,
    claimed: Claimed = NOTHING_CLAIMED,
    rehearsing: Mapping[tuple[str, str], Held] = {},
    host: Host = UNCOUNTED,
    passed: Mapping[tuple[str, str], int] = {},
) -> list[Start]:
    """The starts that fill the free slots, of which the versions ``rehearsing`` use one each.

    ``passed``: how many have been let past a version that waits for more room.
    """
    free = policy.slots - len(ledger.active(policy.host)) - len(rehearsing)
    if free <= 0:
        return []
    taken = {run.model_dir for run in ledger.active()} | set(claimed.model_dirs)
    room = Room.of(host, [*(run.holds for run in ledger.active(policy.host)), *rehearsing.values()])
    filling = Filling(room, passed, policy.passes)
    starts: list[Start] = []
    for standing in explain(listed, ledger, policy, now, claimed, host):
        model, version = standing.model, standing.version
        if standing.state is not State.QUEUED or standing.not_before or version is None:
            continue
        if version.model_dir in taken or (model.name, version.name) in rehearsing:
            continue
        place = filling.place((model.name, version.name), version.asks)
        if place is None:
            continue
        attempt = ledger.next_attempt(model.name, version.name)
        run = RunId(model.name, version.name, attempt)
        starts.append(Start(model, version, run, standing.resumes, standing.rehearses, place))
        if not standing.rehearses:  # that has a model_dir of its own
            taken.add(version.model_dir)
        if len(starts) == free:
            break
    return starts


def _fitted(standing: Standing, host: Host, room: Room) -> Standing:
    """``standing`` with what there is to say of its asking for more than is there, or free."""
    version = standing.version
    if standing.state is not State.QUEUED or version is None:
        return standing
    never = host.why_never(version.asks)
    if never:
        return msgspec.structs.replace(standing, state=State.TOO_BIG, reason=never)
    lacks = ", ".join(room.lacks(version.asks).values())
    if not lacks:
        return standing
    reason = standing.reason if standing.not_before else f"waits for {lacks}"
    return msgspec.structs.replace(standing, lacks=lacks, reason=reason)


def _standing(
    model: ListedModel,
    version: ListedVersion,
    ledger: Ledger,
    policy: Policy,
    now: datetime,
    claimed: Claimed,
) -> Standing:
    attempts = ledger.attempts(model.name, version.name)
    last = attempts[-1] if attempts else None
    order = ledger.order(model.name, version.name)
    counting = counted(attempts, order)
    same = [run for run in counting if run.signature == version.signature]
    here = [run for run in same if policy.session in run.sessions]

    overruled = last is not None and not counting

    def stands(state: State, reason: str = "", **more: Any) -> Standing:
        return Standing(
            model=model,
            version=version,
            state=state,
            reason=reason,
            overruled=overruled,
            last=last,
            **more,
        )

    running = next((run for run in attempts if run.active), None)
    if running:
        elsewhere = f"on {running.host}" if running.host != policy.host else ""
        return stands(State.RUNNING, elsewhere)
    claim = claimed.versions.get((model.name, version.name))
    if claim:
        return stands(State.RUNNING, f"on {claim.host}")
    relevant = same if policy.unattended else here
    success = next((run for run in reversed(relevant) if run.succeeded), None)
    if success:
        done = stands(State.DONE, success=success)
        reason = "script changed" if done.is_outdated else ""
        return msgspec.structs.replace(done, reason=reason)
    if order and order.order is Order.SKIP:
        return stands(State.SKIPPED, order.why)
    failures = [run for run in here if run.verdict and run.verdict.outcome.is_failure]
    if failures and not may_retry(failures, policy.retries, policy.retry_on):
        return stands(State.FAILED, str(failures[-1].verdict))
    not_before = next_try(failures, policy.retry_delay) if failures else None
    if not_before and now < not_before:
        why = f"is tried again at {not_before:%H:%M:%S}: was {failures[-1].verdict}"
        return stands(State.QUEUED, why, not_before=not_before)
    waits = _why_wait(version, ledger, policy, claimed)
    if policy.unattended and last and last.verdict and can_go_on(last, version, ledger):
        why = waits or f"resumes: was {last.verdict}"
        return stands(State.QUEUED, why, resumes=True)
    rehearsed = rehearsal(model, version, ledger, order)
    if rehearsed and rehearsed.problem:
        return stands(State.HELD, f"its rehearsal {rehearsed.problem}")
    is_new = not any(run.script == model.digest for run in same)
    if policy.rehearse and rehearsed is None and is_new:
        return stands(State.QUEUED, "is rehearsed first", rehearses=True)
    return stands(State.QUEUED, waits or why_again(last, version, overruled))


def _why_wait(version: ListedVersion, ledger: Ledger, policy: Policy, claimed: Claimed) -> str:
    """Which run keeps ``version`` waiting although a slot may be free."""
    users = [run for run in ledger.active() if run.model_dir == version.model_dir]
    names = [
        f"{run.id} on {run.host}" if run.host != policy.host else str(run.id)
        for run in users
        if policy.slots > 1 or run.host != policy.host
    ]
    claim = claimed.model_dirs.get(version.model_dir)
    if claim:
        names.append(f"{claim.run} on {claim.host}")
    return f"waits for {names[0]}, which uses the same model_dir" if names else ""
