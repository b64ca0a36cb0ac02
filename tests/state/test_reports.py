"""Reports: the log, the output and each run's run.yaml, as people read them."""

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import msgspec
import pytest
import yaml
from core.events import clock, finished, starting
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlpipeline.core.launch import Exit, Failure, Report
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.listening import Ended, Launched, Level
from mlpipeline.core.runs import Outcome, advance
from mlpipeline.state.layout import Layout
from mlpipeline.state.reports import Reports, output_block

PARAMETERS = {"learning_rate": 0.01, "layers": [64, 32], "net": "cnn", "dataloader": "x.Digits"}
TRACEBACK = 'Traceback (most recent call last):\n  File "m.py", line 3\nValueError: no\n'


@pytest.fixture
def layout(tmp_path):
    layout = Layout.of(tmp_path, tmp_path / "models", "here")
    layout.outputs.mkdir(parents=True)
    return layout


def launched(run, parameters=PARAMETERS, **fields):
    version = ListedVersion(name="v", signature="s1", model_dir="m-v", parameters=parameters)
    model = ListedModel(name="m", path="m.py", sources={"m.py": "d1"}, versions=(version,))
    return Launched(run=run, model=model, version=version, **fields)


def report(**fields):
    return Report(
        **{
            "ending": "returned",
            "steps": 100,
            "trained_before": 20,
            "results": {"train": {"accuracy": 1.0}, "test": {"accuracy": 0.94, "loss": 0.21}},
            "summary": {"model": "three layers\nof 64", "dataloader": "1797 digits"},
            "environment": {
                "python": "3.11.7",
                "CUDA_VISIBLE_DEVICES": "0",
                "PYTHONHASHSEED": "random",
            },
            **fields,
        }
    )


RAISED = report(
    ending="exception",
    results={},
    failures=[Failure(part="train_model", type="ValueError", message="no", traceback=TRACEBACK)],
)
EXIT = Exit(status=0, signal=None, ended_at=clock(90), cpu_seconds=12.3456, peak_memory=123_456_789)


def begin(layout, **fields):
    """Make the folder of a run that starts."""
    run = advance(None, starting(**fields), "here")
    layout.run_folder(run.id).path.mkdir(parents=True)
    return run


def end(run, told=None, *, outcome=Outcome.SUCCEEDED, reason=""):
    return advance(
        run,
        finished(
            seconds=90,
            outcome=outcome,
            reason=reason,
            steps=told.steps if told else None,
            results=told.results if told else {},
        ),
        "here",
    )


def whole(layout, *, git=None, told=None, exit=EXIT, log=True, **ending):
    """Report one run from its start to its end."""
    told = told or report()
    reports = Reports(layout, log=log)
    run = begin(layout)
    start = launched(run, git=git)
    reports.started(start)
    reports.tick()
    run = end(run, told, **ending)
    reports.ended(Ended(launched=start, run=run, exit=exit, report=told))
    return run


def record_of(layout, run):
    return yaml.safe_load(layout.run_folder(run.id).record.read_text("utf-8"))


# --- run.yaml


def test_the_record_of_a_run_that_started_says_all_that_is_known(layout):
    run = begin(layout, resume=True)

    reports = Reports(layout)
    reports.started(launched(run, git={"commit": "abc", "dirty": True}))
    reports.tick()

    assert record_of(layout, run) == {
        "run": "m/v#1",
        "outcome": "running",
        "model": "m",
        "version": "v",
        "attempt": 1,
        "resumed": True,
        "parameters": PARAMETERS,
        "signature": "s1",
        "script": "m.py",
        "sources_sha256": {"m.py": "d1"},
        "git": {"commit": "abc", "dirty": True},
        "host": "here",
        "model_dir": "m-v",
        "started": "2024-02-29T00:00:00+00:00",
    }


def test_the_record_of_a_run_that_ended_says_how(layout):
    run = whole(layout)

    record = record_of(layout, run)

    assert record["outcome"] == "succeeded"
    assert record["seconds"] == 90
    assert datetime.fromisoformat(record["ended"]) == clock(90)
    assert record["results"] == {
        "train": {"accuracy": 1.0},
        "test": {"accuracy": 0.94, "loss": 0.21},
    }
    assert (record["steps"], record["steps_before"]) == (100, 20)
    assert record["summary"] == {"model": "three layers\nof 64", "dataloader": "1797 digits"}
    assert record["exit"] == {"status": 0}
    assert (record["cpu_seconds"], record["peak_memory_mb"]) == (12.346, 123.5)


