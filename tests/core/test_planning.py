"""Planning: the rules of its docstring one by one, then what holds for every queue."""

from datetime import timedelta

import msgspec
import pytest
from core.events import adopted, clock, finished, starting
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpipeline.core import planning
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.planning import RETRIED, Policy, Situation
from mlpipeline.core.runs import Finished, Outcome, Starting
from mlpipeline.core.standings import State

LATER = clock(1000)
FAILURES = [outcome for outcome in Outcome if outcome.is_failure]
OWN_FAULT = [Outcome.FAILED, Outcome.CRASHED, Outcome.DIVERGED]
CUT_SHORT = [Outcome.INTERRUPTED, *(each for each in FAILURES if each not in OWN_FAULT)]


def model(*versions, name="m", source="d1", problem=""):
    """A model; a version given by its name has a model_dir of its own."""
    versions = tuple(
        ListedVersion(name=each, signature="s1", model_dir=f"{name}-{each}")
        if isinstance(each, str)
        else each
        for each in versions
    )
    path = f"{name}.py"
    return ListedModel(
        name=name, path=path, sources={path: source}, versions=versions, problem=problem
    )


def version(name, model_dir="shared", signature="s1"):
    return ListedVersion(name=name, signature=signature, model_dir=model_dir)


def ledger_of(*events, there=()):
    ledger = Ledger()
    for event in events:
        ledger.apply(event, "here")
    for event in there:
        ledger.apply(event, "there")
    return ledger


def past(name, outcome, attempt=1, *, seconds=0, reason="", **fields):
    """The events of a run that is over."""
    return (
        starting(name, attempt, seconds=seconds, **fields),
        finished(name, attempt, seconds=seconds + 1, outcome=outcome, reason=reason),
    )


def policy(**fields):
    return Policy(**{"session": "today", "host": "here", "unattended": True, **fields})


def at(listed, ledger, policy, now=LATER):
    return Situation(listed=listed, ledger=ledger, policy=policy, now=now)


def explain(listed, ledger, policy, *, now=LATER):
    return planning.explain(at(listed, ledger, policy, now))


def plan(listed, ledger, policy, *, now=LATER):
    return planning.plan(at(listed, ledger, policy, now))


def standing(listed, ledger, policy):
    (only,) = explain(listed, ledger, policy)
    return only


def started(listed, ledger, policy):
    return [start.version.name for start in plan(listed, ledger, policy)]


# --- 1. A version that runs is left alone


@pytest.mark.parametrize("unattended", [False, True])
def test_a_version_that_runs_is_left_alone(unattended):
    ledger = ledger_of(starting("v"))
    now = policy(unattended=unattended, slots=2)

    assert standing([model("v")], ledger, now).state is State.RUNNING
    assert started([model("v")], ledger, now) == []


def test_a_version_that_runs_on_another_host_is_left_alone_and_says_where():
    ledger = ledger_of(there=[starting("v")])

    stands = standing([model("v")], ledger, policy())

    assert (stands.state, stands.reason) == (State.RUNNING, "on there")
    assert plan([model("v")], ledger, policy()) == []


def test_a_version_runs_whatever_became_of_its_parameters():
    ledger = ledger_of(starting("v", signature="old"))

    assert standing([model("v")], ledger, policy()).state is State.RUNNING


def test_a_version_that_succeeded_once_and_runs_again_is_running():
    ledger = ledger_of(*past("v", Outcome.SUCCEEDED), starting("v", 2, seconds=9))

    assert standing([model("v")], ledger, policy()).state is State.RUNNING


# --- 2. When a version is done


def test_unattended_a_success_of_any_session_is_done():
    ledger = ledger_of(*past("v", Outcome.SUCCEEDED, session="yesterday"))

    assert standing([model("v")], ledger, policy()).state is State.DONE
    assert plan([model("v")], ledger, policy()) == []


def test_unattended_a_success_on_any_host_is_done():
    ledger = ledger_of(there=past("v", Outcome.SUCCEEDED, session="yesterday"))

    assert standing([model("v")], ledger, policy()).state is State.DONE


