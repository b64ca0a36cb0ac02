"""Versions that come after others: when they start, what becomes of them, and how that is told."""

from itertools import pairwise

import msgspec
import pytest
from core.events import MIDNIGHT, clock, finished, ordered, rehearsed, starting
from hypothesis import given
from hypothesis import strategies as st

from mlpipeline.core.agenda import Agenda
from mlpipeline.core.forecast import Durations, forecast
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.orders import Order
from mlpipeline.core.planning import Policy, Situation, explain, plan
from mlpipeline.core.runs import Claim, Outcome, RunId
from mlpipeline.core.slots import Asks, Host
from mlpipeline.core.stages import told_apart
from mlpipeline.core.standings import NOT_LISTED, State

POLICY = Policy(session="today", host="here", unattended=True)


def model(left_out=(), **after):
    """A model of versions that come after others: ``model(b="a", a="")``."""

    def version(name, before=""):
        names = tuple(before.split())
        return ListedVersion(name=name, signature="s1", model_dir=f"m-{name}", after=names)

    return ListedModel(
        name="m",
        path="m.py",
        versions=tuple(version(name, before) for name, before in after.items()),
        left_out=tuple(map(version, left_out)),
    )


CHAIN = model(a="", b="a", c="b")


def ran(ledger, name, outcome=Outcome.SUCCEEDED, attempt=1, *, seconds=0, **fields):
    ledger.apply(starting(name, attempt, seconds=seconds, **fields), "here")
    if outcome:
        ledger.apply(finished(name, attempt, seconds=seconds + 10, outcome=outcome), "here")


def situation(listed, ledger, **fields):
    policy = msgspec.structs.replace(POLICY, **fields)
    return Situation(listed=(listed,), ledger=ledger, policy=policy, now=clock(1000))


def stands(listed, ledger, **fields):
    """Each version's state and reason."""
    found = explain(situation(listed, ledger, **fields))
    return {each.version.name: (each.state.value, each.reason) for each in found}


def started(listed, ledger, **fields):
    return [start.version.name for start in plan(situation(listed, ledger, **fields))]


# --- waiting


def test_a_version_waits_for_those_that_it_comes_after():
    ledger = Ledger()

    assert started(CHAIN, ledger, slots=9) == ["a"]
    assert stands(CHAIN, ledger) == {
        "a": ("queued", ""),
        "b": ("queued", "waits for a"),
        "c": ("queued", "waits for b"),
    }
    ran(ledger, "a", None)
    assert started(CHAIN, ledger, slots=9) == []
    ledger.apply(finished("a"), "here")
    assert started(CHAIN, ledger, slots=9) == ["b"]


def test_it_waits_for_all_of_them():
    listed, ledger = model(a="", b="", c="a b"), Ledger()

    assert stands(listed, ledger)["c"] == ("queued", "waits for a and 1 other")
    ran(ledger, "a")
    assert stands(listed, ledger)["c"] == ("queued", "waits for b")
    assert started(listed, ledger, slots=9) == ["b"]
    ran(ledger, "b")
    assert started(listed, ledger) == ["c"]


def test_unattended_a_success_of_any_session_counts():
    ledger = Ledger()
    ran(ledger, "a", session="yesterday")

    assert started(CHAIN, ledger) == ["b"]


def test_attended_only_a_success_of_this_session_counts():
    ledger = Ledger()
    ran(ledger, "a", session="yesterday")

    assert started(CHAIN, ledger, unattended=False) == ["a"]
    ran(ledger, "a", attempt=2, session="today")
    assert started(CHAIN, ledger, unattended=False) == ["b"]


def test_a_success_with_other_parameters_does_not_count():
    ledger = Ledger()
    ran(ledger, "a", signature="old")

    assert started(CHAIN, ledger) == ["a"]


def test_what_is_done_or_runs_stays_so_whatever_becomes_of_what_it_comes_after():
    ledger = Ledger()
    ran(ledger, "b")
    ran(ledger, "c", None)

    assert [state for state, _ in stands(CHAIN, ledger).values()] == ["queued", "done", "running"]


def test_it_is_not_rehearsed_or_resumed_before_its_turn():
    ledger = Ledger()
    ran(ledger, "b", Outcome.INTERRUPTED)

    assert started(CHAIN, ledger, slots=9, rehearse=True) == ["a"]
    ran(ledger, "a")
    (start,) = plan(situation(CHAIN, ledger))
    assert (start.version.name, start.resume) == ("b", True)