def test_the_record_of_a_run_that_ended_says_what_it_ran_in(layout):
    run = whole(layout, git={"commit": "abc", "dirty": False})

    record = record_of(layout, run)

    assert record["parameters"] == PARAMETERS
    assert (record["script"], record["sources_sha256"]) == ("m.py", {"m.py": "d1"})
    assert record["git"] == {"commit": "abc", "dirty": False}
    assert record["host"] == "here"
    assert record["gpus"] == "0"
    assert record["seeds"] == {"PYTHONHASHSEED": "random"}
    assert record["environment"] == {"python": "3.11.7"}


def test_the_record_of_a_run_that_failed_has_the_traceback(layout):
    run = whole(layout, told=RAISED, outcome=Outcome.FAILED, reason="ValueError: no")

    record = record_of(layout, run)

    assert (record["outcome"], record["reason"]) == ("failed", "ValueError: no")
    assert record["failures"] == [
        {"part": "train_model", "error": "ValueError: no", "traceback": TRACEBACK}
    ]


def test_the_record_of_a_run_that_was_killed_names_the_signal(layout):
    exit = msgspec.structs.replace(EXIT, status=None, signal=9)

    run = whole(layout, exit=exit, outcome=Outcome.KILLED, reason="SIGKILL")

    assert record_of(layout, run)["exit"]["signal"] == 9


def test_a_record_leaves_out_what_is_not_there(layout):
    reports, run = Reports(layout), begin(layout)
    reports.started(launched(run))
    reports.tick()
    run = end(run, outcome=Outcome.LOST)

    reports.ended(Ended(launched=launched(run), run=run, exit=None, report=None))

    record = record_of(layout, run)
    assert not {"git", "reason", "exit", "results", "failures"} & record.keys()
    assert None not in record.values()


def test_a_record_keeps_what_is_zero_or_false(layout):
    run = whole(layout, told=report(steps=0, trained_before=0))

    record = record_of(layout, run)

    assert (record["steps"], record["steps_before"], record["resumed"]) == (0, 0, False)


def test_a_record_is_readable_as_it_is(layout):
    run = whole(layout, told=report(summary={"model": "größe ≈ 3"}))

    text = layout.run_folder(run.id).record.read_text("utf-8")

    assert text.startswith("run: m/v#1\noutcome: succeeded\n")
    assert "größe ≈ 3" in text
    assert "!!" not in text
    assert "&id" not in text


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.text() | st.sampled_from(
    ["yes", "null", "1e-5", "2024-01-01", "- a: b", "#", "\x85\u2028"]
)
PLAIN = st.recursive(
    LEAVES | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)  # it waits for the disk
@given(PLAIN)
@example(1e-05)
@example("one\n  two\n\n three \n")
@example("\x00\x1b[0m\ufeff")
def test_every_plain_value_is_read_back_from_a_record(value):
    with TemporaryDirectory() as folder:
        layout = Layout.of(Path(folder), Path(folder), "here")
        run = begin(layout)
        reports = Reports(layout, log=False)
        reports.started(launched(run, parameters={"value": value}))
        reports.tick()

        record = record_of(layout, run)

    assert record["parameters"] == {"value": value}


def test_a_run_that_is_over_at_once_has_its_record_written_once(layout):
    run = begin(layout)
    reports = Reports(layout)
    reports.started(launched(run))

    assert not layout.run_folder(run.id).record.exists()
    reports.ended(Ended(launched=None, run=end(run, report()), exit=EXIT, report=report()))
    reports.tick()

    assert record_of(layout, run)["outcome"] == "succeeded"


# --- a run that an earlier session started


def test_the_record_of_an_adopted_run_keeps_what_it_said_before(layout):
    run = begin(layout)
    reports = Reports(layout)
    reports.started(launched(run, git={"commit": "abc", "dirty": False}))
    reports.tick()
    before = record_of(layout, run)
    ended = end(run, report())

    Reports(layout).ended(Ended(launched=None, run=ended, exit=EXIT, report=report()))

    record = record_of(layout, run)
    assert record["outcome"] == "succeeded"
    assert {key: record[key] for key in before if key != "outcome"} == {
        key: value for key, value in before.items() if key != "outcome"
    }
    assert list(record)[: len(before)] == list(before)


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b"a: [", b"text"])
def test_an_adopted_run_whose_record_is_damaged_has_a_new_one(content, layout):
    run = begin(layout)
    layout.run_folder(run.id).record.write_bytes(content)

    Reports(layout).ended(Ended(launched=None, run=end(run), exit=EXIT, report=report()))

    record = record_of(layout, run)
    assert (record["run"], record["outcome"]) == ("m/v#1", "succeeded")


def test_an_adopted_run_without_a_record_has_a_new_one(layout):
    run = begin(layout)

    Reports(layout).ended(Ended(launched=None, run=end(run), exit=None, report=None))

    assert record_of(layout, run)["outcome"] == "succeeded"


# --- output-<hostname>


