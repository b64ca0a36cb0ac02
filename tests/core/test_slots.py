"""Which runs fit beside each other, and who is let past whom."""

import msgspec
import pytest
from core.events import clock, starting
from hypothesis import given
from hypothesis import strategies as st

from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.planning import Policy, Situation, explain, plan
from mlpipeline.core.slots import UNCOUNTED, Asks, Held, Host, Room
from mlpipeline.core.standings import State

TWO = Host(cpus=8, memory=32, gpus=("0", "1"))


def listed(**asks):
    """A model whose versions ask for what is named, in this order."""
    versions = tuple(
        ListedVersion(name=name, signature="s1", model_dir=f"m-{name}", asks=Asks(**wanted))
        for name, wanted in asks.items()
    )
    return [ListedModel(name="m", path="m.py", versions=versions)]


def ledger_of(**held):
    """A history in which runs hold what is named."""
    ledger = Ledger()
    for name, holds in held.items():
        ledger.apply(starting(name, holds=Held(**holds)), "here")
    return ledger


def policy(slots=9):
    return Policy(session="today", host="here", unattended=True, slots=slots)


def at(models, ledger=None, host=TWO, slots=9, **more):
    return Situation(
        listed=models,
        ledger=ledger or Ledger(),
        policy=policy(slots),
        now=clock(9),
        host=host,
        **more,
    )


def started(models, ledger=None, host=TWO, *, slots=9, passed=None):
    starts = plan(at(models, ledger, host, slots, passed=passed or {}))
    return [start.version.name for start in starts]


def places(models, ledger=None, host=TWO):
    starts = plan(at(models, ledger, host))
    return {start.version.name: start.place.holds.gpus for start in starts}


def standings(models, ledger=None, host=TWO):
    found = explain(at(models, ledger, host))
    return {each.version.name: (each.state, each.reason) for each in found}


# --- what fits


def test_what_asks_for_nothing_takes_a_slot_only():
    assert started(listed(a={}, b={}, c={}), host=Host(cpus=1, memory=1, gpus=())) == [*"abc"]


@pytest.mark.parametrize("kind", ["cpus", "memory"])
def test_runs_start_as_long_as_what_they_ask_for_is_free(kind):
    models = listed(a={kind: 3}, b={kind: 3}, c={kind: 3})
    host = Host(**{kind: 6.0})

    assert started(models, host=host) == ["a", "b"]
    assert started(models, ledger_of(z={kind: 3.0}), host) == ["a"]


def test_each_run_has_gpus_of_its_own():
    assert places(listed(a={"gpus": 1}, b={"gpus": 1}, c={"gpus": 1})) == {
        "a": {"0": 1.0},
        "b": {"1": 1.0},
    }


def test_two_halves_share_a_gpu_so_that_the_other_one_stays_whole():
    models = listed(a={"gpus": 0.5}, b={"gpus": 0.5}, c={"gpus": 1})

    assert places(models) == {"a": {"0": 0.5}, "b": {"0": 0.5}, "c": {"1": 1.0}}


def test_ten_tenths_fit_on_one_gpu_and_no_eleventh():
    models = listed(**{f"v{number}": {"gpus": 0.1} for number in range(11)})

    assert len(places(models, host=Host(gpus=("0",)))) == 9  # slots
    assert Room.of(Host(gpus=("0",)), [Held(gpus={"0": 0.1})] * 10).place(Asks(gpus=0.1)) is None


def test_a_run_of_an_earlier_session_keeps_its_gpu():
    assert places(listed(a={"gpus": 1}), ledger_of(z={"gpus": {"0": 1.0}})) == {"a": {"1": 1.0}}


def test_gpus_are_taken_in_the_order_in_which_they_are_named():
    assert places(listed(a={"gpus": 1}), host=Host(gpus=("3", "1"))) == {"a": {"3": 1.0}}


def test_a_gpu_that_others_use_is_left_alone():
    host = msgspec.structs.replace(TWO, busy=frozenset("0"))

    assert places(listed(a={"gpus": 1}, b={"gpus": 0.1}), host=host) == {"a": {"1": 1.0}}


def test_a_gpu_that_looks_used_since_we_use_it_is_shared_on():
    host = msgspec.structs.replace(TWO, busy=frozenset("0"))

    assert places(listed(a={"gpus": 0.5}), ledger_of(z={"gpus": {"0": 0.5}}), host) == {
        "a": {"0": 0.5}
    }


def test_who_asks_for_no_gpu_sees_none_and_who_does_not_ask_sees_all():
    assert places(listed(none={"gpus": 0}, unsaid={})) == {"none": {}, "unsaid": None}


def test_where_nothing_is_counted_all_start_and_none_is_given_a_gpu():
    assert places(listed(a={"gpus": 9}, b={"cpus": 999}), host=UNCOUNTED) == {"a": None, "b": None}


# --- what is said of the rest