def test_the_list_says_what_goes_first_of_what_may_start():
    listed = model(late="first", other="", first="")

    assert [each.version.name for each in explain(situation(listed, Ledger()))] == [
        "other",
        "first",
        "late",
    ]
    ledger = Ledger()
    ran(ledger, "first")
    assert started(listed, ledger, slots=9) == ["late", "other"]


def test_of_those_that_share_a_model_dir_the_first_in_the_list_starts():
    versions = model(second="first", other="", first="").versions
    shared = tuple(msgspec.structs.replace(each, model_dir="m") for each in versions)
    listed, ledger = ListedModel(name="m", path="m.py", versions=shared), Ledger()
    ran(ledger, "first")
    at = situation(listed, ledger, slots=9)

    for candidates in (None, Agenda(ledger).candidates(at)):
        assert [start.version.name for start in plan(at, candidates)] == ["second"]


# --- when one of them can't be had


def test_what_comes_after_one_that_failed_is_skipped_and_others_go_on():
    listed, ledger = model(a="", b="a", c="b", x="", y="x"), Ledger()
    ran(ledger, "a", Outcome.FAILED)

    assert stands(listed, ledger) == {
        "a": ("failed", "failed"),
        "b": ("skipped", "a failed"),
        "c": ("skipped", "a failed"),
        "x": ("queued", ""),
        "y": ("queued", "waits for x"),
    }
    assert started(listed, ledger, slots=9) == ["x"]


def test_one_that_is_to_be_tried_again_is_waited_for():
    ledger = Ledger()
    ran(ledger, "a", Outcome.LOST)

    assert stands(CHAIN, ledger, retries=1)["b"] == ("queued", "waits for a")
    assert stands(CHAIN, ledger, retries=0)["b"] == ("skipped", "a failed")


def test_one_that_failed_is_not_tried_again_while_what_it_comes_after_is():
    ledger = Ledger()
    ran(ledger, "a")
    ran(ledger, "b", Outcome.LOST)
    ledger.note(ordered(Order.RETRY, "a"))

    assert stands(CHAIN, ledger, retries=1)["b"] == ("queued", "waits for a")
    assert started(CHAIN, ledger, retries=1, slots=9) == ["a"]


def test_in_the_next_session_what_failed_is_tried_again_and_waited_for():
    ledger = Ledger()
    ran(ledger, "a", Outcome.FAILED, session="yesterday")

    assert stands(CHAIN, ledger)["c"] == ("queued", "waits for b")
    assert started(CHAIN, ledger) == ["a"]


def test_when_what_failed_is_retried_and_succeeds_what_was_skipped_runs():
    ledger = Ledger()
    ran(ledger, "a", Outcome.FAILED)
    ledger.note(ordered(Order.RETRY, "a"))

    assert stands(CHAIN, ledger)["b"] == ("queued", "waits for a")
    ran(ledger, "a", attempt=2)
    assert started(CHAIN, ledger) == ["b"]


@pytest.mark.parametrize(("why", "told"), [("", "a was skipped"), ("cancelled", "a was cancelled")])
def test_what_comes_after_one_that_a_person_does_not_want_is_skipped(why, told):
    ledger = Ledger()
    ledger.note(ordered(Order.SKIP, "a", why=why))

    assert stands(CHAIN, ledger)["c"] == ("skipped", told)


def test_what_comes_after_one_that_is_held_is_skipped():
    ledger = Ledger()
    ledger.note(rehearsed("a", problem="failed: no", script=CHAIN.digest))

    assert stands(CHAIN, ledger)["c"] == ("skipped", "a is held")


def test_a_failure_before_is_told_of_rather_than_what_still_runs():
    listed, ledger = model(a="", b="", c="a b"), Ledger()
    ran(ledger, "a", None)
    ran(ledger, "b", Outcome.FAILED)

    assert stands(listed, ledger)["c"] == ("skipped", "b failed")


def test_what_comes_after_one_that_can_not_run_here_is_left_to_other_hosts():
    a, b = model(a="", b="a").versions
    listed = ListedModel(
        name="m", path="m.py", versions=(msgspec.structs.replace(a, asks=Asks(cpus=9)), b)
    )
    at = msgspec.structs.replace(situation(listed, Ledger()), host=Host(cpus=2))

    assert [each.state for each in explain(at)] == [State.TOO_BIG, State.QUEUED]
    assert explain(at)[1].reason == "waits for a, which can't run here"


# --- what is not listed


