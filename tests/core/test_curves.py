"""Curves of runs that were resumed, and of very many points."""

from __future__ import annotations

import math
from datetime import datetime

import pytest

from mlpipeline.core.curves import added, continued, continues, joined, summarised, thinned
from mlpipeline.core.runs import Run, RunId

NOW = datetime(2026, 1, 1).astimezone()


def run(attempt, *, resume=False):
    return Run(
        id=RunId("m", "v", attempt),
        host="h",
        signature="",
        script="",
        model_dir="",
        resume=resume,
        sessions=(),
        started_at=NOW,
    )


def curve(*steps):
    return [(step, step / 10) for step in steps]


def test_a_run_goes_on_from_the_last_fresh_start():
    attempts = [run(1), run(2, resume=True), run(3), run(4, resume=True), run(5, resume=True)]

    def chain(which):
        return [each.id.attempt for each in continued(which, attempts)]

    assert [chain(each) for each in attempts] == [[1], [1, 2], [3], [3, 4], [3, 4, 5]]


def test_what_was_done_again_is_dropped():
    whole = joined([{"loss": curve(1, 2, 3, 4, 5)}, {"loss": curve(4, 5, 6)}])

    assert whole == {"loss": curve(1, 2, 3, 4, 5, 6)}


def test_metrics_that_count_in_other_units_are_cut_each_at_its_own_step():
    first = {"loss": curve(100, 200, 300, 400), "val": curve(1, 2), "once": curve(4)}

    whole = joined([first, {"val": curve(2, 3), "loss": curve(300, 400, 500)}])

    assert whole == {
        "loss": curve(100, 200, 300, 400, 500),
        "val": curve(1, 2, 3),
        "once": curve(4),
    }


def test_summaries_of_metrics_that_count_in_other_units_add_up():
    attempts = [
        {"loss": curve(100, 200), "val": curve(1, 2)},
        {"val": curve(3), "loss": curve(300, 400)},
    ]

    told = [{name: summarised(points) for name, points in each.items()} for each in attempts]

    assert continues(told)
    assert added(told) == {name: summarised(points) for name, points in joined(attempts).items()}


def test_an_attempt_without_metrics_changes_nothing():
    assert joined([{"loss": curve(1, 2)}, {}, {"loss": curve(3)}]) == {"loss": curve(1, 2, 3)}


@pytest.mark.parametrize("again", [False, True])
def test_summaries_add_up_where_nothing_was_done_again(again):
    attempts = [{"loss": [(1, 5.0), (2, 1.0)]}, {"loss": [(2 if again else 3, 4.0), (4, 2.0)]}]

    told = [{name: summarised(points) for name, points in each.items()} for each in attempts]

    assert continues(told) is not again
    if not again:
        assert added(told) == {"loss": summarised(joined(attempts)["loss"])}


def test_a_summary_of_nothing_finite_has_no_extremes():
    summary = summarised([(1, math.nan), (2, math.inf)])

    assert (summary.last, summary.min, summary.max_step) == ("inf", None, None)
    assert summary.best(lower=True) is None


def test_the_best_is_the_lowest_or_the_highest_with_its_step():
    summary = summarised([(1, 3.0), (2, 1.0), (3, 2.0)])

    assert summary.best(lower=True) == (1.0, 2)
    assert summary.best(lower=False) == (3.0, 1)


def test_a_thinned_curve_keeps_its_ends_and_its_peaks():
    points = [(step, 0.0) for step in range(100_000)]
    points[54_321] = (54_321, 9.0)
    points[77_777] = (77_777, -9.0)

    few = thinned(points, 200)

    assert len(few) <= 202
    assert few[0] == points[0]
    assert few[-1] == points[-1]
    assert {points[54_321], points[77_777]} <= {*few}
    assert few == sorted(few)


def test_a_short_curve_stays_as_it_is():
    assert thinned(curve(1, 2, 3), 3) == curve(1, 2, 3)