def test_unattended_a_success_stays_one_after_a_later_failure():
    ledger = ledger_of(
        *past("v", Outcome.SUCCEEDED, session="yesterday"),
        *past("v", Outcome.FAILED, 2, seconds=9),
    )

    assert standing([model("v")], ledger, policy()).state is State.DONE


@pytest.mark.parametrize("unattended", [False, True])
def test_a_success_with_other_parameters_does_not_count(unattended):
    ledger = ledger_of(*past("v", Outcome.SUCCEEDED, signature="old"))

    stands = standing([model("v")], ledger, policy(unattended=unattended))

    assert (stands.state, stands.reason) == (State.QUEUED, "has other parameters now")


@pytest.mark.parametrize("unattended", [False, True])
@pytest.mark.parametrize("which", [{"version": "w"}, {"model": "other"}])
def test_a_success_of_another_version_or_model_does_not_count(unattended, which):
    ledger = ledger_of(starting(**which), finished(**which))

    stands = standing([model("v")], ledger, policy(unattended=unattended))

    assert stands.state is State.QUEUED


def test_attended_a_success_of_this_session_is_done():
    ledger = ledger_of(*past("v", Outcome.SUCCEEDED, session="today"))

    assert standing([model("v")], ledger, policy(unattended=False)).state is State.DONE


def test_attended_a_success_of_an_earlier_session_runs_again():
    ledger = ledger_of(*past("v", Outcome.SUCCEEDED, session="yesterday"))

    stands = standing([model("v")], ledger, policy(unattended=False))

    assert (stands.state, stands.reason) == (State.QUEUED, "runs again")


def test_attended_a_success_of_a_run_that_this_session_adopted_is_done():
    ledger = ledger_of(
        starting("v", session="yesterday"), adopted("v", session="today"), finished("v")
    )

    assert standing([model("v")], ledger, policy(unattended=False)).state is State.DONE


def test_a_version_that_is_done_says_when_its_script_changed_since():
    then = model("v", source="d1")
    ledger = ledger_of(*past("v", Outcome.SUCCEEDED, script=then.digest))

    same = standing([model("v", source="d1")], ledger, policy())
    changed = standing([model("v", source="d2")], ledger, policy())

    assert [same.state, changed.state] == [State.DONE, State.DONE]
    assert [same.reason, changed.reason] == ["", "script changed"]


def test_the_newest_success_tells_whether_the_script_changed():
    now = model("v")
    ledger = ledger_of(
        *past("v", Outcome.SUCCEEDED, 1, seconds=0, script="older"),
        *past("v", Outcome.SUCCEEDED, 2, seconds=9, script=now.digest),
    )

    assert standing([now], ledger, policy()).reason == ""


def test_a_models_digest_tells_the_state_of_all_its_sources():
    sources = [{"m.py": "1", "_h.py": "2"}, {"m.py": "1", "_h.py": "3"}, {"m.py": "1"}, {}]

    digests = {ListedModel(name="m", path="m.py", sources=each).digest for each in sources}
    reordered = ListedModel(name="m", path="m.py", sources={"_h.py": "2", "m.py": "1"}).digest

    assert len(digests) == 4
    assert reordered in digests


# --- 3. Failures


@pytest.mark.parametrize("unattended", [False, True])
@pytest.mark.parametrize("outcome", FAILURES)
def test_a_version_that_failed_is_given_up_for_this_session_with_the_reason(unattended, outcome):
    ledger = ledger_of(*past("v", outcome, reason="out of memory"))

    stands = standing([model("v")], ledger, policy(unattended=unattended))

    assert stands.state is State.FAILED
    assert "out of memory" in stands.reason
    assert plan([model("v")], ledger, policy(unattended=unattended)) == []


@pytest.mark.parametrize("unattended", [False, True])
def test_a_version_is_tried_once_more_for_each_of_the_retries(unattended):
    once = past("v", Outcome.LOST, 1)
    twice = (*once, *past("v", Outcome.LOST, 2, seconds=9))
    thrice = (*twice, *past("v", Outcome.LOST, 3, seconds=18))

    states = [
        standing([model("v")], ledger_of(*runs), policy(unattended=unattended, retries=2)).state
        for runs in (once, twice, thrice)
    ]

    assert states == [State.QUEUED, State.QUEUED, State.FAILED]


