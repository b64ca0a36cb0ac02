"""What should run next, and why the rest does not: pure functions from state to actions.

The rules, in order, for one version of a listed model:

1. A version that runs is left alone.
2. *Unattended*, it is done when any host's history has a success of the same signature; otherwise
   when it succeeded in this session.
3. A version that failed in this session is given up until the next one, unless its outcome is one
   of ``retry_on`` and fewer than ``retries`` tries have followed the first. Each further try waits
   twice as long as the one before it.
4. A version that comes after others (``after``) waits until all of them are done. Where one has
   been given up, skipped or held, or is not listed and has never succeeded, it is skipped, too, and
   so is what comes after it, until something of that changes.
5. What was cut short (interrupted, killed, lost) is resumed, before anything of its priority is
   started afresh, when unattended, if its parameters are the same and its model_dir still holds its
   state: it had come so far as to make it ready, and no other run has used it since.
6. What a person has skipped or cancelled, and is not done, waits until it is ordered again; what is
   to be retried starts as if it had not run yet, but for the state of a cut short attempt.
7. *Rehearsing*, a version is run in test mode before its first real run. What fails there is held
   until its parameters, its script or a person's order change that.
8. A model of a higher priority goes before others, whatever is to be resumed among them; the rest
   starts in the order of the list, as far as it fits on the host (core/slots.py). Two runs never
   share a model_dir at one time: the later one waits for the earlier one, and others may pass it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime, timedelta
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
from mlpipeline.core.slots import UNCOUNTED, Asks, Filling, Held, Host, Place, Room
from mlpipeline.core.standings import NOT_LISTED, Behind, Standing, State, why_behind

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
    test: bool = False  # test mode: what is not listed there is not waited for

    @property
    def passes(self) -> int:
        """How many are let past one that waits for more room, where that takes of what it needs."""
        return self.slots


class Claimed(msgspec.Struct, frozen=True):
    """What other hosts have claimed, beyond what their histories tell."""

    versions: Mapping[tuple[str, str], Claim] = {}  # by model and version
    model_dirs: Mapping[str, Claim] = {}


NOTHING_CLAIMED = Claimed()


class Start(msgspec.Struct, frozen=True):
    """An action: start one more attempt at a version, or its rehearsal."""

    model: ListedModel
    version: ListedVersion
    run: RunId
    resume: bool = False
    rehearsal: bool = False
    place: Place = Place()  # on the host
    anew: bool = False  # a person wants it again that has succeeded with this very code


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """All that there is to plan from, at one moment."""

    listed: Sequence[ListedModel]
    ledger: Ledger
    policy: Policy
    now: datetime
    claimed: Claimed = NOTHING_CLAIMED
    host: Host = UNCOUNTED
    # Model and version of the rehearsals that go on, with what they hold of this host.
    rehearsing: Mapping[tuple[str, str], Held] = {}
    # How many have been let past a version that waits for more room.
    passed: Mapping[tuple[str, str], int] = {}

    @property
    def room(self) -> Room:
        """What runs leave of this host; rehearsals are not counted."""
        return Room.of(self.host, [run.holds for run in self.ledger.active(self.policy.host)])


# What may start now, in the order of the queue. It may leave out what shares one of the model_dirs
# in the first set, and what asks for something in the second; both grow while it is asked.
Candidates = Callable[[Set[str], Set[Asks]], Iterable[Standing]]


def explain(at: Situation) -> list[Standing]:
    """Where each listed version stands, in the order in which they would start."""
    rules = Rules(at)
    # By priority: what is resumed, and the rest.
    found: dict[int, tuple[list[Standing], list[Standing]]] = {}
    for model in at.listed:
        resumed, rest = found.setdefault(model.priority, ([], []))
        if model.problem:
            rest.append(
                Standing(model=model, version=None, state=State.BROKEN, reason=model.problem)
            )
            continue
        for standing in rules.standings(model):
            (resumed if standing.resumes else rest).append(standing)
    return [
        standing
        for priority in sorted(found, reverse=True)
        for part in found[priority]
        for standing in part
    ]


def plan(at: Situation, candidates: Candidates | None = None) -> list[Start]:
    """The starts that fill the free slots, of which the rehearsals that go on use one each.

    ``candidates``: an index of the queue, so that not all of it need be looked at (core/agenda.py).
    """
    ledger, policy = at.ledger, at.policy
    here = ledger.active(policy.host)
    free = policy.slots - len(here) - len(at.rehearsing)
    if free <= 0:
        return []
    taken = {run.model_dir for run in ledger.active()} | set(at.claimed.model_dirs)
    refused: set[Asks] = set()  # who asks for as much as one before it that does not fit waits, too
    room = Room.of(at.host, [*(run.holds for run in here), *at.rehearsing.values()])
    filling = Filling(room, at.passed, policy.passes)
    starts: list[Start] = []
    for standing in candidates(taken, refused) if candidates else explain(at):
        model, version = standing.model, standing.version
        if standing.state is not State.QUEUED or version is None:
            continue
        if standing.not_before or standing.behind:
            continue
        if version.model_dir in taken or version.asks in refused:
            continue
        key = model.name, version.name
        if key in at.rehearsing:
            continue
        place = filling.place(key, version.asks)
        if place is None:
            refused.add(version.asks)
            continue
        run = RunId(*key, ledger.next_attempt(*key))
        anew = standing.is_wanted_anew
        starts.append(Start(model, version, run, standing.resumes, standing.rehearses, place, anew))
        if not standing.rehearses:  # that has a model_dir of its own
            taken.add(version.model_dir)
        if len(starts) == free:
            break
    return starts


class Rules:
    """What the rules above say of one version after the other, in one situation."""

    def __init__(self, at: Situation):
        self._at = at
        self._claims = at.claimed.versions
        self._waits = _waits(at)
        self._room: Room | None = None
        self._fits: dict[Asks, tuple[str, str]] = {}  # why never, and what is lacking now

    def fitted(self, standing: Standing) -> Standing:
        """``standing`` with what there is to say of its asking for more than is there, or free."""
        version = standing.version
        if standing.state is not State.QUEUED or version is None:
            return standing
        fits = self._fits.get(version.asks)
        if fits is None:
            fits = self._fits[version.asks] = self._fit(version.asks)
        never, lacks = fits
        if never:
            return msgspec.structs.replace(standing, state=State.TOO_BIG, reason=never)
        if not lacks or standing.behind:
            return standing
        reason = standing.reason if standing.not_before else f"waits for {lacks}"
        return msgspec.structs.replace(standing, lacks=lacks, reason=reason)

    def _fit(self, asks: Asks) -> tuple[str, str]:
        if self._room is None:
            self._room = self._at.room
        return self._at.host.why_never(asks), ", ".join(self._room.lacks(asks).values())

    def standings(self, model: ListedModel) -> Iterator[Standing]:
        """Where the versions of a model stand, in their order, but each behind those that it has
        to wait for.
        """
        stages = model.stages
        if stages is None:
            yield from (self.fitted(self.standing(model, each)) for each in model.versions)
            return
        found: dict[int, Standing] = {}
        for number in stages.order:
            if number >= stages.listed:
                found[number] = self.left_out(model, model.left_out[number - stages.listed])
                continue
            version = model.versions[number]
            before = why_behind(version, [found[each] for each in stages.before[number]])
            found[number] = self.fitted(self.standing(model, version, before))
        yield from map(found.__getitem__, stages.in_turn(lambda number: bool(found[number].behind)))

    def left_out(self, model: ListedModel, version: ListedVersion) -> Standing:
        """Where one stands that is not listed, for what comes after it."""
        if self._at.policy.test:
            return Standing(model=model, version=version, state=State.DONE)
        return self.standing(model, version, is_listed=False)

    def standing(
        self,
        model: ListedModel,
        version: ListedVersion,
        behind: Behind | None = None,
        *,
        is_listed: bool = True,
    ) -> Standing:
        """Where a version stands, whatever it asks for of the host.

        ``behind``: what keeps it from starting, of those that it comes after.
        """
        ledger, policy = self._at.ledger, self._at.policy
        is_claimed = self._claims and (model.name, version.name) in self._claims
        # As most of a long list are. What follows comes to the same, and takes ten times as long.
        is_plain = behind is None and is_listed
        if is_plain and not is_claimed and ledger.is_new(model.name, version.name):
            return self._new(model, version)
        attempts = ledger.attempts(model.name, version.name)
        last = attempts[-1] if attempts else None
        order = ledger.order(model.name, version.name)
        counting = counted(attempts, order) if order else attempts
        same = [run for run in counting if run.signature == version.signature]

        def stands(state: State, reason: str = "", **more: Any) -> Standing:
            return Standing(
                model=model,
                version=version,
                state=state,
                reason=reason,
                overruled=last is not None and not counting,
                last=last,
                **more,
            )

        hosts = [run.host for run in attempts if run.active]
        if self._claims and (claim := self._claims.get((model.name, version.name))):
            hosts.append(claim.host)
        if hosts:
            return stands(State.RUNNING, f"on {hosts[0]}" if hosts[0] != policy.host else "")
        ever = policy.unattended or not is_listed
        if success := _success(same, None if ever else policy.session):
            told = success.verdict.reason if success.verdict else ""  # of a step: who made it
            reason = told if model.is_as_for(success, version) else "script changed"
            return stands(State.DONE, reason, success=success)
        if not is_listed:
            return stands(State.SKIPPED, NOT_LISTED)
        if order and order.order is Order.SKIP:
            return stands(State.SKIPPED, order.why)
        failures = [run for run in same if _fails(run, policy.session)]
        if failures and not may_retry(failures, policy.retries, policy.retry_on):
            return stands(State.FAILED, str(failures[-1].verdict))
        if behind:
            state = State.SKIPPED if behind.stuck else State.QUEUED
            return stands(state, behind.reason, behind=behind)
        not_before = next_try(failures, policy.retry_delay) if failures else None
        if not_before and self._at.now < not_before:
            why = f"is tried again at {not_before:%H:%M:%S}: was {failures[-1].verdict}"
            return stands(State.QUEUED, why, not_before=not_before)
        waits = self._waits.get(version.model_dir, "")
        if policy.unattended and last and last.verdict and can_go_on(last, version, ledger):
            why = waits or f"resumes: was {last.verdict}"
            return stands(State.QUEUED, why, resumes=True)
        rehearsed = rehearsal(model, version, ledger, order)
        if rehearsed and rehearsed.problem:
            return stands(State.HELD, f"its rehearsal {rehearsed.problem}")
        is_new = policy.rehearse and not any(model.is_as_for(run, version) for run in same)
        if is_new and rehearsed is None:
            return stands(State.QUEUED, "is rehearsed first", rehearses=True)
        return stands(State.QUEUED, waits or why_again(last, version, bool(last and not counting)))

    def _new(self, model: ListedModel, version: ListedVersion) -> Standing:
        """Of a version of which nothing is known."""
        rehearses = self._at.policy.rehearse
        reason = "is rehearsed first" if rehearses else self._waits.get(version.model_dir, "")
        return Standing(
            model=model, version=version, state=State.QUEUED, reason=reason, rehearses=rehearses
        )


def _success(runs: Sequence[Run], session: str | None) -> Run | None:
    """The newest of ``runs`` that succeeded in this session; in any, where that is None."""
    for run in reversed(runs):
        if run.succeeded and (session is None or session in run.sessions):
            return run
    return None


def _fails(run: Run, session: str) -> bool:
    """Whether it went wrong in this session."""
    return session in run.sessions and run.verdict is not None and run.verdict.outcome.is_failure


def _waits(at: Situation) -> dict[str, str]:
    """Which run keeps others waiting although a slot may be free, in words, by its model_dir."""
    policy, users = at.policy, dict[str, str]()
    for run in at.ledger.active():
        if run.host != policy.host:
            users.setdefault(run.model_dir, f"{run.id} on {run.host}")
        elif policy.slots > 1:
            users.setdefault(run.model_dir, str(run.id))
    for model_dir, claim in at.claimed.model_dirs.items():
        users.setdefault(model_dir, f"{claim.run} on {claim.host}")
    return {
        model_dir: f"waits for {user}, which uses the same model_dir"
        for model_dir, user in users.items()
    }
