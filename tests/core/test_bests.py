"""Which run is a new best of its model."""

import pytest
from core.events import finished, starting

from mlpipeline.core.bests import new_best
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.runs import Outcome, RunId


def ledger_of(*results, model="m", outcome=Outcome.SUCCEEDED):
    """A ledger of one run after the other: v0, v1 …, with these results."""
    ledger = Ledger()
    add(ledger, *results, model=model, outcome=outcome)
    return ledger


def add(ledger, *results, model="m", outcome=Outcome.SUCCEEDED):
    for result in results:
        number = sum(1 for _ in ledger)
        name = f"v{number}"
        ledger.apply(starting(name, model=model, seconds=10 * number), "here")
        event = finished(
            name, model=model, seconds=10 * number + 5, outcome=outcome, results=result
        )
        ledger.apply(event, "here")


def accuracy(value):
    return {"train": {"accuracy": 0.99}, "test": {"accuracy": value}}


def last(ledger):
    return list(ledger)[-1]


def test_what_is_better_than_all_before_is_a_new_best():
    ledger = ledger_of(accuracy(0.5), accuracy(0.7), accuracy(0.8))

    best = new_best(last(ledger), ledger)

    assert best.run.id == RunId("m", "v2", 1)
    assert (best.metric, best.value) == ("test.accuracy", 0.8)
    assert (best.previous.id.version, best.previous_value) == ("v1", 0.7)


@pytest.mark.parametrize("value", [0.7, 0.6])
def test_what_is_as_good_or_worse_is_none(value):
    ledger = ledger_of(accuracy(0.5), accuracy(0.7), accuracy(value))

    assert new_best(last(ledger), ledger) is None


def test_of_a_loss_less_is_better():
    ledger = ledger_of({"test": {"loss": 0.5}}, {"test": {"loss": 0.4}})

    assert new_best(last(ledger), ledger).value == 0.4


def test_the_first_success_is_no_news():
    ledger = ledger_of(accuracy(0.9), outcome=Outcome.FAILED)
    add(ledger, accuracy(0.5))

    assert new_best(last(ledger), ledger) is None


def test_other_models_do_not_count():
    ledger = ledger_of(accuracy(0.5), model="other")
    add(ledger, accuracy(0.9))

    assert new_best(last(ledger), ledger) is None


def test_what_ended_later_does_not_count():
    ledger = ledger_of(accuracy(0.5), accuracy(0.7), accuracy(0.9))

    assert new_best(list(ledger)[1], ledger).previous_value == 0.5


def test_the_metric_can_be_named():
    ledger = ledger_of(
        {"test": {"accuracy": 0.9, "loss": 0.5}},
        {"test": {"accuracy": 0.8, "loss": 0.4}},
    )

    assert new_best(last(ledger), ledger) is None
    assert new_best(last(ledger), ledger, "test.loss").value == 0.4


@pytest.mark.parametrize("results", [{}, {"train": {"accuracy": 1.0}}, {"test": {"a": "x"}}])
def test_a_run_without_a_test_result_is_none(results):
    ledger = ledger_of(accuracy(0.5), results)

    assert new_best(last(ledger), ledger) is None


def test_runs_that_lack_the_metric_are_passed_over():
    ledger = ledger_of({"test": {"f1": 1}}, accuracy(0.5), {}, accuracy(0.6))

    assert new_best(last(ledger), ledger).previous_value == 0.5


def test_a_failed_run_is_no_best_whatever_it_says():
    ledger = ledger_of(accuracy(0.5))
    add(ledger, accuracy(0.9), outcome=Outcome.FAILED)

    assert new_best(last(ledger), ledger) is None
