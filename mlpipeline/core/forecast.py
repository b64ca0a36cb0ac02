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
from mlpipeline.core.turns import Turns

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
            return self._expected(model, version, epochs)
        key = model.name, model.digest_of(version), epochs
        known = self._of_new.get(key, -1.0)
        if known == -1.0:
            known = self._of_new[key] = self._expected(model, version, epochs)
        return known

    def _expected(
        self, model: ListedModel, version: ListedVersion, epochs: float | None
    ) -> float | None:
        groups = list(_groups(model.name, version.name, model.digest_of(version)))
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
    filled = _Slots(durations, now, machine, wanted)
    for standing in standings:
        if standing.state is State.RUNNING:
            filled.go_on(standing, left, host)
    return filled.fill(standings, slots)


class _Slots:
    """The slots of a host and of the others, as they become free; moments are microseconds from
    now on, since a hundred thousand of them are added up.
    """

    def __init__(
        self,
        durations: Durations,
        now: datetime,
        machine: Host,
        wanted: Container[tuple[str, str]] | None,
    ):
        self._durations = durations
        self._now = now
        self._last = self._at(datetime.max.replace(tzinfo=now.tzinfo))
        self._machine = machine
        self._wanted = wanted
        self._held: list[_Holding] = []  # of the machine
        self._free: list[int] = []  # when a slot of this host becomes free, a heap
        self._model_dirs: dict[str, int] = {}  # when one becomes free
        self._going: list[tuple[Standing, int | None]] = []  # what runs, and until when
        self._expected: list[Slot] = []
        self._count = self._unknown = 0

    def go_on(self, standing: Standing, left: Mapping[RunId, float], host: str) -> None:
        """Take in one that runs."""
        version, run = standing.version, standing.last
        if version is None or run is None:
            return
        seconds = _known(left.get(run.id))
        spent = (self._now - run.started_at).total_seconds()
        if seconds is not None:
            self._durations.learn(run, spent + seconds)
        else:
            whole = self._durations.expected(standing.model, version)
            seconds = None if whole is None else max(0.0, whole - spent)
        self._count, self._unknown = self._count + 1, self._unknown + (seconds is None)
        ends = min(_microseconds(seconds), self._last)
        self._model_dirs[version.model_dir] = ends
        self._going.append((standing, None if seconds is None else ends))
        if run.host == host:
            heapq.heappush(self._free, ends)
            self._held.append(_Holding(self._at(run.started_at), ends, run.holds))
        if self._wanted is None or (standing.model.name, version.name) in self._wanted:
            ends_at = None if seconds is None else self._moment(ends)
            self._expected.append(Slot(standing=standing, starts=run.started_at, ends=ends_at))

    def fill(self, standings: Sequence[Standing], slots: int) -> Forecast:
        """Have those start that are queued, in so many ``slots``."""
        free, model_dirs, wanted = self._free, self._model_dirs, self._wanted
        while len(free) < slots:
            heapq.heappush(free, 0)
        while len(free) > slots:
            heapq.heappop(free)
        count, unknown = self._count, self._unknown
        is_certain = not unknown  # a start after something of unknown length is unknown, too
        is_counted = self._machine != UNCOUNTED
        lengths: dict[float | None, int] = {}
        turns = Turns(standings, self._going)
        for standing, since in turns.taken(free):
            version = standing.version
            assert version is not None
            starts = max(free[0], since, model_dirs.get(version.model_dir, 0))
            if standing.not_before:
                starts = max(starts, self._at(standing.not_before))
            holds = None
            if is_counted and version.asks != NOTHING:
                self._held = [each for each in self._held if each.ends > free[0]]
                starts, holds = _fitting(self._machine, self._held, version.asks, starts)
            seconds = self._durations.left(standing)
            length = lengths.get(seconds)
            if length is None:
                length = lengths[seconds] = _microseconds(seconds)
            if turns.staged:  # what comes after another comes later, however long that takes
                length = max(length, 1)
            ends = min(starts + length, self._last)
            if holds:
                self._held.append(_Holding(starts, ends, holds))
            if wanted is None or (standing.model.name, version.name) in wanted:
                starts_at = self._moment(starts) if is_certain else None
                ends_at = self._moment(ends) if is_certain and seconds is not None else None
                self._expected.append(Slot(standing=standing, starts=starts_at, ends=ends_at))
            count += 1
            if seconds is None:
                unknown, is_certain = unknown + 1, False
            model_dirs[version.model_dir] = ends
            heapq.heapreplace(free, ends)
            if turns.staged:
                turns.ends(standing, ends)
        return Forecast(
            slots=tuple(self._expected),
            empty_at=self._moment(max(free)) if count > unknown else None,
            unknown=unknown,
        )

    def _at(self, moment: datetime) -> int:
        return (moment - self._now) // MICROSECOND

    def _moment(self, at: int) -> datetime:
        return self._now + timedelta(microseconds=at)


class _Holding(NamedTuple):
    """What a run holds of the machine, and from when to when."""

    starts: int
    ends: int
    holds: Held


def _microseconds(seconds: float | None) -> int:
    return timedelta(seconds=seconds or 0) // MICROSECOND


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
