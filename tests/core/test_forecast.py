"""When the queue will be empty, by what took how long."""

from datetime import timedelta

import pytest
from core.events import clock, finished, starting

from mlpipeline.core.forecast import Durations, forecast
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.planning import Policy, Situation, explain
from mlpipeline.core.runs import Outcome
from mlpipeline.core.slots import UNCOUNTED, Asks, Held, Host

NOW = clock(1000)


def version(name, *, epochs=None, model_dir=None, signature="s1", **asks):
    parameters = {} if epochs is None else {"epoch_count": epochs}
    return ListedVersion(
        name=name,
        signature=signature,
        model_dir=model_dir or f"m-{name}",
        parameters=parameters,
        asks=Asks(**asks),
    )


def took(name, seconds, attempt=1, *, epochs=None, begun=0, **fields):
    return [
        starting(name, attempt, seconds=begun, epochs=epochs, **fields),
        finished(name, attempt, seconds=begun + seconds),
    ]


def expected(*versions, events=(), left=None, slots=1, machine=UNCOUNTED):
    ledger = Ledger()
    for event in events:
        ledger.apply(event, "here")
    model = ListedModel(name="m", path="m.py", versions=versions)
    policy = Policy(session="s", host="here", unattended=True, slots=slots)
    standings = explain(Situation(listed=[model], ledger=ledger, policy=policy, now=NOW))
    return forecast(
        standings,
        Durations(ledger),
        left or {},
        host="here",
        slots=slots,
        now=NOW,
        machine=machine,
    )


def after(seconds):
    return NOW + timedelta(seconds=seconds)


def test_an_empty_queue_is_empty_at_no_time():
    assert expected().empty_at is None


def test_versions_take_as_long_as_others_of_their_model():
    found = expected(version("a"), version("b"), version("done"), events=took("done", 60))

    assert found.empty_at == after(120)
    assert found.unknown == 0


def test_times_are_scaled_by_epochs():
    found = expected(version("a", epochs=100), events=took("old", 60, epochs=10))

    assert found.empty_at == after(600)


def test_the_same_version_tells_more_than_others():
    events = [*took("old", 999), *took("a", 10)]

    found = expected(version("a"), version("b"), events=events)

    names = [slot.standing.version.name for slot in found.slots]
    assert names == ["b"]  # a is done
    assert found.empty_at == after((999 + 10) / 2)


def test_runs_of_the_script_as_it_is_now_tell_more_than_older_ones():
    script = ListedModel(name="m", path="m.py").digest
    events = [*took("a", 10), *took("b", 600, script=script)]

    assert expected(version("a", signature="s2"), events=events).empty_at == after(600)


def test_what_resumes_takes_the_rest():
    cut = [starting("a", seconds=0), finished("a", seconds=40, outcome=Outcome.LOST)]

    assert expected(version("a"), events=[*took("old", 60), *cut]).empty_at == after(20)


def test_slots_work_side_by_side():
    found = expected(version("a"), version("b"), version("c"), events=took("old", 60), slots=2)

    assert found.empty_at == after(120)
    assert [slot.starts for slot in found.slots] == [NOW, NOW, after(60)]


def test_versions_wait_for_the_room_that_they_ask_for():
    found = expected(
        version("a", gpus=1),
        version("b", gpus=2),
        version("c", gpus=1),
        version("d"),
        events=took("old", 60),
        slots=4,
        machine=Host(gpus=("0", "1")),
    )

    starts = {slot.standing.version.name: slot.starts for slot in found.slots}
    assert starts == {"a": NOW, "b": after(60), "c": NOW, "d": NOW}


def test_what_runs_holds_its_room_until_its_end():
    start = starting("a", seconds=900, holds=Held(gpus={"0": 1.0}))

    found = expected(
        version("a", gpus=1),
        version("b", gpus=0.5),
        events=[*took("old", 60), start],
        left={start.run: 7.0},
        slots=2,
        machine=Host(gpus=("0",)),
    )

    assert [slot.ends for slot in found.slots] == [after(7), after(67)]


def test_a_gpu_that_others_use_has_no_end_to_wait_for():
    machine = Host(gpus=("0",), busy=frozenset("0"))

    found = expected(version("a", gpus=1), events=took("old", 60), machine=machine)

    assert found.empty_at == after(60)


def test_versions_that_share_a_model_dir_do_not():
    found = expected(
        version("a", model_dir="one"),
        version("b", model_dir="one"),
        events=took("old", 60),
        slots=2,
    )

    assert found.empty_at == after(120)


def test_what_runs_says_itself_how_long_it_takes():
    start = starting("a", seconds=900)

    found = expected(
        version("a"), version("b"), events=[*took("old", 60), start], left={start.run: 7.0}
    )

    assert [slot.ends for slot in found.slots] == [after(7), after(67)]


def test_what_runs_tells_how_long_the_rest_of_its_model_takes():
    start = starting("a", seconds=900, epochs=10)

    found = expected(version("a"), version("b", epochs=20), events=[start], left={start.run: 50.0})

    assert found.empty_at == after(50 + 2 * (100 + 50))
    assert found.unknown == 0


def test_what_runs_and_says_nothing_takes_the_rest_of_the_usual_time():
    found = expected(version("a"), events=[*took("old", 160), starting("a", seconds=900)])

    assert found.empty_at == after(60)


def test_what_nothing_is_known_of_is_counted_and_left_out():
    found = expected(version("a"), version("b"))

    assert found.unknown == 2
    assert found.empty_at is None


def test_starts_after_something_unknown_are_unknown():
    ledger = Ledger()
    for event in took("old", 60):
        ledger.apply(event, "here")
    known = ListedModel(name="m", path="m.py", versions=(version("a"),))
    unknown = ListedModel(name="n", path="n.py", versions=(version("x"),))
    policy = Policy(session="s", host="here", unattended=True)
    standings = explain(
        Situation(listed=[known, unknown, known], ledger=ledger, policy=policy, now=NOW)
    )

    found = forecast(standings, Durations(ledger), {}, host="here", slots=1, now=NOW)

    assert [slot.starts for slot in found.slots] == [NOW, after(60), None]
    assert found.unknown == 1
    assert found.empty_at == after(120)


@pytest.mark.parametrize("left", [1e12, 1e300, float("inf")])
def test_what_nobody_will_live_to_see_is_unknown(left):
    start = starting("a", seconds=900)

    found = expected(version("a"), version("b"), events=[start], left={start.run: left})

    assert (found.empty_at, found.unknown) == (None, 2)


def test_epochs_beyond_all_numbers_are_unknown():
    found = expected(version("a", epochs=10**400), events=took("old", 60, epochs=1))

    assert found.unknown == 1


@pytest.mark.parametrize("attempts", [1, 5])
def test_a_resumed_run_does_not_count_since_it_did_only_the_rest(attempts):
    events = took("old", 60)
    for attempt in range(2, 2 + attempts):
        events += took("old", 1, attempt, resume=True, begun=100 * attempt)

    assert expected(version("a"), events=events).empty_at == after(60)
