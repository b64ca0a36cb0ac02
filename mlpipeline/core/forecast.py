"""When the queue will be empty: from how long runs of the same models took, scaled by epochs."""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterator, Mapping, Sequence
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

RECENT = 10  # runs of a version or model that count
MICROSECOND = timedelta(microseconds=1)
NOTHING = Asks()
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
        # Of versions that have no past: by model, digest of its sources, and epochs.
        self._of_new: dict[tuple[str, str, float | None], float | None] = {}

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
            self._of_new.clear()
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
        epochs = version.parameters.get("epoch_count")
        if not isinstance(epochs, (int, float)):
            epochs = None
        if version.name in self._ledger.versions.get(model.name, ()):
            return self._expected(model, version.name, epochs)
        key = model.name, model.digest, epochs
        if key not in self._of_new:
            self._of_new[key] = self._expected(model, version.name, epochs)
        return self._of_new[key]

    def _expected(self, model: ListedModel, version: str, epochs: float | None) -> float | None:
        groups = list(_groups(model.name, version, model.digest))
        now, before = groups[:2], groups[2:]
        sources = [(took, part) for part in (now, before) for took in (self._took, self._going.get)]
        found = (took(group) for took, part in sources for group in part)
        known = next(filter(None, found), [])
        if not known:
            return None
        rates = [each.seconds / each.epochs for each in known if each.epochs and each.seconds]
        if rates and epochs is not None:
            return _known(median(rates) * min(epochs, LONGEST))
        return _known(median(each.seconds for each in known))


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """When one listed version is expected to run; None where nothing tells."""

    standing: Standing
    starts: datetime | None
    ends: datetime | None


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """When what is listed will have run, if nothing fails or changes."""

    # Running ones, then queued ones in the order of their start, as far as they were asked for.
    slots: tuple[Slot, ...]
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
    wanted: Container[tuple[str, str]] | None = None,
) -> Forecast:
    """Fill ``slots`` in the order of ``standings``; ``left`` are seconds that running runs say.

    ``machine`` is what this host has; each version is taken to start as soon as it fits.
    ``wanted``: model and version of those whose slots are asked for (None: of all).
    """
    clock = _Clock(now)
    held: list[_Holding] = []  # of the machine
    free: list[int] = []  # when a slot becomes free, a heap
    model_dirs: dict[str, int] = {}  # when one becomes free
    expected: list[Slot] = []
    count = unknown = 0
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
        count, unknown = count + 1, unknown + (seconds is None)
        ends = clock.later(0, seconds)
        model_dirs[version.model_dir] = ends
        if run.host == host:
            heapq.heappush(free, ends)
            held.append(_Holding(clock.at(run.started_at), ends, run.holds))
        if wanted is None or (standing.model.name, version.name) in wanted:
            ends_at = None if seconds is None else clock.moment(ends)
            expected.append(Slot(standing=standing, starts=run.started_at, ends=ends_at))
    while len(free) < slots:
        heapq.heappush(free, 0)
    while len(free) > slots:
        heapq.heappop(free)
    is_certain = not unknown  # a start after something of unknown length is unknown, too
    for standing in standings:
        version = standing.version
        if standing.state is not State.QUEUED or version is None:
            continue
        starts = slot = free[0]
        if (at := model_dirs.get(version.model_dir, 0)) > starts:
            starts = at
        if standing.not_before and (at := clock.at(standing.not_before)) > starts:
            starts = at
        if machine != UNCOUNTED and version.asks != NOTHING:
            held = [each for each in held if each.ends > slot]
            starts, holds = _fitting(machine, held, version.asks, starts)
        else:
            holds = None
        seconds = durations.left(standing)
        ends = clock.later(starts, seconds)
        if holds:
            held.append(_Holding(starts, ends, holds))
        if wanted is None or (standing.model.name, version.name) in wanted:
            ends_at = clock.moment(ends) if is_certain and seconds is not None else None
            starts_at = clock.moment(starts) if is_certain else None
            expected.append(Slot(standing=standing, starts=starts_at, ends=ends_at))
        count, unknown = count + 1, unknown + (seconds is None)
        is_certain = is_certain and seconds is not None
        model_dirs[version.model_dir] = ends
        heapq.heapreplace(free, ends)
    return Forecast(
        slots=tuple(expected),
        empty_at=clock.moment(max(free)) if count > unknown else None,
        unknown=unknown,
    )


class _Holding(NamedTuple):
    """What a run holds of the machine, and from when to when."""

    starts: int
    ends: int
    holds: Held


class _Clock:
    """Moments as microseconds from ``now`` on: a hundred thousand of them are added up."""

    def __init__(self, now: datetime):
        self._now = now
        self._last = self.at(datetime.max.replace(tzinfo=now.tzinfo))
        self._lengths: dict[float, int] = {}

    def at(self, moment: datetime) -> int:
        return (moment - self._now) // MICROSECOND

    def moment(self, at: int) -> datetime:
        return self._now + timedelta(microseconds=at)

    def later(self, at: int, seconds: float | None) -> int:
        """So many ``seconds`` later; a queue of centuries ends with the calendar."""
        if not seconds:
            return at
        length = self._lengths.get(seconds)
        if length is None:
            length = self._lengths[seconds] = timedelta(seconds=seconds) // MICROSECOND
        return min(at + length, self._last)


def _fitting(
    machine: Host, held: Sequence[_Holding], asks: Asks, starts: int
) -> tuple[int, Held | None]:
    """When, from ``starts`` on, there is room for what ``asks`` so, and what it holds then."""
    for moment in (starts, *sorted({each.ends for each in held if each.ends > starts})):
        there = [each.holds for each in held if each.starts <= moment < each.ends]
        if holds := Room.of(machine, there).place(asks):
            return moment, holds
    return starts, None  # others use it, and do not say for how long


def _known(seconds: float | None) -> float | None:
    """``seconds``, unless nobody will live to see their end."""
    return seconds if seconds is not None and seconds <= LONGEST else None


def _groups(model: str, version: str, script: str) -> Iterator[tuple[str, ...]]:
    """The runs that a run is like, the most like ones first."""
    yield from ((model, version, script), (model, "", script), (model, version), (model,))
