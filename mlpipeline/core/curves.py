"""Metrics over steps: what is kept of each in few words, and how attempts make one curve."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from mlpipeline.core.runs import Run

Point = tuple[int, float]  # step and value
Curves = dict[str, list[Point]]  # by metric, as logged
NOT_FINITE = ("nan", "inf", "-inf")  # as plain data


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one metric of a run; NaN and infinite values are never its extremes."""

    count: int = 0  # values
    first_step: int = 0
    last: float | str = 0.0  # "nan", "inf" and "-inf" by their names
    last_step: int = 0
    min: float | None = None  # None where no value is finite
    min_step: int | None = None
    max: float | None = None
    max_step: int | None = None

    def best(self, *, lower: bool) -> tuple[float, int] | None:
        """The best value and its step, the lowest where ``lower`` is better, if there is any."""
        value, step = (self.min, self.min_step) if lower else (self.max, self.max_step)
        return None if value is None or step is None else (value, step)


def summarised(points: Sequence[Point]) -> Summary:
    """The summary of a curve of at least one point."""
    finite = [(value, step) for step, value in points if math.isfinite(value)]
    low = min(finite, key=lambda each: each[0], default=(None, None))
    high = max(finite, key=lambda each: each[0], default=(None, None))
    last_step, last = points[-1]
    return Summary(
        count=len(points),
        first_step=points[0][0],
        last=last if math.isfinite(last) else str(last),
        last_step=last_step,
        min=low[0],
        min_step=low[1],
        max=high[0],
        max_step=high[1],
    )


def continued(run: Run, attempts: Sequence[Run]) -> list[Run]:
    """``run`` and, before it, those of its version's ``attempts`` (oldest first) whose work it
    goes on with: back to the last fresh start.
    """
    chain: list[Run] = []
    for each in attempts:
        if not each.resume:
            chain.clear()
        chain.append(each)
        if (each.id, each.host) == (run.id, run.host):
            return chain
    return [run]


def joined(attempts: Sequence[Curves]) -> Curves:
    """The curves of a run that was resumed, from those of its attempts, oldest first.

    What an attempt did at steps that a later one begins at, or before, was done again: it is
    dropped.
    """
    whole: Curves = {}
    for curves in attempts:
        first = min((points[0][0] for points in curves.values() if points), default=None)
        for name, points in whole.items():
            if first is not None:
                whole[name] = [point for point in points if point[0] < first]
        for name, points in curves.items():
            whole[name] = whole.get(name, []) + points
    return {name: points for name, points in whole.items() if points}


def continues(attempts: Sequence[dict[str, Summary]]) -> bool:
    """Whether each attempt begins after the last step of those before, so that :func:`added` is
    all there is to do.
    """
    told = [each for each in attempts if each]
    return all(
        max(each.last_step for each in earlier.values())
        < min(each.first_step for each in later.values())
        for earlier, later in pairwise(told)
    )


def added(attempts: Iterable[dict[str, Summary]]) -> dict[str, Summary]:
    """The summaries of a run that was resumed, from those of its attempts, oldest first."""
    whole: dict[str, Summary] = {}
    for attempt in attempts:
        for name, later in attempt.items():
            earlier = whole.get(name)
            whole[name] = later if earlier is None else _sum(earlier, later)
    return whole


def _sum(earlier: Summary, later: Summary) -> Summary:
    low = _chosen(earlier.best(lower=True), later.best(lower=True), lower=True)
    high = _chosen(earlier.best(lower=False), later.best(lower=False), lower=False)
    return msgspec.structs.replace(
        later,
        count=earlier.count + later.count,
        first_step=earlier.first_step,
        min=low[0] if low else None,
        min_step=low[1] if low else None,
        max=high[0] if high else None,
        max_step=high[1] if high else None,
    )


def _chosen(
    earlier: tuple[float, int] | None, later: tuple[float, int] | None, *, lower: bool
) -> tuple[float, int] | None:
    if earlier is None or later is None:
        return earlier or later
    return later if (later[0] < earlier[0] if lower else later[0] > earlier[0]) else earlier


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most about ``most`` points that look the same when drawn: of each stretch of the curve its
    lowest and its highest, and the two ends.
    """
    if len(points) <= most:
        return list(points)
    stretches = max(1, (most - 2) // 2)
    kept = [points[0]]
    for number in range(stretches):
        begin = number * len(points) // stretches
        stretch = points[begin : (number + 1) * len(points) // stretches]
        finite = [point for point in stretch if math.isfinite(point[1])] or stretch[:1]
        extremes = {min(finite, key=_value), max(finite, key=_value)}
        kept += [point for point in finite if point in extremes][:2]
    return [*kept, points[-1]]


def _value(point: Point) -> float:
    return point[1]