def test_by_default_nothing_that_the_code_did_is_tried_again():
    assert RETRIED.isdisjoint({Outcome.FAILED, Outcome.DIVERGED, Outcome.TIMEOUT})


@pytest.mark.parametrize("outcome", FAILURES)
def test_only_chosen_outcomes_are_tried_again(outcome):
    ledger = ledger_of(*past("v", outcome))
    chosen = frozenset({Outcome.FAILED, Outcome.STALLED})

    stands = standing([model("v")], ledger, policy(retries=1, retry_on=chosen))

    assert stands.state is (State.QUEUED if outcome in chosen else State.FAILED)


def test_each_further_try_waits_twice_as_long_as_the_one_before():
    once = past("v", Outcome.STALLED, 1, seconds=0)  # ends at 1
    twice = (*once, *past("v", Outcome.STALLED, 2, seconds=20))  # ends at 21
    retrying = policy(retries=9, retry_delay=timedelta(seconds=10))

    def waits(runs, seconds):
        (stands,) = explain([model("v")], ledger_of(*runs), retrying, now=clock(seconds))
        started = plan([model("v")], ledger_of(*runs), retrying, now=clock(seconds))
        assert bool(stands.not_before) is not bool(started)
        return stands.not_before

    assert [waits(once, 10.9), waits(once, 11)] == [clock(11), None]
    assert [waits(twice, 40.9), waits(twice, 41)] == [clock(41), None]


def test_others_run_while_one_waits_to_be_tried_again():
    ledger = ledger_of(*past("a", Outcome.STALLED))
    retrying = policy(retries=1, retry_delay=timedelta(seconds=10))

    starts = plan([model("a", "b")], ledger, retrying, now=clock(2))

    assert [start.version.name for start in starts] == ["b"]


def test_a_version_that_failed_in_an_earlier_session_is_tried_again_and_says_why():
    ledger = ledger_of(*past("v", Outcome.FAILED, session="yesterday", reason="ValueError: no"))

    stands = standing([model("v")], ledger, policy())

    assert stands.state is State.QUEUED
    assert "ValueError: no" in stands.reason


def test_a_version_whose_parameters_changed_after_it_failed_is_tried_again():
    ledger = ledger_of(*past("v", Outcome.FAILED, signature="old"))

    assert started([model("v")], ledger, policy()) == ["v"]


def test_a_run_that_this_session_adopted_counts_as_its_failure():
    ledger = ledger_of(
        starting("v", session="yesterday"),
        adopted("v", session="today"),
        finished("v", outcome=Outcome.FAILED),
    )

    assert standing([model("v")], ledger, policy()).state is State.FAILED


def test_an_interruption_is_no_failure():
    ledger = ledger_of(*past("v", Outcome.INTERRUPTED))

    assert started([model("v")], ledger, policy()) == ["v"]


# --- 4. Resuming


@pytest.mark.parametrize("outcome", CUT_SHORT)
def test_unattended_what_was_cut_short_is_resumed(outcome):
    ledger = ledger_of(*past("v", outcome, session="yesterday"))

    stands = standing([model("v")], ledger, policy())
    (start,) = plan([model("v")], ledger, policy())

    assert (stands.state, stands.resumes, start.resume) == (State.QUEUED, True, True)
    assert outcome.value in stands.reason


@pytest.mark.parametrize("outcome", OWN_FAULT)
def test_what_failed_by_itself_is_started_afresh(outcome):
    ledger = ledger_of(*past("v", outcome, session="yesterday"))

    (start,) = plan([model("v")], ledger, policy())

    assert not start.resume


@pytest.mark.parametrize("outcome", CUT_SHORT)
def test_attended_what_was_cut_short_is_started_afresh(outcome):
    ledger = ledger_of(*past("v", outcome, session="yesterday"))

    (start,) = plan([model("v")], ledger, policy(unattended=False))

    assert not start.resume


def test_what_was_cut_short_with_other_parameters_is_started_afresh():
    ledger = ledger_of(*past("v", Outcome.INTERRUPTED, signature="old"))

    (start,) = plan([model("v")], ledger, policy())

    assert not start.resume


