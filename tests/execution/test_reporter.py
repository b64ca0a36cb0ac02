"""The worker's reporter: what a script says, put into files."""

from __future__ import annotations

import json
import os
import threading
import warnings as warnings_of
from fractions import Fraction

import pytest
from projects import wait_until

from mlpipeline.execution.reporter import MOST_KEPT, Diverged, FolderReporter
from mlpipeline.execution.writing import append_text


@pytest.fixture
def reporter(tmp_path):
    made = FolderReporter(str(tmp_path), "m/v#1")
    made.enter("train", 10)
    return made


def progress(folder):
    return json.loads((folder / "progress.json").read_text())


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_metrics_that_the_disk_refuses_are_written_when_there_is_room(reporter, tmp_path, capsys):
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")

    reporter.progress(1, None, {"loss": 0.5})
    reporter.flush()
    reporter.flush()
    (tmp_path / "metrics.jsonl").unlink()
    reporter.flush()

    assert [line["loss"] for line in metrics(tmp_path)] == [0.5]
    assert capsys.readouterr().err.count("No space left on device") == 1


def test_a_message_that_the_disk_refuses_is_still_printed(reporter, tmp_path, capsys):
    (tmp_path / "messages.log").symlink_to("/dev/full")

    reporter.message("half way", "INFO", log_to_file=True)

    assert "half way" in capsys.readouterr().out


def test_a_count_that_begins_anew_has_a_rate_of_its_own(reporter, tmp_path):
    for step in (1, 2, 3, 1):
        reporter.progress(step, 3, {})
    reporter.flush()
    at_first = progress(tmp_path)["rate"]
    reporter.progress(2, 3, {})
    reporter.flush()

    assert at_first is None
    assert progress(tmp_path)["rate"] > 0


@pytest.mark.parametrize(
    "total, kept", [(None, 10), (7, 7), (7.0, 7), (float("inf"), None), (float("nan"), None)]
)
def test_a_total_is_a_whole_number_or_unknown(reporter, tmp_path, total, kept):
    reporter.progress(True, total, {})
    reporter.flush()

    assert progress(tmp_path)["total"] == kept
    assert progress(tmp_path)["step"] == 1


# --- log_metrics


class Scalar:
    """A number as numpy and torch have it."""

    def __init__(self, value):
        self.value = value

    def item(self):
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


class Broken:
    """Nothing of it can be looked at."""

    def __getattr__(self, name):
        raise RuntimeError("no")

    def __repr__(self):
        raise RuntimeError("no")


def steps(folder):
    return [line["step"] for line in metrics(folder)]


def warnings(folder):
    path = folder / "messages.log"
    return [line for line in path.read_text().splitlines() if "WARNING" in line]


def test_a_line_has_step_time_and_metrics(reporter, tmp_path):
    reporter.metrics({"loss": 0.5, "epoch": 3}, 7)
    reporter.flush()

    (line,) = metrics(tmp_path)
    assert line.pop("time") > 1.7e9
    assert line == {"step": 7, "loss": 0.5, "epoch": 3}


@pytest.mark.parametrize(
    "value, recorded",
    [
        (Scalar(0.5), 0.5),
        (Scalar(3), 3),
        (True, 1),
        (Scalar(False), 0),
        (Fraction(1, 4), 0.25),
        (float("nan"), "nan"),
        (Scalar(float("-inf")), "-inf"),
        (10**400, "inf"),
        (-(10**400), "-inf"),
    ],
    ids=[
        "float scalar",
        "whole scalar",
        "true",
        "false scalar",
        "fraction",
        "nan",
        "-inf scalar",
        "huge",
        "-huge",
    ],
)
def test_whatever_is_a_number_is_recorded(reporter, tmp_path, value, recorded):
    reporter.metrics({"m": value}, 1)
    reporter.flush()

    assert [line["m"] for line in metrics(tmp_path)] == [recorded]
    assert not (tmp_path / "messages.log").exists()


@pytest.mark.parametrize(
    "value", ["0.5", None, [1.0], {"a": 1}, Scalar(ValueError("many")), 1j, Broken()], ids=type
)
def test_what_is_no_number_is_left_out_with_one_warning(reporter, tmp_path, capsys, value):
    for step in (1, 2):
        reporter.metrics({"bad": value, "loss": 0.5}, step)
    reporter.flush()

    assert [{*line} for line in metrics(tmp_path)] == [{"step", "time", "loss"}] * 2
    (warning,) = warnings(tmp_path)
    assert "the metric 'bad' is left out" in warning
    assert type(value).__name__ in warning
    assert capsys.readouterr().out.count("left out") == 1


