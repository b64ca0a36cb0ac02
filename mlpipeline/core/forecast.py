"""When the queue will be empty: from how long runs of the same models took, scaled by epochs."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple

import msgspec

from mlpipeline.core.planning import ListedVersion, Standing, State
from mlpipeline.core.runs import Run, RunId

RECENT = 10  # runs of a version or model that count
LONGEST = 100 * 365 * 86400.0  # seconds; what seems to take longer is unknown


class _Took(NamedTuple):
    seconds: float
    epochs: float | None


class Durations:
    """How long runs take, by what past ones took."""

    def __init__(self, runs: Iterable[Run]):
        self._versions: defaultdict[tuple[str, str], list[Run]] = defaultdict(list)
        self._models: defaultdict[str, list[Run]] = defaultdict(list)
        for run in runs:
            if run.succeeded and not run.resume:  # a resumed one did only the rest
                self._versions[run.id.model, run.id.version].append(run)
                self._models[run.id.model].append(run)

        self._going: dict[str, _Took] = {}  # by model

    def learn(self, run: Run, seconds: float) -> None:
        """``run`` goes on, and says that it will have taken so many ``seconds``."""
        if not run.resume:
            self._going[run.id.model] = _Took(seconds, run.epochs)

    def expected(self, model: str, version: ListedVersion) -> float | None:
        """Seconds that a run of ``version`` takes from its start; None where nothing tells.

        The median over the newest runs of the same version, or else of the same model, or else what
        one of the model says that goes on; per epoch where the epochs are known.
        """
        ended = (self._versions[model, version.name], self._models[model])
        took = [[_Took(run.seconds or 0.0, run.epochs) for run in runs[-RECENT:]] for runs in ended]
        going = self._going.get(model)
        known = next(filter(None, (*took, [going] if going else [])), None)
        if known is None:
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
) -> Forecast:
    """Fill ``slots`` in the order of ``standings``; ``left`` are seconds that running runs say."""
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
            whole = durations.expected(standing.model.name, version)
            seconds = None if whole is None else max(0.0, whole - spent)
        unknown += seconds is None
        ends = _later(now, seconds)
        model_dirs[version.model_dir] = ends
        if run.host == host:
            heapq.heappush(free, ends)
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
    for standing in standings:
        version = standing.version
        if standing.state is not State.QUEUED or version is None:
            continue
        starts = max(
            heapq.heappop(free),
            standing.not_before or now,
            model_dirs.get(version.model_dir, now),
        )
        seconds = durations.expected(standing.model.name, version)
        ends = _later(starts, seconds)
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


def _known(seconds: float | None) -> float | None:
    """``seconds``, unless nobody will live to see their end."""
    return seconds if seconds is not None and seconds <= LONGEST else None


def _later(moment: datetime, seconds: float | None) -> datetime:
    try:
        return moment + timedelta(seconds=seconds or 0)
    except OverflowError:  # a queue of centuries
        return datetime.max.replace(tzinfo=moment.tzinfo)