def test_what_was_cut_short_before_other_parameters_ran_is_started_afresh():
    ledger = ledger_of(
        *past("v", Outcome.INTERRUPTED, 1, seconds=0),
        *past("v", Outcome.SUCCEEDED, 2, seconds=9, signature="other"),
    )

    (start,) = plan([model("v")], ledger, policy())

    assert not start.resume


def test_only_the_newest_attempt_can_be_resumed():
    ledger = ledger_of(
        *past("v", Outcome.INTERRUPTED, 1, seconds=0, session="yesterday"),
        *past("v", Outcome.FAILED, 2, seconds=9, session="yesterday"),
    )

    (start,) = plan([model("v")], ledger, policy())

    assert not start.resume


@pytest.mark.parametrize("outcome", CUT_SHORT)
def test_what_was_cut_short_before_its_model_dir_was_ready_is_started_afresh(outcome):
    ledger = ledger_of(
        starting("v", session="yesterday"), finished("v", outcome=outcome, prepared=False)
    )

    (start,) = plan([model("v")], ledger, policy())

    assert not start.resume


def test_what_goes_on_and_is_cut_short_at_once_goes_on_again():
    ledger = ledger_of(
        *past("v", Outcome.INTERRUPTED),
        starting("v", 2, seconds=9, resume=True),
        finished("v", 2, seconds=10, outcome=Outcome.KILLED, prepared=False),
    )

    (start,) = plan([model("v")], ledger, policy(retries=1))

    assert start.resume


@pytest.mark.parametrize("other", [{"version": "w"}, {"version": "v", "model": "other"}])
def test_what_was_cut_short_is_started_afresh_when_another_has_used_its_model_dir(other):
    ledger = ledger_of(
        *past("v", Outcome.INTERRUPTED, model_dir="shared"),
        starting(**other, seconds=5, model_dir="shared"),
        finished(**other, seconds=6, outcome=Outcome.FAILED),
    )

    (start,) = plan([model(version("v"))], ledger, policy())

    assert not start.resume


def test_another_that_never_came_to_use_the_model_dir_is_no_hindrance():
    ledger = ledger_of(
        *past("v", Outcome.INTERRUPTED, model_dir="shared"),
        starting("w", seconds=5, model_dir="shared"),
        finished("w", seconds=6, outcome=Outcome.INTERRUPTED, prepared=False),
    )

    (start,) = plan([model(version("v"))], ledger, policy())

    assert start.resume


def test_what_was_cut_short_on_another_host_is_resumed_here():
    ledger = ledger_of(there=past("v", Outcome.INTERRUPTED))

    (start,) = plan([model("v")], ledger, policy())

    assert start.resume


def test_what_is_resumed_comes_before_anything_that_is_started_afresh():
    ledger = ledger_of(*past("c", Outcome.INTERRUPTED), *past("e", Outcome.LOST, session="before"))

    order = started([model("a", "b", "c"), model("d", name="n")], ledger, policy(slots=9))

    assert order == ["c", "a", "b", "d"]


def test_a_higher_priority_goes_first_and_within_one_the_order_of_the_list_holds():
    listed = [model("a", "b", name="low"), model("a", name="high"), model("b", name="high2")]
    listed = [
        msgspec.structs.replace(each, priority=10 if each.name.startswith("high") else 0)
        for each in listed
    ]

    names = [str(start.run) for start in plan(listed, ledger_of(), policy(slots=9))]

    assert names == ["high/a#1", "high2/b#1", "low/a#1", "low/b#1"]


def test_what_is_resumed_goes_first_within_its_priority_only():
    urgent = msgspec.structs.replace(model("x", "y", name="urgent"), priority=1)
    ledger = ledger_of(
        *(
            event
            for name, model_name in (("b", "usual"), ("y", "urgent"))
            for event in (
                starting(name, model=model_name, session="yesterday"),
                finished(name, model=model_name, outcome=Outcome.KILLED, reason=""),
            )
        )
    )

    starts = plan([model("a", "b", name="usual"), urgent], ledger, policy(slots=9))

    assert [start.run.version for start in starts] == ["y", "x", "b", "a"]


def test_versions_that_are_resumed_keep_the_order_of_the_list():
    ledger = ledger_of(*past("c", Outcome.INTERRUPTED), *past("b", Outcome.INTERRUPTED, seconds=9))

    assert started([model("a", "b", "c")], ledger, policy(slots=9)) == ["b", "c", "a"]