@pytest.mark.parametrize("name", ["step", "time"])
def test_a_metric_with_a_name_that_lines_have_is_refused_once(reporter, tmp_path, name):
    for step in (1, 2):
        reporter.metrics({name: 5, "loss": 0.5}, step)
    reporter.flush()

    assert steps(tmp_path) == [1, 2]
    assert metrics(tmp_path)[0]["time"] > 1.7e9
    (warning,) = warnings(tmp_path)
    assert f"a metric can't be called '{name}'" in warning


@pytest.mark.parametrize("given", [None, 0.5, "loss", [("loss", 1)], Broken()], ids=type)
def test_what_is_no_mapping_is_pointed_out_once(reporter, tmp_path, given):
    for _ in range(2):
        reporter.metrics(given)
    reporter.flush()

    (warning,) = warnings(tmp_path)
    assert "log_metrics takes names with numbers" in warning
    assert not (tmp_path / "metrics.jsonl").exists()


def test_without_a_step_it_is_the_one_that_the_script_is_at(reporter, tmp_path):
    reporter.progress(3, None, {})
    reporter.metrics({"a": 1})
    reporter.metrics({"b": 1})
    reporter.at(4)
    reporter.metrics({"a": 1})
    reporter.flush()

    assert steps(tmp_path) == [3, 3, 4]


def test_without_any_step_calls_are_counted(reporter, tmp_path):
    reporter.metrics({"a": 1})
    reporter.metrics({"a": 1})
    reporter.metrics({"a": 1}, 10)
    reporter.metrics({"a": 1})
    reporter.flush()

    assert steps(tmp_path) == [1, 2, 10, 11]


@pytest.mark.parametrize("step", ["two", float("nan"), [], Broken()], ids=type)
def test_a_step_that_is_no_number_is_counted_instead(reporter, tmp_path, step):
    reporter.metrics({"a": 1}, step)
    reporter.metrics({"a": 1}, step)
    reporter.flush()

    assert steps(tmp_path) == [1, 2]
    (warning,) = warnings(tmp_path)
    assert "a step is not a number" in warning


def test_a_step_that_goes_back_is_pointed_out_once_and_recorded(reporter, tmp_path):
    for step in (5, 3, 2):
        reporter.metrics({"a": 1}, step)
    reporter.flush()

    assert steps(tmp_path) == [5, 3, 2]
    (warning,) = warnings(tmp_path)
    assert "metrics of step 3 come after those of step 5" in warning


def test_progress_may_count_each_epoch_anew(reporter, tmp_path):
    for step in (1, 2, 1, 2):
        reporter.progress(step, None, {"loss": 0.5})
    reporter.flush()

    assert steps(tmp_path) == [1, 2, 1, 2]
    assert not (tmp_path / "messages.log").exists()


def test_what_is_no_number_is_shown_with_progress_all_the_same(reporter, tmp_path):
    reporter.progress(1, None, {"phase": "warm up", "loss": Scalar(0.5)})
    reporter.flush()

    assert progress(tmp_path)["metrics"] == {"phase": "warm up", "loss": 0.5}
    assert [{*line} for line in metrics(tmp_path)] == [{"step", "time", "loss"}]


def test_stop_on_nan_holds_for_logged_metrics(tmp_path):
    reporter = FolderReporter(str(tmp_path), "m/v#1", stop_on_nan=True)
    reporter.metrics({"loss": 0.5}, 1)

    with pytest.raises(Diverged, match="loss is nan at step 2"):
        reporter.metrics({"loss": float("nan")}, 2)
    reporter.flush()

    assert steps(tmp_path) == [1, 2]


def test_each_metric_is_summed_up(reporter):
    for step, value in enumerate((3.0, float("nan"), 1.0, 1.0, 2.0), start=1):
        reporter.metrics({"loss": value}, step)
    reporter.metrics({"flat": float("inf")}, 6)

    assert reporter.metric_summaries() == {
        "loss": {
            "count": 5,
            "first_step": 1,
            "last": 2.0,
            "last_step": 5,
            "min": 1.0,
            "min_step": 3,
            "max": 3.0,
            "max_step": 1,
        },
        "flat": {
            "count": 1,
            "first_step": 6,
            "last": "inf",
            "last_step": 6,
            "min": None,
            "min_step": None,
            "max": None,
            "max_step": None,
        },
    }


def test_what_is_said_now_and_then_is_on_the_disk_at_once(reporter, tmp_path):
    for step in (1, 2, 3):
        reporter.metrics({"train_loss": 1}, step)
        reporter.metrics({"test_loss": 1}, step)

    assert len(metrics(tmp_path)) == 6