def test_one_that_is_not_listed_counts_when_it_has_ever_succeeded():
    listed, ledger = model(left_out="a", b="a", c="b"), Ledger()

    assert stands(listed, ledger) == {
        "b": ("skipped", f"a {NOT_LISTED}"),
        "c": ("skipped", f"a {NOT_LISTED}"),
    }
    ran(ledger, "a", None, session="yesterday")
    assert stands(listed, ledger)["b"] == ("queued", "waits for a")
    ledger.apply(finished("a"), "here")
    for unattended in (True, False):
        assert started(listed, ledger, unattended=unattended) == ["b"]


def test_one_that_is_not_listed_in_test_mode_is_not_waited_for():
    listed = model(left_out="a", b="a", c="b")

    assert started(listed, Ledger(), unattended=False, test=True) == ["b"]
    assert stands(listed, Ledger(), test=True)["c"] == ("queued", "waits for b")


def test_one_that_another_host_has_claimed_is_waited_for():
    listed = model(left_out="a", b="a")
    claim = Claim(host="there", run=RunId("m", "a", 1), model_dir="x", at=MIDNIGHT)
    at = situation(listed, Ledger())
    claimed = msgspec.structs.replace(at.claimed, versions={("m", "a"): claim})

    (only,) = explain(msgspec.structs.replace(at, claimed=claimed))

    assert (only.state, only.reason) == (State.QUEUED, "waits for a")


# --- whatever comes after what

NAMES = "abcdefg"


@st.composite
def graphs(draw):
    """Versions in any order, each after some of those before it in the alphabet."""
    after = {
        name: draw(st.sets(st.sampled_from(NAMES[:place]), max_size=3)) if place else set()
        for place, name in enumerate(NAMES)
    }
    listed = draw(st.permutations(NAMES))[: draw(st.integers(1, len(NAMES)))]
    awaited = {before for name in listed for before in after[name]} - set(listed)
    return model(sorted(awaited), **{name: " ".join(sorted(after[name])) for name in listed})


def plainly(listed, succeeded, failed, name):
    """What becomes of a version, as the manual says it."""
    if name in succeeded:
        return "done"
    version = next((each for each in listed.versions if each.name == name), None)
    if version is None:
        return "skipped"
    if name in failed:
        return "failed"
    before = [plainly(listed, succeeded, failed, each) for each in version.after]
    if {"failed", "skipped"} & set(before):
        return "skipped"
    return "ready" if set(before) <= {"done"} else "waits"


@given(graphs(), st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES)))
def test_all_stand_as_the_manual_says(listed, succeeded, failed):
    ledger = Ledger()
    for name in sorted(succeeded | failed):
        ran(ledger, name, Outcome.SUCCEEDED if name in succeeded else Outcome.FAILED)

    found = {
        each.version.name: ("waits" if each.behind else "ready")
        if each.state is State.QUEUED
        else each.state.value
        for each in explain(situation(listed, ledger))
    }

    names = [version.name for version in listed.versions]
    assert found == {name: plainly(listed, succeeded, failed, name) for name in names}
    ready = [name for name in names if found[name] == "ready"]
    assert started(listed, ledger, slots=9) == ready


@given(graphs(), st.sets(st.sampled_from(NAMES)), st.integers(1, 3), st.data())
def test_a_session_runs_all_that_can_run_and_each_in_its_turn(listed, bad, slots, data):
    ledger, succeeded, running = Ledger(), set(), []
    for version in listed.left_out:
        if version.name not in bad:
            ran(ledger, version.name)
            succeeded.add(version.name)
    agenda, after = Agenda(ledger), {each.name: each.after for each in listed.versions}

    def planned():
        at = situation(listed, ledger, slots=slots)
        return plan(at, agenda.candidates(at))

    while (starts := planned()) or running:
        for start in starts:
            assert succeeded.issuperset(after[start.version.name])
            ran(ledger, start.version.name, None)
            running.append(start.version.name)
        name = running.pop(data.draw(st.integers(0, len(running) - 1)))
        outcome = Outcome.FAILED if name in bad else Outcome.SUCCEEDED
        ledger.apply(finished(name, outcome=outcome), "here")
        succeeded |= {name} - bad

    for version in listed.versions:
        ready = succeeded.issuperset(version.after)
        assert bool(ledger.attempts("m", version.name)) == ready


# --- how much is looked at


