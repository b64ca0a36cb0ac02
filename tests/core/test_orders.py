"""What a person orders, and what a rehearsal finds, changes what starts."""

import msgspec
import pytest
from core.events import clock, finished, ordered, rehearsed, starting

from mlpipeline.core import planning
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.orders import Order
from mlpipeline.core.planning import Policy, Situation
from mlpipeline.core.runs import Outcome
from mlpipeline.core.slots import Held
from mlpipeline.core.standings import State

MODEL = ListedModel(
    name="m",
    path="m.py",
    sources={"m.py": "d1"},
    versions=(ListedVersion(name="v", signature="s1", model_dir="m-v"),),
)
SCRIPT = MODEL.digest
POLICY = Policy(session="today", host="here", unattended=True)
REHEARSING = msgspec.structs.replace(POLICY, rehearse=True)


def at(model, ledger, policy, **more):
    return Situation(listed=[model], ledger=ledger, policy=policy, now=clock(100), **more)


def standing(*events, notes=(), policy=POLICY, model=MODEL):
    ledger = Ledger()
    for event in events:
        ledger.apply(event, "here")
    for note in notes:
        ledger.note(note)
    (found,) = planning.explain(at(model, ledger, policy))
    return found


def run(outcome, attempt=1, **fields):
    return (
        starting("v", attempt, script=SCRIPT, **fields),
        finished("v", attempt, outcome=outcome),
    )


def test_what_is_skipped_does_not_start():
    assert standing(notes=[ordered(Order.SKIP, after=0)]).state is State.SKIPPED


def test_what_was_cancelled_says_so():
    found = standing(*run(Outcome.INTERRUPTED), notes=[ordered(Order.SKIP, why="cancelled")])

    assert (found.state, found.reason) == (State.SKIPPED, "cancelled")


def test_the_order_with_the_highest_number_holds_whatever_the_clocks_say():
    notes = [ordered(Order.RETRY, number=2, after=0, seconds=1), ordered(Order.SKIP, seconds=50)]

    assert standing(notes=notes).state is State.QUEUED


@pytest.mark.parametrize("unattended", [True, False])
@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.FAILED])
def test_what_is_to_be_retried_starts_whatever_became_of_it(outcome, unattended):
    policy = msgspec.structs.replace(POLICY, unattended=unattended)

    found = standing(*run(outcome), notes=[ordered(Order.RETRY)], policy=policy)

    assert (found.state, found.resumes) == (State.QUEUED, False)
    assert found.reason == f"is retried: was {outcome.value}"


def test_attempts_after_the_order_count_again():
    events = [*run(Outcome.FAILED), *run(Outcome.SUCCEEDED, attempt=2)]

    assert standing(*events, notes=[ordered(Order.RETRY)]).state is State.DONE


def test_what_was_cancelled_and_is_retried_resumes():
    notes = [
        ordered(Order.SKIP, why="cancelled"),
        ordered(Order.RETRY, number=2),
    ]

    assert standing(*run(Outcome.INTERRUPTED), notes=notes).resumes


def test_a_run_that_goes_on_is_running_whatever_is_ordered():
    found = standing(starting("v"), notes=[ordered(Order.SKIP)])

    assert found.state is State.RUNNING


def test_a_new_version_is_rehearsed_before_it_runs():
    found = standing(policy=REHEARSING)

    assert (found.state, found.rehearses) == (State.QUEUED, True)


def test_what_was_rehearsed_well_starts():
    found = standing(notes=[rehearsed(script=SCRIPT)], policy=REHEARSING)

    assert (found.state, found.rehearses) == (State.QUEUED, False)


def test_what_has_run_already_needs_no_rehearsal():
    policy = msgspec.structs.replace(REHEARSING, session="tomorrow")

    found = standing(*run(Outcome.FAILED), policy=policy)

    assert (found.state, found.rehearses) == (State.QUEUED, False)


@pytest.mark.parametrize("policy", [POLICY, REHEARSING])
def test_what_failed_to_rehearse_is_held(policy):
    found = standing(notes=[rehearsed(script=SCRIPT, problem="failed: no")], policy=policy)

    assert (found.state, found.reason) == (State.HELD, "its rehearsal failed: no")


@pytest.mark.parametrize("changed", ["script", "signature"])
def test_an_edit_lets_go_of_what_was_held(changed):
    note = rehearsed(**{"script": SCRIPT, changed: "other"}, problem="failed: no")

    assert standing(notes=[note], policy=REHEARSING).rehearses


def test_a_persons_retry_lets_go_of_what_was_held():
    held = rehearsed(script=SCRIPT, problem="failed: no")

    found = standing(notes=[held, ordered(Order.RETRY, after=0)], policy=REHEARSING)

    assert (found.state, found.rehearses) == (State.QUEUED, True)


def test_a_rehearsal_after_the_order_holds_again():
    notes = [
        ordered(Order.RETRY, after=0),
        rehearsed(script=SCRIPT, orders=1, seconds=9, problem="failed: no"),
    ]

    assert standing(notes=notes).state is State.HELD


def test_a_host_whose_clock_is_ahead_does_not_have_others_rehearse_for_ever():
    ahead = rehearsed(script="old", seconds=9000, problem="failed: no")
    notes = [ahead, rehearsed(script=SCRIPT, seconds=1)]

    assert not standing(notes=notes, policy=REHEARSING).rehearses


def test_what_is_done_stays_done_whatever_is_skipped():
    found = standing(*run(Outcome.SUCCEEDED), notes=[ordered(Order.SKIP, why="cancelled")])

    assert found.state is State.DONE


def test_a_retry_that_is_cancelled_leaves_the_success_before_it():
    events = [*run(Outcome.SUCCEEDED), *run(Outcome.INTERRUPTED, attempt=2)]
    notes = [ordered(Order.RETRY), ordered(Order.SKIP, number=2, after=2)]

    found = standing(*events, notes=notes)

    assert (found.state, found.success.id.attempt) == (State.DONE, 1)


def test_a_rehearsal_takes_a_slot_but_no_model_dir():
    ledger = Ledger()
    policy = msgspec.structs.replace(REHEARSING, slots=2)
    versions = tuple(
        ListedVersion(name=name, signature="s1", model_dir="shared") for name in ("a", "b", "c")
    )
    model = msgspec.structs.replace(MODEL, versions=versions)

    starts = planning.plan(at(model, ledger, policy))
    rest = planning.plan(at(model, ledger, policy, rehearsing={("m", "a"): Held()}))

    assert [(start.version.name, start.rehearsal) for start in starts] == [("a", True), ("b", True)]
    assert [start.version.name for start in rest] == ["b"]


def test_rehearsals_keep_their_place_in_the_queue():
    again = ordered(Order.RETRY, after=0)

    assert standing(notes=[again]).state is State.QUEUED
