"""Whether a run is the best of its model so far, by one measure of its results."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from mlpipeline.core.measures import flattened, lower_is_better
from mlpipeline.core.runs import Run

MAIN_RESULT = "test"  # the part of the results that counts, where no measure is named


class Best(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is better than all successful runs of its model before it."""

    run: Run
    measure: str  # by its dotted path in the results: test.accuracy
    value: float
    previous: Run  # the best until then
    previous_value: float


def new_best(run: Run, earlier: Iterable[Run], measure: str | None = None) -> Best | None:
    """``run`` as the new best of its model; None when it is not, or there is nothing to compare.

    ``earlier`` may be all runs there are (a Ledger): other models', failed and later ones, and
    ``run`` itself, do not count. Without ``measure``, the first number in its test results is
    compared. As good as the best is not better.
    """
    measure = measure or default_measure(run)
    value = measured(run, measure)
    if value is None or not run.succeeded:
        return None
    compared = [
        (number, each)
        for each in earlier
        if _counts(each, run) and (number := measured(each, measure)) is not None
    ]
    if not compared:
        return None
    sign = -1 if lower_is_better(measure) else 1
    previous_value, previous = max(compared, key=lambda pair: sign * pair[0])
    if sign * value <= sign * previous_value:
        return None
    return Best(
        run=run,
        measure=measure,
        value=value,
        previous=previous,
        previous_value=previous_value,
    )


def default_measure(run: Run) -> str:
    """The first number in the test results; empty when they have none."""
    tests = {MAIN_RESULT: run.results[MAIN_RESULT]} if MAIN_RESULT in run.results else {}
    return next(iter(flattened(tests)), "")


def measured(run: Run, measure: str) -> float | None:
    """What ``run`` has for ``measure``."""
    return flattened(run.results).get(measure)


def _counts(each: Run, run: Run) -> bool:
    """Whether ``each`` is a successful run of the same model that ended before ``run``."""
    return (
        each.id.model == run.id.model
        and each.succeeded
        and (each.id, each.host) != (run.id, run.host)
        and each.ended_at is not None
        and (run.ended_at is None or each.ended_at <= run.ended_at)
    )