def test_the_output_has_a_block_for_each_run_that_ended(layout):
    run = whole(layout)
    other = begin(layout, version="w")
    other = advance(other, finished("w", seconds=3), "here")

    Reports(layout).ended(Ended(launched=None, run=other, exit=None, report=None))

    blocks = layout.output.read_text().split("\n\n")
    assert [block.split("\n")[0] for block in blocks[:-1]] == [
        "[2024-02-29T00:01:30+00:00] m/v#1",
        "[2024-02-29T00:00:03+00:00] m/w#1",
    ]
    assert run.id != other.id


def test_a_block_says_how_the_run_went(layout):
    whole(layout)

    assert layout.output.read_text() == (
        "[2024-02-29T00:01:30+00:00] m/v#1\n"
        "    outcome: succeeded\n"
        "    took: 1 min 30 s, 100 steps trained\n"
        "    result on train: accuracy 1\n"
        "    result on test: accuracy 0.94, loss 0.21\n"
        "    parameters: learning_rate 0.01, layers [64, 32], net cnn, dataloader x.Digits\n"
        "    model summary:\n"
        "        three layers\n"
        "        of 64\n"
        "    dataloader summary:\n"
        "        1797 digits\n"
        "\n"
    )


def test_a_block_says_why_a_run_failed(layout):
    whole(layout, told=RAISED, outcome=Outcome.FAILED, reason="ValueError: no")

    assert "    outcome: failed: ValueError: no\n" in layout.output.read_text()


def test_a_block_of_a_run_that_left_nothing_is_short():
    run = end(advance(None, starting(), "here"), outcome=Outcome.LOST, reason="gone")

    block = output_block(Ended(launched=None, run=run, exit=None, report=None), None)

    assert block == (
        "[2024-02-29T00:01:30+00:00] m/v#1\n    outcome: lost: gone\n    took: 1 min 30 s\n\n"
    )


@pytest.mark.parametrize(
    "told",
    [
        report(results={"test": "precision 0.9\nrecall 0.8"}),
        report(summary={"model": "one\n\n[2024-02-29] not/a#1"}),
        report(summary={"model": "one\r[2024-02-29] not/a#1"}),
    ],
    ids=["results", "summary", "carriage return"],
)
def test_every_line_of_a_block_but_the_first_is_indented(told):
    run = end(advance(None, starting(), "here"), told)

    block = output_block(Ended(launched=None, run=run, exit=None, report=told), None)

    assert [line for line in block.splitlines()[1:] if line and line[:4] != " " * 4] == []


# --- log-<hostname>


def test_the_log_has_a_line_for_the_start_and_one_for_the_end(layout):
    whole(layout)

    assert layout.log.read_text() == (
        "[2024-02-29T00:00:00+00:00]::INFO - m/v#1 started\n"
        "[2024-02-29T00:01:30+00:00]::INFO - m/v#1 succeeded\n"
    )


def test_the_log_says_when_a_run_is_resumed(layout):
    Reports(layout).started(launched(begin(layout, resume=True)))

    assert "m/v#1 resumed" in layout.log.read_text()


def test_the_log_has_the_traceback_of_a_failure_below_its_line(layout):
    whole(layout, told=RAISED, outcome=Outcome.FAILED, reason="ValueError: no")

    assert layout.log.read_text().splitlines()[1:] == [
        "[2024-02-29T00:01:30+00:00]::ERROR - m/v#1 failed: ValueError: no",
        "    in train_model:",
        "    Traceback (most recent call last):",
        '      File "m.py", line 3',
        "    ValueError: no",
    ]


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        (Outcome.SUCCEEDED, "INFO"),
        (Outcome.INTERRUPTED, "INFO"),
        (Outcome.FAILED, "ERROR"),
        (Outcome.CRASHED, "ERROR"),
        (Outcome.KILLED, "ERROR"),
        (Outcome.LOST, "ERROR"),
    ],
)
def test_only_what_went_wrong_is_an_error_in_the_log(outcome, level, layout):
    whole(layout, outcome=outcome)

    assert f"]::{level} - m/v#1 {outcome.value}" in layout.log.read_text().splitlines()[1]


def test_messages_and_a_scripts_own_lines_are_added_to_the_log(layout):
    layout.log.write_text("earlier\n")
    reports = Reports(layout)

    reports.message(clock(0), Level.WARNING, "careful")
    reports.logged(SimpleNamespace(), ["[t]::INFO - from the script", "    more"])
    reports.logged(SimpleNamespace(), [])

    assert layout.log.read_text() == (
        "earlier\n"
        "[2024-02-29T00:00:00+00:00]::WARNING - careful\n"
        "[t]::INFO - from the script\n"
        "    more\n"
    )


def test_without_a_log_only_the_log_is_missing(layout):
    run = whole(layout, log=False)

    assert not layout.log.exists()
    assert layout.output.exists()
    assert record_of(layout, run)["outcome"] == "succeeded"