def looked_at(looks, listed, *events):
    """The versions that are looked at after ``events``, a plan included, with what is skipped."""
    ledger = Ledger()
    agenda = Agenda(ledger)
    agenda.outlook(situation(listed, ledger))
    for event in events[:-1]:
        ledger.apply(event, "here")
    agenda.outlook(situation(listed, ledger))
    looks.clear()
    ledger.apply(events[-1], "here")
    agenda.outlook(situation(listed, ledger))
    return looks, agenda.take_skips()


def test_one_that_ends_well_has_what_comes_next_looked_at(looks):
    line = model(v0="", **{f"v{n}": f"v{n - 1}" for n in range(1, 1000)})

    assert looked_at(looks, line, starting("v0"), finished("v0")) == (["v0", "v1"], [])


def test_one_of_many_that_something_comes_after_is_looked_at_alone(looks):
    names = [f"v{n}" for n in range(1000)]
    last = model(**dict.fromkeys(names, ""), last=" ".join(names))

    assert looked_at(looks, last, starting("v7"), finished("v7")) == (["v7"], [])


def test_a_start_has_nothing_else_looked_at(looks):
    many = model(first="", **{f"v{n}": "first" for n in range(1000)})

    assert looked_at(looks, many, starting("first")) == (["first"], [])


def test_a_failure_tells_once_of_all_that_is_skipped(looks):
    failed = finished("b", outcome=Outcome.FAILED)
    listed = model(a="", b="", c="b", d="a c", e="a")

    found, (skips,) = looked_at(looks, listed, starting("b"), failed)

    assert sorted(found) == ["b", "c", "d"]
    assert (skips.root.version.name, skips.names) == ("b", ("c", "d"))


def test_a_line_of_a_hundred_thousand_versions_is_explained():
    names = [f"v{n}" for n in range(100_000)]
    after = dict(pairwise(names))  # the last one is the first to run
    line = model(**after, **{names[-1]: ""})
    ledger = Ledger()
    ran(ledger, names[-1], Outcome.FAILED)

    found = explain(situation(line, ledger))

    assert len(found) == len(names)
    assert all(each.reason == "v99999 failed" for each in found if each.state is State.SKIPPED)


# --- words and times


@pytest.mark.parametrize(
    ("name", "beside", "short"),
    [
        ("preprocessing", "modeling", "preprocessing"),
        ("stage=preprocessing,lr=0.1", "stage=modeling,lr=0.1", "preprocessing"),
        ("lr=0.1,stage=preprocessing", "lr=0.1,stage=modeling", "preprocessing"),
        ("stage=a,lr=0.1", "stage=b,lr=0.2", "stage=a,lr=0.1"),
        ("prepare,lr=0.1", "train,lr=0.1", "prepare"),
        ("lr=0.1", "lr=0.1,stage=b", "lr=0.1"),
        ("sizes=[1,2],x=1", "sizes=[3,4],x=1", "sizes=[1,2],x=1"),
    ],
)
def test_names_are_told_by_what_the_other_one_does_not_have(name, beside, short):
    assert told_apart(name, beside) == short


def expected(listed, ledger, slots):
    """When each version starts, in the order of their starts; seconds from now."""
    at = situation(listed, ledger, slots=slots)
    found = forecast(explain(at), Durations(ledger), {}, host="here", slots=slots, now=at.now)
    return [
        (slot.standing.version.name, slot.starts and (slot.starts - at.now).total_seconds())
        for slot in found.slots
    ]


def test_a_forecast_has_each_start_when_those_before_it_are_over_and_others_meanwhile():
    ledger = Ledger()
    ran(ledger, "old")  # took 10 seconds
    listed = model(a1="", b1="a1", a2="", b2="a2")

    assert expected(listed, ledger, 1) == [("a1", 0), ("b1", 10), ("a2", 20), ("b2", 30)]
    assert expected(listed, ledger, 2) == [("a1", 0), ("a2", 0), ("b1", 10), ("b2", 10)]


def test_a_forecast_waits_for_what_runs():
    ledger = Ledger()
    ran(ledger, "old")
    ran(ledger, "a", None, seconds=995)

    assert expected(model(a="", b="a", x=""), ledger, 2) == [("a", -5), ("x", 0), ("b", 5)]


def test_where_nothing_tells_how_long_they_take_the_order_is_that_of_the_starts():
    listed = model(a1="", b1="a1", a2="", b2="a2")

    assert [name for name, _ in expected(listed, Ledger(), 1)] == ["a1", "b1", "a2", "b2"]
    assert [name for name, _ in expected(listed, Ledger(), 2)] == ["a1", "a2", "b1", "b2"]