# --- 5. The order of the list, and shared folders


def test_the_rest_starts_in_the_order_of_the_list():
    listed = [model("b", "a", name="z"), model("d", "c", name="y")]

    assert started(listed, Ledger(), policy(slots=9)) == ["b", "a", "d", "c"]


def test_only_free_slots_are_filled():
    ledger = ledger_of(starting("a"))

    assert started([model("a", "b", "c", "d")], ledger, policy(slots=3)) == ["b", "c"]


def test_nothing_starts_when_no_slot_is_free():
    ledger = ledger_of(starting("a"), starting("b"))

    assert started([model("a", "b", "c")], ledger, policy(slots=2)) == []


def test_runs_that_are_over_their_number_of_slots_are_left_alone():
    ledger = ledger_of(starting("a"), starting("b"))

    assert started([model("a", "b", "c")], ledger, policy(slots=1)) == []


def test_runs_of_models_that_are_not_listed_any_more_take_slots_too():
    ledger = ledger_of(starting("gone", model="deleted"))

    assert started([model("a")], ledger, policy(slots=1)) == []


def test_runs_of_other_hosts_take_no_slot_here():
    ledger = ledger_of(there=[starting("x", model="other")])

    assert started([model("a")], ledger, policy(slots=1)) == ["a"]


def test_a_version_waits_for_a_run_that_uses_its_model_dir_and_others_pass_it():
    ledger = ledger_of(starting("a", model_dir="shared"))
    listed = [model(version("a"), version("b"), "c")]

    stands = explain(listed, ledger, policy(slots=3))

    assert started(listed, ledger, policy(slots=3)) == ["c"]
    assert [(each.state, "waits for m/a#1" in each.reason) for each in stands] == [
        (State.RUNNING, False),
        (State.QUEUED, True),
        (State.QUEUED, False),
    ]


def test_two_versions_of_one_model_dir_do_not_start_together():
    listed = [model(version("a"), version("b"), "c")]

    assert started(listed, Ledger(), policy(slots=3)) == ["a", "c"]


def test_a_version_waits_for_a_run_on_another_host_that_uses_its_model_dir():
    ledger = ledger_of(there=[starting("a", model_dir="shared")])

    assert started([model(version("b"), "c")], ledger, policy(slots=3)) == ["c"]


def test_a_model_dir_is_free_again_when_its_run_is_over():
    ledger = ledger_of(*past("a", Outcome.FAILED, model_dir="shared"))

    assert started([model(version("a"), version("b"))], ledger, policy()) == ["b"]


# --- explain


def test_a_model_that_can_not_be_used_is_broken_with_the_reason():
    stands = standing([model(problem="it has no MODEL")], Ledger(), policy())

    assert (stands.state, stands.version, stands.reason) == (State.BROKEN, None, "it has no MODEL")
    assert plan([model(problem="it has no MODEL")], Ledger(), policy()) == []


def test_a_version_that_never_ran_is_queued_without_a_word():
    stands = standing([model("v")], Ledger(), policy())

    assert (stands.state, stands.reason, stands.last) == (State.QUEUED, "", None)


def test_a_standing_has_the_newest_attempt():
    ledger = ledger_of(
        *past("v", Outcome.FAILED, 1, seconds=0), *past("v", Outcome.FAILED, 2, seconds=9)
    )

    assert standing([model("v")], ledger, policy()).last.id.attempt == 2


def test_a_start_is_one_more_attempt_than_any_host_has_made():
    ledger = ledger_of(
        *past("v", Outcome.FAILED, 1, session="x"),
        there=past("v", Outcome.FAILED, 4, session="x"),
    )

    (start,) = plan([model("v")], ledger, policy())

    assert str(start.run) == "m/v#5"


def test_an_empty_list_plans_nothing():
    assert plan([], ledger_of(starting("v")), policy()) == explain([], Ledger(), policy()) == []


# --- what holds for every queue

