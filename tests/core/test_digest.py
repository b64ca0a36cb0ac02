"""What happened, in a few lines."""

from core.events import clock, finished, starting

from mlpipeline.core.digest import digest, told
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.planning import Policy, Situation, explain
from mlpipeline.core.runs import Outcome


def runs(*events):
    ledger = Ledger()
    for event in events:
        ledger.apply(event, "here")
    return ledger


def result(name, seconds, accuracy):
    return [
        starting(name, seconds=seconds),
        finished(name, seconds=seconds + 3600, results={"test": {"accuracy": accuracy}}),
    ]


def test_what_ended_before_is_old_news():
    ledger = runs(*result("a", 0, 0.5), *result("b", 8000, 0.4))

    found = digest(ledger, [], since=clock(5000), now=clock(20000))

    assert found.outcomes == {"succeeded": 1}


def test_a_new_best_is_told_with_what_it_beat():
    ledger = runs(*result("a", 0, 0.5), *result("b", 8000, 0.7), *result("c", 12000, 0.8))

    found = digest(ledger, [], since=clock(5000), now=clock(20000))

    assert [(best.run, best.value, best.previous) for best in found.bests] == [("m/c#1", 0.8, 0.7)]
    assert "  ★ m/c#1 test.accuracy 0.8 (was 0.7)" in told(found)


def test_failures_are_told_with_their_reason():
    ledger = runs(
        starting("a"), finished("a", outcome=Outcome.FAILED, reason="ValueError: not today")
    )

    found = digest(ledger, [], since=clock(0), now=clock(10))

    assert "  ✗ m/a#1 failed: ValueError: not today" in told(found)


def test_what_ended_unwatched_is_news_when_it_is_recorded():
    ledger = runs(starting("a"), finished("a", seconds=9000, ended_at=clock(100)))

    found = digest(ledger, [], since=clock(5000), now=clock(10000))

    assert found.outcomes == {"succeeded": 1}


def test_hours_are_those_within_the_time():
    ledger = runs(*result("a", 0, 0.5), starting("b", seconds=5400))

    found = digest(ledger, [], since=clock(1800), now=clock(9000))

    assert found.hours == (1800 + 3600) / 3600


def test_what_is_next_is_told():
    model = ListedModel(
        name="m",
        path="m.py",
        versions=tuple(
            ListedVersion(name=f"v{n}", signature="s", model_dir=f"{n}") for n in range(8)
        ),
    )
    policy = Policy(session="s", host="here", unattended=True)
    standings = explain(Situation(listed=[model], ledger=Ledger(), policy=policy, now=clock(0)))

    lines = told(digest(Ledger(), standings, since=clock(0), now=clock(1)))

    assert lines == [
        "since 00:00: nothing ended",
        "  next: m/v0, m/v1, m/v2, m/v3, m/v4 and 3 more",
    ]
