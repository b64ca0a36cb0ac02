"""Conditions on results, and the names and the order of values."""

from __future__ import annotations

from datetime import datetime

import pytest

from mlpipeline.errors import MlpipelineError
from mlpipeline.service.results import MetricResult, Result, Results
from mlpipeline.service.selection import best_first, column, columns, condition, ordered

NOW = datetime(2026, 1, 1).astimezone()


def result(version, *, parameters=None, results=None, metrics=None, state="succeeded"):
    return Result(
        run=f"m/{version}#1",
        model="m",
        version=version,
        attempt=1,
        host="h",
        state=state,
        reason="",
        resumed=False,
        started=NOW,
        seconds=5.0,
        parameters=parameters or {},
        results=results or {},
        metrics={
            name: MetricResult(last=last, last_step=9, best=best, best_step=3, count=9)
            for name, (last, best) in (metrics or {}).items()
        },
    )


RUNS = [
    result("a", parameters={"lr": 0.1, "opt": "Adam", "on": True, "net": {"depth": 3}}),
    result("b", parameters={"lr": 1e-05, "opt": "sgd", "on": False, "net": {"depth": 10}}),
    result("c", parameters={"lr": 2, "opt": None}, state="out of memory"),
    result("d"),
]


def holding(text, runs=RUNS):
    found = condition(text, columns(runs))
    return "".join(run.version for run in runs if found.holds(run))


@pytest.mark.parametrize(
    "text, versions",
    [
        ("lr<0.1", "b"),
        ("lr<=.1", "ab"),
        ("lr > 0.00001", "ac"),
        ("lr>=1e-5", "abc"),
        ("lr=2.0", "c"),
        ("lr==0.10", "a"),
        ("lr!=2", "abd"),
        ("net.depth>3", "b"),
        ("opt=adam", "a"),
        ("opt>b", "b"),
        ("opt=None", "cd"),
        ("on=true", "a"),
        ("on!=True", "bcd"),
        ("state=out of memory", "c"),
        ("state != succeeded", "c"),
        ("version=b", "b"),
        ("model=m", "abcd"),
        ("seconds>4.9", "abcd"),
        ("lr<many", ""),
        ("opt<3", ""),
    ],
)
def test_a_condition_holds_for(text, versions):
    assert holding(text) == versions


@pytest.mark.parametrize("text", ["", "lr", "<3", "=", "lr ~ 3", "lr=<3"])
def test_what_is_no_condition_is_said(text):
    with pytest.raises(MlpipelineError, match="is no condition; write a name, one of <"):
        condition(text, columns(RUNS))


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(MlpipelineError, match=r"called 'net.dept' \(did you mean net.depth\?\)"):
        condition("net.dept=3", columns(RUNS))


def test_a_name_like_no_other_gets_all():
    with pytest.raises(MlpipelineError, match="there are run, model, version, attempt, state"):
        column("zzz", columns(RUNS))


def test_each_value_has_a_name_of_its_own():
    run = result(
        "a", parameters={"loss": 1, "run": 2}, results={"loss": 3.0}, metrics={"loss": (4.0, 5.0)}
    )

    values = {each.name: each.of(run) for each in columns([run])}

    assert values["run"] == "m/a#1"
    assert values["loss"] == 1
    assert values["parameter.run"] == 2
    assert values["result.loss"] == 3.0
    assert values["metric.loss"] == 4.0
    assert values["loss.best"] == 5.0


@pytest.mark.parametrize("descending, first", [(False, "bad"), (True, "dab")])
def test_runs_without_a_number_come_last(descending, first):
    runs = [
        result(name, metrics={} if last is None else {"loss": (last, 0.0)})
        for name, last in (("a", 2.0), ("b", 1.0), ("c", None), ("d", 3.0), ("e", "nan"))
    ]
    by = column("loss", columns(runs))

    found = "".join(run.version for run in ordered(runs, by, descending=descending))

    assert sorted(found[3:]) == ["c", "e"]
    assert found[:3] == first


def test_the_best_is_named_and_none_where_none_has_the_value():
    runs = (result("a", results={"test.loss": 2.0}), result("b", results={"test.loss": 1.0}))
    by = column("test.loss", columns(runs))

    assert best_first(Results(runs=runs), by, lower=True).best == "m/b#1"
    assert best_first(Results(runs=runs), by, lower=False).best == "m/a#1"
    assert best_first(Results(runs=(result("c"),)), by, lower=True).best is None