VERSIONS = st.builds(
    ListedVersion,
    name=st.sampled_from("abcd"),
    signature=st.sampled_from(["s1", "s2"]),
    model_dir=st.sampled_from(["x", "y", "z", "u", "v"]),
)
MODELS = st.builds(
    ListedModel,
    name=st.sampled_from("mno"),
    path=st.just("p"),
    versions=st.lists(VERSIONS, max_size=4, unique_by=lambda v: v.name).map(tuple),
    problem=st.sampled_from(["", "", "", "broken"]),
)
LISTS = st.lists(MODELS, max_size=3, unique_by=lambda m: m.name)
POLICIES = st.builds(
    Policy,
    session=st.sampled_from(["today", "yesterday"]),
    host=st.just("here"),
    unattended=st.booleans(),
    retries=st.integers(0, 2),
    slots=st.integers(1, 4),
)
PAST_RUNS = st.tuples(
    st.sampled_from(["here", "here", "there"]),
    st.sampled_from("mno"),
    VERSIONS,
    st.sampled_from(["today", "yesterday"]),
    st.none() | st.sampled_from(Outcome),
)


@st.composite
def ledgers(draw):
    """Ledgers of runs at random; those without an outcome still run."""
    ledger = Ledger()
    runs = draw(st.lists(PAST_RUNS, max_size=12))
    for seconds, (host, name, version, session, outcome) in enumerate(runs):
        which = version.name, ledger.next_attempt(name, version.name)
        ledger.apply(
            starting(
                *which,
                model=name,
                seconds=seconds,
                session=session,
                signature=version.signature,
                model_dir=version.model_dir,
            ),
            host,
        )
        if outcome:
            ledger.apply(finished(*which, model=name, seconds=seconds, outcome=outcome), host)
    return ledger


@given(LISTS, ledgers(), POLICIES)
def test_a_plan_never_exceeds_the_slots(listed, ledger, policy):
    starts = plan(listed, ledger, policy)

    free = policy.slots - len(ledger.active(policy.host))
    assert len(starts) <= max(free, 0)


@given(LISTS, ledgers(), POLICIES)
def test_a_plan_starts_only_what_is_listed_and_once(listed, ledger, policy):
    starts = plan(listed, ledger, policy)

    pairs = [(start.model, start.version.name) for start in starts]
    assert len(set(map(str, pairs))) == len(pairs)
    for start in starts:
        assert start.model in listed
        assert not start.model.problem
        assert start.version in start.model.versions
        assert (start.run.model, start.run.version) == (start.model.name, start.version.name)


@given(LISTS, ledgers(), POLICIES)
def test_a_plan_never_starts_what_runs_or_is_done(listed, ledger, policy):
    starts = plan(listed, ledger, policy)

    for start in starts:
        attempts = ledger.attempts(start.model.name, start.version.name)
        assert not [run for run in attempts if run.active]
        assert not [
            run
            for run in attempts
            if run.verdict.outcome is Outcome.SUCCEEDED
            and run.signature == start.version.signature
            and (policy.unattended or policy.session in run.sessions)
        ]


@given(LISTS, ledgers(), POLICIES)
def test_a_plan_never_has_two_runs_share_a_model_dir(listed, ledger, policy):
    starts = plan(listed, ledger, policy)

    running = {run.model_dir for run in ledger.active(policy.host)}
    wanted = [start.version.model_dir for start in starts]
    assert len(set(wanted)) == len(wanted)
    assert running.isdisjoint(wanted)


@given(LISTS, ledgers(), POLICIES)
def test_a_plan_resumes_first_and_keeps_the_order_of_the_list_otherwise(listed, ledger, policy):
    starts = plan(listed, ledger, policy)

    place = [(each.name, version.name) for each in listed for version in each.versions]
    order = [
        (not start.resume, place.index((start.model.name, start.version.name))) for start in starts
    ]
    assert order == sorted(order)


@given(LISTS, ledgers(), POLICIES)
def test_a_plan_leaves_a_slot_free_only_when_nothing_could_use_it(listed, ledger, policy):
    starts = plan(listed, ledger, policy)

    taken = {run.model_dir for run in ledger if run.active}
    taken |= {start.version.model_dir for start in starts}
    if len(starts) + len(ledger.active(policy.host)) < policy.slots:
        for stands in explain(listed, ledger, policy):
            assert stands.state is not State.QUEUED or stands.version.model_dir in taken