def test_what_comes_fast_is_written_in_few_writes(reporter, tmp_path, monkeypatch):
    writes = []
    monkeypatch.setattr(
        "mlpipeline.execution.reporter.append_text", lambda *content: writes.append(content)
    )
    monkeypatch.setattr("mlpipeline.execution.reporter.time", Clock())

    for step in range(10 * MOST_KEPT):
        reporter.metrics({"loss": 1}, step)

    assert len(writes) < 25
    assert sum(text.count("\n") for _, _, text in writes) > 9 * MOST_KEPT


def test_metrics_are_kept_within_bounds_while_the_disk_takes_none(reporter, tmp_path, monkeypatch):
    monkeypatch.setattr("mlpipeline.execution.metrics.MOST_LINES", 50)
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")

    for step in range(100):
        reporter.metrics({"loss": 1}, step)
    reporter.flush()
    (tmp_path / "metrics.jsonl").unlink()
    reporter.flush()

    assert steps(tmp_path) == list(range(50, 100))
    assert reporter.metric_summaries()["loss"]["count"] == 100


def test_names_without_end_do_not_fill_the_memory(reporter, monkeypatch):
    monkeypatch.setattr("mlpipeline.execution.metrics.MOST_NAMES", 10)

    for number in range(100):
        reporter.metrics({f"m{number}": 1, f"bad{number}": "x"})

    assert len(reporter.metric_summaries()) <= 10


# --- threads and children


def test_points_of_several_threads_are_all_written_and_each_once(reporter, tmp_path, capsys):
    begin = threading.Barrier(3)

    def log(name):
        begin.wait()
        for step in range(5_000):
            reporter.metrics({name: step}, step)
            reporter.progress(step, None, {})

    threads = [threading.Thread(target=log, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reporter.flush()

    lines = metrics(tmp_path)
    for name in "abc":
        assert [line["step"] for line in lines if name in line] == list(range(5_000))
        assert reporter.metric_summaries()[name]["count"] == 5_000
    assert capsys.readouterr().err == ""


def test_a_forked_child_leaves_what_is_its_parents_alone(reporter, tmp_path, monkeypatch):
    monkeypatch.setattr("mlpipeline.execution.reporter.AT_ONCE", 0)
    reporter.flush()
    reporter.metrics({"loss": 1}, 1)  # waits to be written
    before = (tmp_path / "progress.json").stat().st_mtime_ns

    in_a_child(
        lambda: reporter.metrics({"loss": 2}, 2),
        lambda: reporter.progress(2, None, {"loss": 2}),
        lambda: reporter.enter("test"),
        reporter.flush,
    )

    assert not (tmp_path / "metrics.jsonl").exists()
    assert (tmp_path / "progress.json").stat().st_mtime_ns == before
    reporter.flush()
    assert steps(tmp_path) == [1]


def test_a_child_that_is_forked_while_a_thread_reports_does_not_wait_for_it(reporter, tmp_path):
    os.mkfifo(tmp_path / "metrics.jsonl")  # whoever writes there waits for a reader
    thread = threading.Thread(target=reporter.metrics, args=({"loss": 1}, 1))
    thread.start()
    wait_until(lambda: reporter._is_writing)

    in_a_child(lambda: reporter.metrics({"loss": 2}, 2), reporter.flush)

    with (tmp_path / "metrics.jsonl").open() as reader:
        thread.join()
        assert reader.read().count("loss") == 1


def test_what_the_handler_of_a_signal_reports_amid_a_write_is_written_once(
    reporter, tmp_path, monkeypatch
):
    def interrupted(*content):
        append_text(*content)
        monkeypatch.setattr("mlpipeline.execution.reporter.append_text", append_text)
        reporter.metrics({"loss": 2}, 2)
        reporter.flush()

    monkeypatch.setattr("mlpipeline.execution.reporter.append_text", interrupted)
    reporter.metrics({"loss": 1}, 1)
    reporter.flush()

    assert steps(tmp_path) == [1, 2]


def in_a_child(*calls):
    """Make ``calls`` in a forked child, which ends well."""
    with warnings_of.catch_warnings():
        warnings_of.simplefilter("ignore", DeprecationWarning)  # a fork beside threads
        child = os.fork()
    if child == 0:
        code = 1
        try:
            for call in calls:
                call()
            code = 0
        finally:
            os._exit(code)
    assert waited(child) == 0


def waited(child):
    """The exit status of a child, which must not hang."""
    ends = []

    def has_ended():
        pid, status = os.waitpid(child, os.WNOHANG)
        ends.append(status)
        return pid == child

    try:
        wait_until(has_ended)
    except BaseException:
        os.kill(child, 9)
        os.waitpid(child, 0)
        raise
    return ends[-1]


class Clock:
    """Stands still."""

    @staticmethod
    def monotonic():
        return 1000.0

    @staticmethod
    def time():
        return 0.0
