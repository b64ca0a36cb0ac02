"""The ledger: runs folded from the events of all histories."""

import pytest
from core.events import adopted, clock, finished, starting, stopping

from mlpipeline.core.ledger import Ledger
from mlpipeline.core.runs import IllegalTransition, Outcome, RunId


def ledger_of(*events, host="here"):
    ledger = Ledger()
    for event in events:
        ledger.apply(event, host)
    return ledger


def ids(runs):
    return [str(run.id) for run in runs]


def test_a_new_ledger_has_no_runs():
    ledger = Ledger()

    assert list(ledger) == ledger.attempts("m", "v") == ledger.active("here") == []


def test_apply_returns_the_run_as_it_is_now():
    ledger = Ledger()

    first = ledger.apply(starting(), "here")
    second = ledger.apply(stopping(), "here")

    assert (first.stopping_at, second.stopping_at) == (None, clock(2))
    assert list(ledger) == [second]


def test_preview_returns_the_run_as_it_would_be_and_changes_nothing():
    ledger = ledger_of(starting())

    run = ledger.preview(finished(), "here")

    assert not run.active
    assert [run.active for run in ledger] == [True]


@pytest.mark.parametrize("method", ["apply", "preview"])
@pytest.mark.parametrize("event", [starting(), finished(attempt=2)])
def test_an_event_that_can_not_follow_is_refused_and_changes_nothing(method, event):
    ledger = ledger_of(starting())
    before = list(ledger)

    with pytest.raises(IllegalTransition):
        getattr(ledger, method)(event, "here")

    assert list(ledger) == before
    assert (ids(ledger.active("here")), ledger.next_attempt("m", "v")) == (["m/v#1"], 2)


def test_runs_are_in_the_order_they_started():
    ledger = ledger_of(
        starting("b"), starting("a"), finished("b"), starting("b", 2), adopted("a"), finished("a")
    )

    assert ids(ledger) == ["m/b#1", "m/a#1", "m/b#2"]


def test_the_attempts_at_a_version_are_its_own_oldest_first():
    ledger = ledger_of(
        starting("v", 1, seconds=0),
        finished("v", 1, seconds=1, outcome=Outcome.FAILED),
        starting("w", 1, seconds=2),
        starting("v", 1, model="n", seconds=3),
        starting("v", 2, seconds=4),
    )

    assert ids(ledger.attempts("m", "v")) == ["m/v#1", "m/v#2"]


def test_the_attempts_of_all_hosts_are_told_together():
    ledger = ledger_of(starting("v", 1, seconds=0), starting("v", 3, seconds=2))

    ledger.apply(starting("v", 2, seconds=1), "there")

    assert ids(ledger.attempts("m", "v")) == ["m/v#1", "m/v#2", "m/v#3"]


def test_a_host_whose_clock_is_behind_does_not_upset_the_order_of_attempts():
    ledger = ledger_of(starting("v", 1, seconds=600), finished("v", 1, seconds=660))

    ledger.apply(starting("v", 2, seconds=400), "there")

    assert ids(ledger.attempts("m", "v")) == ["m/v#1", "m/v#2"]


def test_two_hosts_can_have_an_attempt_of_one_number():
    ledger = ledger_of(starting("v", 1, seconds=0))

    ledger.apply(starting("v", 1, seconds=1), "there")
    ledger.apply(finished("v", 1), "there")

    assert [(run.host, run.active) for run in ledger.attempts("m", "v")] == [
        ("here", True),
        ("there", False),
    ]


def test_active_runs_are_those_of_the_host_that_have_not_ended():
    ledger = ledger_of(starting("a"), starting("b"), starting("c"), stopping("c"), finished("a"))
    ledger.apply(starting("d"), "there")

    assert sorted(ids(ledger.active("here"))) == ["m/b#1", "m/c#1"]
    assert ids(ledger.active("there")) == ["m/d#1"]


def test_active_runs_are_in_the_order_of_their_start():
    ledger = ledger_of(starting("b", seconds=1), starting("c", seconds=2), starting("a", seconds=3))

    assert ids(ledger.active("here")) == ["m/b#1", "m/c#1", "m/a#1"]


def test_active_runs_of_one_moment_are_in_the_order_of_their_record():
    versions = [f"v{number}" for number in range(9)]
    ledger = ledger_of(*(starting(version) for version in versions))

    assert [run.id.version for run in ledger.active("here")] == versions


def test_the_next_attempt_at_a_version_that_never_ran_is_1():
    ledger = ledger_of(starting("v"))

    assert ledger.next_attempt("m", "w") == ledger.next_attempt("n", "v") == 1


def test_the_next_attempt_is_one_more_than_the_highest_of_any_host():
    ledger = ledger_of(starting("v", 1), finished("v", 1), starting("v", 2))

    ledger.apply(starting("v", 7), "there")

    assert ledger.next_attempt("m", "v") == 8


def test_versions_are_named_in_the_order_of_their_first_start_whatever_their_model():
    ledger = ledger_of(
        starting("b", model="n"), starting("a"), finished("b", model="n"), starting("c", model="n")
    )

    assert ledger.names() == [("n", "b"), ("m", "a"), ("n", "c")]


def test_the_newest_runs_of_a_model_come_first():
    ledger = ledger_of(
        starting("b"), starting("a", model="n"), starting("a"), finished("b"), starting("b", 2)
    )

    assert ids(ledger.newest("m")) == ["m/b#2", "m/a#1", "m/b#1"]
    assert ids(ledger.newest("unknown")) == []


def test_a_ledger_that_is_made_of_a_dump_goes_on_like_the_first():
    first, second = ledger_of(starting("a"), finished("a"), starting("b")), Ledger()
    second.load(list(first.dump()))

    for ledger in (first, second):
        ledger.apply(finished("b", seconds=9), "here")
        ledger.apply(starting("a", 2, seconds=10, model_dir="m-b"), "here")
        ledger.apply(finished("a", 2, seconds=11), "here")

    assert list(second) == list(first)
    assert second.active() == []
    assert ids([second.last_in("m-a"), second.last_in("m-b")]) == ["m/a#1", "m/a#2"]
    assert list(second.dump()) == list(first.dump())
    with pytest.raises(IllegalTransition):
        second.apply(finished("a"), "here")


def test_a_version_with_many_attempts_of_two_hosts_finds_each():
    ledger = Ledger()
    for host, first in (("here", 1), ("there", 2)):
        for attempt in range(first, 40, 2):
            ledger.apply(starting("v", attempt, seconds=attempt), host)

    assert [run.id.attempt for run in ledger.attempts("m", "v")] == list(range(1, 40))
    assert ledger.find("here", RunId("m", "v", 21)).host == "here"
    assert ledger.find("there", RunId("m", "v", 21)) is None
    assert ledger.next_attempt("m", "v") == 40