@pytest.mark.parametrize(
    ("asks", "said"),
    [
        ({"gpus": 4}, "asks for 4 gpus, this host has 2 gpus"),
        ({"cpus": 9}, "asks for 9 cpus, this host has 8 cpus"),
        ({"memory": 64}, "asks for 64 GB, this host has 32 GB"),
    ],
)
def test_what_can_never_fit_says_so_and_keeps_nobody_waiting(asks, said):
    models = listed(big=asks, small={"gpus": 1})

    assert standings(models)["big"] == (State.TOO_BIG, f"can't run here: {said}")
    assert started(models) == ["small"]


def test_a_host_without_gpus_says_that_it_has_none():
    host = Host(gpus=())

    state, reason = standings(listed(a={"gpus": 0.5}), host=host)["a"]

    assert state is State.TOO_BIG
    assert reason == "can't run here: asks for 0.5 gpus, this host has none"


def test_what_runs_is_running_however_big_it_is():
    ledger = ledger_of(a={"gpus": {"0": 1.0}})

    assert standings(listed(a={"gpus": 4}), ledger)["a"][0] is State.RUNNING


def test_what_waits_for_room_says_for_what():
    ledger = ledger_of(z={"gpus": {"0": 1.0}, "cpus": 7.0})

    state, reason = standings(listed(a={"gpus": 2, "cpus": 2}), ledger)["a"]

    assert (state, reason) == (State.QUEUED, "waits for 2 cpus (1 free), 2 gpus (1 free)")


# --- backfilling with a reservation


def test_small_runs_fill_the_hole_beside_one_that_does_not_fit():
    ledger = ledger_of(z={"gpus": {"0": 1.0}})

    assert started(listed(big={"gpus": 2}, small={"gpus": 1}), ledger) == ["small"]


def test_no_more_are_let_past_than_there_are_slots():
    ledger = ledger_of(z={"gpus": {"0": 1.0}})
    models = listed(big={"gpus": 2}, small={"gpus": 1})

    assert started(models, ledger, slots=2, passed={("m", "big"): 1}) == ["small"]
    assert started(models, ledger, slots=2, passed={("m", "big"): 2}) == []


def test_who_takes_nothing_that_the_waiting_one_needs_always_starts():
    ledger = ledger_of(z={"gpus": {"0": 1.0}})
    models = listed(big={"gpus": 2}, small={"cpus": 4}, other={})

    assert started(models, ledger, passed={("m", "big"): 99}) == ["small", "other"]


def test_who_takes_what_the_waiting_one_has_too_little_of_then_hinders_it():
    ledger = ledger_of(z={"gpus": {"0": 1.0}})
    models = listed(big={"gpus": 2, "cpus": 6}, small={"cpus": 4})

    assert started(models, ledger, passed={("m", "big"): 99}) == []


def test_only_the_first_that_waits_reserves():
    ledger = ledger_of(z={"gpus": {"0": 1.0}, "cpus": 1.0})
    models = listed(first={"gpus": 2}, second={"cpus": 9}, small={"gpus": 1, "cpus": 1})
    host = Host(cpus=9, gpus=("0", "1"))

    (start,) = plan(at(models, ledger, host, passed={("m", "second"): 99}))

    assert (start.version.name, start.place.passes) == ("small", ("m", "first"))


AMOUNTS = st.builds(
    lambda cpus, gpus: {"cpus": cpus, "gpus": gpus},
    st.sampled_from([0, 1, 3, 8]),
    st.sampled_from([None, 0, 0.25, 0.5, 1, 2]),
)


@given(st.lists(AMOUNTS, min_size=1, max_size=8), st.integers(1, 4))
def test_a_queue_is_worked_off_and_nothing_is_ever_given_twice(asks, slots):
    models = listed(**{f"v{number}": wanted for number, wanted in enumerate(asks)})
    running, waiting, done = {}, {}, set()
    overtaken = dict.fromkeys((f"v{number}" for number in range(len(asks))), 0)
    while len(done) < len(asks):
        ledger = ledger_of(**{name: msgspec.structs.asdict(held) for name, held in running.items()})
        left = [
            msgspec.structs.replace(
                models[0],
                versions=tuple(
                    version for version in models[0].versions if version.name not in done
                ),
            )
        ]
        for start in plan(at(left, ledger, slots=slots, passed=waiting)):
            running[start.version.name] = start.place.holds
            if start.place.passes:
                waiting[start.place.passes] = waiting.get(start.place.passes, 0) + 1
                overtaken[start.place.passes[1]] += 1
        assert running
        assert sum(held.cpus for held in running.values()) <= TWO.cpus
        for gpu in TWO.gpus:
            assert sum((held.gpus or {}).get(gpu, 0) for held in running.values()) <= 1.001
        first = next(iter(running))
        del running[first]
        done.add(first)
    assert max(overtaken.values()) <= slots
