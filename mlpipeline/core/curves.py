"""Metrics over steps: what is kept of each in few words, and how attempts make one curve."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from mlpipeline.core.runs import Run

Point = tuple[int, float]  # step and value
Curves = dict[str, list[Point]]  # by metric, as logged


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
    last_step, last = points[-1]
    finite = points
    values = [value for _, value in points]
    if not math.isfinite(sum(values)):  # quicker than to look at each
        finite = [point for point in points if math.isfinite(point[1])]
        values = [value for _, value in finite]
    low, high = (min(values), max(values)) if values else (None, None)
    low_step = None if low is None else finite[values.index(low)][0]
    high_step = None if high is None else finite[values.index(high)][0]
    return Summary(
        count=len(points),
        first_step=points[0][0],
        last=last if math.isfinite(last) else str(last),
        last_step=last_step,
        min=low,
        min_step=low_step,
        max=high,
        max_step=high_step,
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

    What an attempt has of a metric from the step on at which a later one begins with it was done
    again: it is dropped. Each metric by itself: one may count batches, another epochs.
    """
    whole: Curves = {}
    for curves in attempts:
        for name, points in curves.items():
            if points:
                first = points[0][0]
                kept = [point for point in whole.get(name, []) if point[0] < first]
                whole[name] = kept + points
    return whole


def continues(attempts: Sequence[dict[str, Summary]]) -> bool:
    """Whether each attempt begins with each metric after the last step that those before have of
    it, so that :func:`added` is all there is to do.
    """
    reached: dict[str, int] = {}
    for attempt in attempts:
        for name, summary in attempt.items():
            if name in reached and summary.first_step <= reached[name]:
                return False
            reached[name] = summary.last_step
    return True


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
