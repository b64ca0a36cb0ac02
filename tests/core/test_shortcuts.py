"""Where a long queue is looked at by a shorter way, that comes to what the long way comes to."""

import heapq
from datetime import datetime, timedelta
from unittest.mock import patch

from core.events import clock, finished, ordered, rehearsed, starting
from hypothesis import given
from hypothesis import strategies as st

from mlpipeline.core.forecast import Durations, Slot, forecast
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.orders import Order
from mlpipeline.core.planning import Claimed, Policy, Situation, explain
from mlpipeline.core.runs import Claim, Outcome, RunId
from mlpipeline.core.slots import UNCOUNTED, Asks, Held, Host, Room
from mlpipeline.core.standings import State

NAMES = [f"v{number}" for number in range(6)]
NOW = clock(100)
MODEL_DIRS = ["a", "b", "c"]
ASKS = [Asks(), Asks(cpus=2), Asks(cpus=9), Asks(gpus=0.5), Asks(cpus=1, gpus=1)]
HOSTS = [UNCOUNTED, Host(cpus=4, memory=8, gpus=("0", "1"), busy=frozenset("1"))]


def digest():
    return ListedModel(name="m", path="m.py").digest


@st.composite
def ledgers(draw):
    ledger = Ledger()
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4)):
        for attempt in range(1, draw(st.integers(1, 2)) + 1):
            begun = draw(st.integers(0, 90))
            facts = {
                "attempt": attempt,
                "seconds": begun,
                "script": draw(st.sampled_from(["d1", digest()])),
                "model_dir": draw(st.sampled_from(MODEL_DIRS)),
                "epochs": draw(st.sampled_from([None, 0, 2, 7])),
                "resume": attempt > 1 and draw(st.booleans()),
                "session": draw(st.sampled_from(["today", "before"])),
                "holds": draw(st.sampled_from([Held(), Held(cpus=1), Held(gpus={"0": 0.5})])),
            }
            ledger.apply(starting(name, **facts), draw(st.sampled_from(["here", "there"])))
            if outcome := draw(st.sampled_from([None, *Outcome])):
                host = ledger.attempts("m", name)[-1].host
                ends = begun + draw(st.sampled_from([0, 0.1, 1 / 3, 7]))
                ledger.apply(finished(name, attempt, seconds=ends, outcome=outcome), host)
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=2)):
        ledger.note(ordered(draw(st.sampled_from(Order)), name, after=draw(st.integers(0, 2))))
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=2)):
        problem = draw(st.sampled_from(["", "failed: no"]))
        ledger.note(rehearsed(name, script=digest(), problem=problem))
    return ledger


@st.composite
def situations(draw):
    epochs = st.sampled_from([{}, {"epoch_count": 3}, {"epoch_count": [1]}, {"epoch_count": 1e9}])
    versions = tuple(
        ListedVersion(
            name=name,
            signature="s1",
            model_dir=draw(st.sampled_from(MODEL_DIRS)),
            parameters=draw(epochs),
            asks=draw(st.sampled_from(ASKS)),
        )
        for name in NAMES
    )
    broken = ListedModel(name="x", path="x.py", problem="it is no Python")
    claim = Claim(host="there", run=RunId("m", "v5", 1), model_dir="c", at=clock(1))
    claims = [Claimed(), Claimed({("m", "v5"): claim}, {"c": claim})]
    return Situation(
        listed=[ListedModel(name="m", path="m.py", versions=versions), broken],
        ledger=draw(ledgers()),
        policy=Policy(
            session="today",
            host="here",
            unattended=draw(st.booleans()),
            retries=draw(st.integers(0, 2)),
            retry_delay=timedelta(seconds=draw(st.sampled_from([0, 30, 200]))),
            slots=draw(st.integers(1, 3)),
            rehearse=draw(st.booleans()),
        ),
        now=NOW,
        claimed=draw(st.sampled_from(claims)),
        host=draw(st.sampled_from(HOSTS)),
    )


@given(situations())
def test_a_version_of_which_nothing_is_known_stands_where_all_rules_put_it(at):
    shortly = explain(at)
    with patch.object(Ledger, "is_new", lambda *_: False):
        assert explain(at) == shortly


@given(situations(), st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1e10)))
def test_the_forecast_adds_up_as_moments_do(at, seconds):
    standings = explain(at)
    left = {
        s.last.id: seconds[s.version.name]
        for s in standings
        if s.last and s.version.name in seconds
    }

    assert predicted(at, standings, left) == plainly_predicted(at, standings, left)


@given(situations(), st.sets(st.sampled_from(NAMES)))
def test_a_forecast_of_a_few_is_that_of_all_less_the_others(at, names):
    standings = explain(at)
    slots, *rest = predicted(at, standings, {})

    wanted = {("m", name) for name in names}
    some = [slot for slot in slots if slot.standing.version.name in names]
    assert predicted(at, standings, {}, wanted=wanted) == (some, *rest)


def predicted(at, standings, left, **more):
    durations, slots = Durations(at.ledger), at.policy.slots
    found = forecast(
        standings, durations, left, host="here", slots=slots, now=NOW, machine=at.host, **more
    )
    return list(found.slots), found.empty_at, found.unknown


def plainly_predicted(at, standings, left):
    """The same, in moments rather than in microseconds, and without a memory."""
    durations = Durations(at.ledger)
    held, free, model_dirs, expected, unknown = [], [], {}, [], 0

    def later(moment, seconds):
        try:
            return moment + timedelta(seconds=seconds or 0)
        except OverflowError:
            return datetime.max.replace(tzinfo=moment.tzinfo)

    for standing in standings:
        if standing.state is not State.RUNNING or standing.last is None:
            continue
        run, version = standing.last, standing.version
        seconds, spent = left.get(run.id), (NOW - run.started_at).total_seconds()
        if seconds is not None and seconds <= 100 * 365 * 86400:
            durations.learn(run, spent + seconds)
        else:
            whole = Durations.expected(durations, standing.model, version)
            seconds = None if whole is None else max(0.0, whole - spent)
        ends = later(NOW, seconds)
        model_dirs[version.model_dir] = ends
        unknown += seconds is None
        if run.host == "here":
            heapq.heappush(free, ends)
            held.append((run.started_at, ends, run.holds))
        told = None if seconds is None else ends
        expected.append(Slot(standing=standing, starts=run.started_at, ends=told))
    free += [NOW] * (at.policy.slots - len(free))
    free = sorted(free)[-at.policy.slots :]
    is_certain = not unknown
    for standing in standings:
        if standing.state is not State.QUEUED:
            continue
        version, slot = standing.version, heapq.heappop(free)
        starts = max(slot, standing.not_before or NOW, model_dirs.get(version.model_dir, NOW))
        here = [each for each in held if each[1] > slot]
        holds = None
        for moment in (starts, *sorted({ends for _, ends, _ in here if ends > starts})):
            room = Room.of(at.host, [h for since, ends, h in here if since <= moment < ends])
            if holds := room.place(version.asks):
                starts = moment
                break
        durations._of_new.clear()
        seconds = durations.left(standing)
        ends = later(starts, seconds)
        held.append((starts, ends, holds or Held()))
        told = is_certain and seconds is not None
        expected.append(
            Slot(
                standing=standing,
                starts=starts if is_certain else None,
                ends=ends if told else None,
            )
        )
        unknown += seconds is None
        is_certain = is_certain and seconds is not None
        model_dirs[version.model_dir] = ends
        heapq.heappush(free, ends)
    known = expected and len(expected) > unknown
    return expected, max(free) if known else None, unknown
