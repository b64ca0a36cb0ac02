"""When the queue will be empty: from how long runs of the same models took, scaled by epochs."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from statistics import median
from typing import NamedTuple

import msgspec

from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.runs import Run, RunId
from mlpipeline.core.slots import UNCOUNTED, Asks, Held, Host, Room
from mlpipeline.core.standings import Standing, State
from mlpipeline.core.turns import Turns

RECENT = 10  # runs of a version or model that count
MOMENT = 1e-6  # seconds that something of unknown length takes, where others come after it
LONGEST = 100 * 365 * 86400.0  # seconds; what seems to take longer is unknown


class _Took(NamedTuple):
    seconds: float
    epochs: float | None


class Durations:
    """How long runs take, by what past ones took."""

    def __init__(self, ledger: Ledger):
        self._ledger = ledger
        self._past: dict[tuple[str, ...], list[_Took]] = {}  # as far as it was asked for
        self._going: dict[tuple[str, ...], list[_Took]] = {}

    def _took(self, group: tuple[str, ...]) -> list[_Took]:
        """What the newest runs of a group took."""
        if group not in self._past:
            model, version, script = (*group, "", "")[:3]
            ledger = self._ledger
            runs = reversed(ledger.attempts(model, version)) if version else ledger.newest(model)
            fitting = (
                _Took(run.seconds or 0.0, run.epochs)
                for run in runs
                # A resumed one did only the rest.
                if run.succeeded and not run.resume and script in ("", run.script)
            )
            self._past[group] = list(islice(fitting, RECENT))
        return self._past[group]

    def _spent(self, model: str, version: str) -> float:
        """Seconds that attempts took from which the next one goes on."""
        spent = 0.0
        for run in self._ledger.attempts(model, version):
            spent = (spent if run.resume else 0.0) + (run.seconds or 0.0)
        return spent

    def learn(self, run: Run, seconds: float) -> None:
        """``run`` goes on, and says that it will have taken so many ``seconds``."""
        if not run.resume:
            for group in _groups(run.id.model, run.id.version, run.script):
                self._going[group] = [_Took(seconds, run.epochs)]

    def left(self, standing: Standing) -> float | None:
        """Seconds that the next run of a listed version takes; None where nothing tells."""
        model, version = standing.model, standing.version
        whole = self.expected(model, version) if version else None
        if whole is None or version is None or not standing.resumes:
            return whole
        return max(0.0, whole - self._spent(model.name, version.name))

    def expected(self, model: ListedModel, version: ListedVersion) -> float | None:
        """Seconds that a run of ``version`` takes from its very start; None where nothing tells.

        The median over the newest runs of the same version with the same script; or else of the
        same model and script, or what one that goes on says, or of earlier scripts. Per epoch
        where the epochs are known.
        """
        groups = list(_groups(model.name, version.name, model.digest))
        now, before = groups[:2], groups[2:]
        sources = [(took, part) for part in (now, before) for took in (self._took, self._going.get)]
        found = (took(group) for took, part in sources for group in part)
        known = next(filter(None, found), [])
        if not known:
            return None
        epochs = version.parameters.get("epoch_count")
        rates = [each.seconds / each.epochs for each in known if each.epochs and each.seconds]
        if rates and isinstance(epochs, (int, float)):
            return _known(median(rates) * min(epochs, LONGEST))
        return _known(median(each.seconds for each in known))


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """When one listed version is expected to run; None where nothing tells."""

    standing: Standing
    starts: datetime | None
    ends: datetime | None


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """When what is listed will have run, if nothing fails or changes."""

    slots: tuple[Slot, ...]  # running ones, then queued ones in the order of their start
    empty_at: datetime | None  # None when nothing is left, or nothing is known of what is
    unknown: int  # versions of which nothing tells how long they take; they are not counted


def forecast(
    standings: Sequence[Standing],
    durations: Durations,
    left: Mapping[RunId, float],
    *,
    host: str,
    slots: int,
    now: datetime,
    machine: Host = UNCOUNTED,
) -> Forecast:
    """Fill ``slots`` in the order of ``standings``; ``left`` are seconds that running runs say.

    ``machine`` is what this host has; each version is taken to start as soon as it fits.
    """
    held: list[tuple[datetime, datetime, Held]] = []  # of the machine, from when and until when
    free: list[datetime] = []  # when a slot becomes free, a heap
    model_dirs: dict[str, datetime] = {}  # when one becomes free
    expected: list[Slot] = []
    unknown = 0
    for standing in standings:
        version, run = standing.version, standing.last
        if standing.state is not State.RUNNING or version is None or run is None:
            continue
        seconds = _known(left.get(run.id))
        spent = (now - run.started_at).total_seconds()
        if seconds is not None:
            durations.learn(run, spent + seconds)
        else:
            whole = durations.expected(standing.model, version)
            seconds = None if whole is None else max(0.0, whole - spent)
        unknown += seconds is None
        ends = _later(now, seconds)
        model_dirs[version.model_dir] = ends
        if run.host == host:
            heapq.heappush(free, ends)
            held.append((run.started_at, ends, run.holds))
        expected.append(
            Slot(
                standing=standing,
                starts=run.started_at,
                ends=None if seconds is None else ends,
            )
        )
    while len(free) < slots:
        heapq.heappush(free, now)
    while len(free) > slots:
        heapq.heappop(free)
    is_certain = not unknown  # a start after something of unknown length is unknown, too
    turns = Turns(standings, expected)
    while turns:
        slot = heapq.heappop(free)
        standing, since = turns.next(slot)
        version = standing.version
        assert version is not None
        held = [each for each in held if each[1] > slot]
        starts = max(
            slot,
            since or slot,
            standing.not_before or now,
            model_dirs.get(version.model_dir, now),
        )
        starts, holds = _fitting(machine, held, version.asks, starts)
        seconds = durations.left(standing)
        ends = _later(starts, MOMENT if seconds is None and turns.staged else seconds)
        turns.ends(standing, ends)
        held.append((starts, ends, holds))
        expected.append(
            Slot(
                standing=standing,
                starts=starts if is_certain else None,
                ends=ends if is_certain and seconds is not None else None,
            )
        )
        unknown += seconds is None
        is_certain = is_certain and seconds is not None
        model_dirs[version.model_dir] = ends
        heapq.heappush(free, ends)
    known = len(expected) - unknown
    return Forecast(
        slots=tuple(expected), empty_at=max(free) if known and expected else None, unknown=unknown
    )


def _fitting(
    machine: Host,
    held: Sequence[tuple[datetime, datetime, Held]],
    asks: Asks,
    starts: datetime,
) -> tuple[datetime, Held]:
    """When, from ``starts`` on, there is room for what ``asks`` so, and what it holds then."""
    if asks == Asks() or machine == UNCOUNTED:
        return starts, Held()
    for moment in (starts, *sorted({ends for _, ends, _ in held if ends > starts})):
        room = Room.of(machine, [each for since, ends, each in held if since <= moment < ends])
        if holds := room.place(asks):
            return moment, holds
    return starts, Held()  # others use it, and do not say for how long


def _known(seconds: float | None) -> float | None:
    """``seconds``, unless nobody will live to see their end."""
    return seconds if seconds is not None and seconds <= LONGEST else None


def _later(moment: datetime, seconds: float | None) -> datetime:
    try:
        return moment + timedelta(seconds=seconds or 0)
    except OverflowError:  # a queue of centuries
        return datetime.max.replace(tzinfo=moment.tzinfo)


def _groups(model: str, version: str, script: str) -> Iterator[tuple[str, ...]]:
    """The runs that a run is like, the most like ones first."""
    yield from ((model, version, script), (model, "", script), (model, version), (model,))
