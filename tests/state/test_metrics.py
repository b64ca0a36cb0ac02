"""What is read of a run's metrics, whatever state its files are in."""

from __future__ import annotations

import json
import math

import pytest

from mlpipeline.core.curves import Summary, summarised
from mlpipeline.execution.reporter import FolderReporter
from mlpipeline.state import metrics
from mlpipeline.state.layout import RunFolder
from mlpipeline.state.metrics import curves, points, summaries

LOSS = {
    "count": 3,
    "first_step": 1,
    "last": "nan",
    "last_step": 3,
    "min": 0.5,
    "min_step": 2,
    "max": 2.0,
    "max_step": 1,
}


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


@pytest.fixture
def logged(tmp_path):
    """A run that logged a loss of 2, 0.5 and NaN."""
    reporter = FolderReporter(str(tmp_path), "m/v#1")
    for step, loss in ((1, 2.0), (2, 0.5), (3, math.nan)):
        reporter.metrics({"loss": loss}, step)
    reporter.flush()
    return reporter


def test_what_a_run_logs_is_what_is_read(folder, logged):
    (one, two, three) = curves(folder)["loss"]

    assert (one, two) == ((1, 2.0), (2, 0.5))
    assert three[0] == 3
    assert math.isnan(three[1])


def test_lines_that_are_damaged_or_torn_are_left_out(folder):
    folder.metrics.write_bytes(
        b'{"step": 1, "time": 1.0, "loss": 3}\n'
        b'{"step": 2, "time"\x00\xff\n'
        b"[1, 2]\n"
        b"\n"
        b'{"time": 1.0, "loss": 9}\n'
        b'{"step": "3", "loss": 9}\n'
        b'{"step": 4, "loss": "high", "note": null, "accuracy": 0.5}\n'
        b'{"step": 5, "loss": 1.5}\n'
        b'{"step": 6, "lo'
    )

    assert curves(folder) == {"loss": [(1, 3.0), (5, 1.5)], "accuracy": [(4, 0.5)]}


def test_a_run_that_logged_nothing_has_no_metrics(folder):
    assert curves(folder) == {}
    assert summaries(folder) == {}


@pytest.mark.parametrize(
    "name, content",
    [
        ("exit.json", {"status": 0, "report": {"ending": "returned", "metrics": {"loss": LOSS}}}),
        ("report.json", {"ending": "returned", "metrics": {"loss": LOSS}}),
    ],
)
def test_a_run_that_ended_says_itself_what_to_keep(folder, name, content):
    (folder.path / name).write_text(json.dumps(content))

    assert summaries(folder) == {"loss": Summary(**LOSS)}


@pytest.mark.parametrize(
    "end",
    [
        None,
        {"status": None, "report": None},
        {"status": 0, "report": {"ending": "returned"}},
        {"status": 0, "report": {"ending": "returned", "metrics": {"loss": 3}}},
    ],
    ids=["running", "killed", "older", "damaged"],
)
def test_of_a_run_that_does_not_say_it_is_reckoned(folder, logged, end):
    if end:
        folder.exit.write_text(json.dumps(end))

    assert summaries(folder) == {"loss": Summary(**LOSS)}


def test_what_is_reckoned_is_what_the_run_would_have_said(folder, logged):
    told = {name: Summary(**each) for name, each in logged.metric_summaries().items()}

    assert summaries(folder) == told


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b'{"step": 7, "time": 1.0, "loss": 1',
        b'{"step": 7, "time": 1.0, "loss": "nan"}\n',
        b'{"step": 7, "time": 1.0, "loss": 3}\n',
        b'{"step": 7, "time": 1.0, "accuracy": 0.5}\n',
        b'{"step": 7, "loss": 1.5, "accuracy": 0.5}\n',
        b'{"step": null, "time": 1.0, "loss": 1.5}\n',
        b"[]\n",
        b"\xff\n",
    ],
)
def test_long_metrics_are_read_in_parts_as_if_at_once(folder, odd, monkeypatch):
    monkeypatch.setattr(metrics, "BLOCK", 200)  # bytes
    usual = [b'{"step": %d, "time": 1.0, "loss": %d.5}\n' % (each, -each) for each in range(40)]
    folder.metrics.write_bytes(b"".join(usual[:20]) + odd + b"\n" + b"".join(usual[20:]))

    read, told = curves(folder), summaries(folder)

    expected = [(each, -each - 0.5 if each else 0.5) for each in range(40)]
    assert [point for point in read["loss"] if point[0] != 7 or point == (7, -7.5)] == expected
    assert str(points(folder, "loss")) == str(read["loss"])  # NaN is not equal to itself
    assert told == {name: summarised(each) for name, each in read.items()}
    assert points(folder, "accuracy") == read.get("accuracy", [])
