"""Whether a run is the best of its model so far, by one metric of its results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from mlpipeline.core.measures import flattened, lower_is_better
from mlpipeline.core.runs import Run

MAIN_RESULT = "test"  # the part of the results that counts, where no metric is named


class Best(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is better than all successful runs of its model before it."""

    run: Run
    metric: str  # by its dotted path in the results: test.accuracy
    value: float
    previous: Run  # the best until then
    previous_value: float


def new_best(run: Run, earlier: Iterable[Run], metric: str | None = None) -> Best | None:
    """``run`` as the new best of its model; None when it is not, or there is nothing to compare.

    ``earlier`` may be all runs there are (a Ledger): other models', failed and later ones, and
    ``run`` itself, do not count.
    """
    before = [each for each in earlier if _is_before(each, run)]
    return next((best for best in new_bests([*before, run], metric) if best.run is run), None)


def new_bests(runs: Iterable[Run], metric: str | None = None) -> Iterator[Best]:
    """Each of ``runs`` that was a new best of its model when it ended, in the order of their ends.

    Without ``metric``, the first number in a run's test results is compared. As good as the best
    is not better, and the first success of a model is no news.
    """
    ended = [run for run in runs if run.results and run.succeeded and run.ended_at is not None]
    bests: dict[tuple[str, str], tuple[float, Run]] = {}  # by model and metric
    for run in sorted(ended, key=lambda each: each.ended_at or each.started_at):
        numbers = flattened(run.results)
        compared = metric or default_metric(run)
        best = bests.get((run.id.model, compared))
        if best and compared in numbers and is_better(numbers[compared], best[0], compared):
            yield Best(
                run=run,
                metric=compared,
                value=numbers[compared],
                previous=best[1],
                previous_value=best[0],
            )
        for name, value in numbers.items():
            known = bests.get((run.id.model, name))
            if known is None or is_better(value, known[0], name):
                bests[run.id.model, name] = value, run


def is_better(value: float, than: float, metric: str) -> bool:
    """Whether ``value`` of a metric beats another one."""
    return value < than if lower_is_better(metric) else value > than


def default_metric(run: Run) -> str:
    """The first number in the test results; empty when they have none."""
    tests = {MAIN_RESULT: run.results[MAIN_RESULT]} if MAIN_RESULT in run.results else {}
    return next(iter(flattened(tests)), "")


def measured(run: Run, metric: str) -> float | None:
    """What ``run`` has for ``metric``."""
    return flattened(run.results).get(metric)


def _is_before(each: Run, run: Run) -> bool:
    """Whether ``each`` is another run of the same model, which ended no later than ``run``."""
    return (
        each.id.model == run.id.model
        and (each.id, each.host) != (run.id, run.host)
        and each.ended_at is not None
        and (run.ended_at is None or each.ended_at <= run.ended_at)
    )