@given(LISTS, ledgers(), POLICIES)
def test_a_planned_attempt_is_a_new_one(listed, ledger, policy):
    starts = plan(listed, ledger, policy)

    assert {start.run for start in starts}.isdisjoint({run.id for run in ledger})


@given(LISTS, ledgers(), POLICIES)
def test_a_plan_is_the_same_however_often_it_is_made(listed, ledger, policy):
    first, second = plan(listed, ledger, policy), plan(listed, ledger, policy)

    assert first == second


@given(LISTS, ledgers(), POLICIES)
def test_every_listed_version_and_broken_model_is_explained_once(listed, ledger, policy):
    stands = explain(listed, ledger, policy)

    told = sorted((each.model.name, each.version.name if each.version else "") for each in stands)
    assert told == sorted(
        (each.name, name)
        for each in listed
        for name in ([""] if each.problem else [version.name for version in each.versions])
    )


# --- whole sessions


class Session:
    """A scheduler in small: starts what is planned, and ends runs as ``random`` has it."""

    def __init__(self, number, listed, ledger, random, *, retries, slots):
        self.listed, self.ledger, self.random = listed, ledger, random
        self.policy = policy(
            session=f"session {number}", retries=retries, slots=slots, retry_on=frozenset(FAILURES)
        )
        self.before = list(ledger)
        self.interruptions = 5
        for run in ledger.active("here"):
            event = adopted(
                run.id.version, run.id.attempt, model=run.id.model, session=self.policy.session
            )
            ledger.apply(event, "here")

    def work(self, steps=10_000):
        """Take at most ``steps`` steps; whether nothing was left to do."""
        for _ in range(steps):
            for start in plan(self.listed, self.ledger, self.policy):
                self._start(start)
            active = self.ledger.active("here")
            assert len(active) <= self.policy.slots
            assert len({run.model_dir for run in active}) == len(active)
            if not active:
                return True
            self._end(self.random.choice(active))
        return False

    def runs(self, name):
        """The runs of a version that this session started or adopted."""
        return [
            run for run in self.ledger.attempts("m", name) if self.policy.session in run.sessions
        ]

    def _start(self, start):
        self.ledger.apply(
            Starting(
                at=self._now(),
                run=start.run,
                session=self.policy.session,
                signature=start.version.signature,
                script="d1",
                model_dir=start.version.model_dir,
                resume=start.resume,
            ),
            "here",
        )

    def _end(self, run):
        outcome = self.random.choice(list(Outcome))
        if outcome is Outcome.INTERRUPTED:
            self.interruptions -= 1
        if self.interruptions < 0:
            outcome = Outcome.FAILED
        now = self._now()
        self.ledger.apply(Finished(at=now, run=run.id, outcome=outcome, ended_at=now), "here")

    def _now(self):
        return clock(sum(1 for _ in self.ledger))


@settings(max_examples=60)
@given(
    st.lists(VERSIONS, min_size=1, max_size=4, unique_by=lambda v: v.name),
    st.lists(st.integers(0, 6), max_size=2),
    st.randoms(use_true_random=False),
    st.integers(0, 2),
    st.integers(1, 3),
)
def test_a_session_brings_every_version_to_one_success_or_to_its_last_failure(
    versions, cuts, random, retries, slots
):
    listed, ledger = [model(*versions)], Ledger()
    for number, steps in enumerate(cuts):  # sessions that die after some steps
        Session(number, listed, ledger, random, retries=retries, slots=slots).work(steps)
    done = {run.id.version for run in ledger if _succeeded(run)}

    session = Session("last", listed, ledger, random, retries=retries, slots=slots)
    came_to_an_end = session.work()

    assert came_to_an_end
    for each in versions:
        successes = [run for run in session.runs(each.name) if _succeeded(run)]
        failures = [run for run in session.runs(each.name) if run.verdict.outcome in FAILURES]
        if each.name in done:
            assert session.runs(each.name) == []
        elif successes:
            assert (len(successes), len(failures) <= retries) == (1, True)
        else:
            assert len(failures) == retries + 1


def _succeeded(run):
    return run.verdict is not None and run.verdict.outcome is Outcome.SUCCEEDED
