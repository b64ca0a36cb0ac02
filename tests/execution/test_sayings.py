"""Metrics are found in what a program prints, whatever it prints."""

import json
import os

import pytest

from mlpipeline.api.saying import FILE, SayingReporter
from mlpipeline.core import run_files
from mlpipeline.execution import sayings
from mlpipeline.execution.reporter import Diverged, FolderReporter
from mlpipeline.execution.sayings import Sayings

METRICS = {"loss": r"loss[:=] *(\S+)", "acc": r"acc *= *([0-9.]+)"}


class Heard:
    """A run whose program has printed something."""

    def __init__(self, folder, metrics=METRICS, **options):
        self.folder = folder
        self.console = folder / run_files.CONSOLE
        self.console.touch()
        self.reporter = FolderReporter(str(folder), "m/v#1", **options)
        self.sayings = Sayings(str(folder), metrics, self.reporter)

    def print(self, text):
        with self.console.open("ab") as file:
            file.write(text.encode())
        self.sayings.look()

    def metrics(self):
        self.sayings.finish()
        lines = (self.folder / run_files.METRICS).read_text().splitlines()
        told = [json.loads(line) for line in lines]
        return [{key: value for key, value in each.items() if key != "time"} for each in told]

    def log(self):
        return (self.folder / run_files.MESSAGES).read_text()


@pytest.fixture
def heard(tmp_path):
    return Heard(tmp_path)


def test_the_n_th_value_of_a_metric_is_that_of_step_n(heard):
    heard.print("loss: 0.5\nnothing\nloss=0.25 acc = 0.9\nacc = 0.8\n")

    assert heard.metrics() == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "loss": 0.25},
        {"step": 1, "acc": 0.9},
        {"step": 2, "acc": 0.8},
    ]


def test_a_metric_called_step_says_which_step_the_others_are_of(tmp_path):
    heard = Heard(tmp_path, {"step": r"epoch (\d+)", **METRICS})
    heard.print("epoch 10 loss: 1\nacc = 0.5\nepoch 20\nloss: 2\n")

    assert heard.metrics() == [
        {"step": 10, "loss": 1.0},
        {"step": 10, "acc": 0.5},
        {"step": 20, "loss": 2.0},
    ]


def test_a_line_counts_once_it_is_whole_or_the_program_has_ended(heard):
    for part in ("lo", "ss: 0.", "5\nloss: 0.2", "5"):
        heard.print(part)

    assert heard.metrics() == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}]


def test_colours_and_bars_that_are_drawn_anew_are_seen_through(heard):
    heard.print("\x1b[1mloss\x1b[0m: \x1b[32m0.5\x1b[0m\n10%|# | loss=0.4\r20%|##| loss=0.3\r\n")
    heard.print("\x1b]0;title\x07loss: 1e-3\n")

    assert [each["loss"] for each in heard.metrics()] == [0.5, 0.4, 0.3, 0.001]


def test_an_expression_does_not_reach_from_one_line_into_another(tmp_path):
    heard = Heard(tmp_path, {"loss": r"loss:\s*(\S+)", "last": r"^end (\d)$"})
    heard.print("loss:\n5\nloss: 6\nend 7\n")

    assert heard.metrics() == [{"step": 1, "loss": 6.0}, {"step": 1, "last": 7.0}]


def test_what_is_no_number_is_told_once(heard):
    heard.print("loss: low\nloss: low\nloss: 1\n")

    assert heard.metrics() == [{"step": 1, "loss": 1.0}]
    assert heard.log().count("finds 'low', which is no number") == 1


def test_bytes_that_are_no_text_are_no_obstacle(heard):
    with heard.console.open("ab") as file:
        file.write(b"\xff\xfe\x00loss: 3\xff\nloss: 4\n")

    assert heard.metrics() == [{"step": 1, "loss": 4.0}]


def test_what_console_limit_has_given_back_is_skipped(heard):
    with heard.console.open("r+b") as file:
        file.write(b"loss: 1\n")
        file.truncate(32 << 20)  # a hole
        file.seek(0, os.SEEK_END)
        file.write(b"\nloss: 2\n")

    assert [each["loss"] for each in heard.metrics()] == [1.0, 2.0]


def test_what_prints_faster_than_it_is_read_is_left_out_and_that_is_told(heard, monkeypatch):
    monkeypatch.setattr(sayings, "CHUNK", 100)
    heard.sayings._console._most_behind = 1000
    heard.print("loss: 1\n" + "x" * 2000 + "\nloss: 2\n")

    assert [each["loss"] for each in heard.metrics()] == [2.0]
    assert "faster than metrics are read" in heard.log()


def test_a_metric_that_is_no_number_any_more_is_noticed(tmp_path):
    heard = Heard(tmp_path, stop_on_nan=True)

    with pytest.raises(Diverged, match="loss is nan at step 2"):
        heard.print("loss: 1\nloss: nan\n")


def test_what_a_program_says_itself_comes_with_the_time_when_it_was_said(heard):
    said = SayingReporter(str(heard.folder))
    said.metrics({"loss": 0.5}, None)
    said.metrics({"loss": 0.25}, 7)
    said.at(9)
    said.metrics({"acc": 1}, None)

    assert heard.metrics() == [
        {"step": 1, "loss": 0.5},
        {"step": 7, "loss": 0.25},
        {"step": 9, "acc": 1},
    ]
    assert not (heard.folder / FILE).exists()


def test_a_program_may_say_how_far_it_is(heard):
    SayingReporter(str(heard.folder)).progress(3, 10, {"loss": 1.0})

    heard.sayings.finish()

    progress = json.loads((heard.folder / run_files.PROGRESS).read_text())
    assert (progress["step"], progress["total"]) == (3, 10)


@pytest.mark.parametrize(
    "values, words",
    [
        ({"a": "x"}, "the metric 'a' is left out: it is no number but of the type str"),
        (3, "type int"),
    ],
)
def test_what_is_no_metric_is_left_out_with_a_warning(heard, capsys, values, words):
    SayingReporter(str(heard.folder)).metrics(values, 1)

    heard.sayings.finish()

    assert words in heard.log()
    assert words in capsys.readouterr().out


def test_what_a_forked_child_says_is_its_own(heard):
    said = SayingReporter(str(heard.folder))
    pid = os.fork()
    if pid == 0:
        said.metrics({"loss": 1.0}, 1)
        os._exit(0)
    os.waitpid(pid, 0)
    said.metrics({"loss": 2.0}, 2)

    assert heard.metrics() == [{"step": 2, "loss": 2.0}]


@pytest.mark.parametrize(
    "line",
    [
        *('{"metrics": {"loss": 0.5}, "st', "[1]", "3", "{}", "[" * 10_000),
        *('{"at": "x", "time": 1}', '{"message": 1, "level": "INFO", "time": 1}'),
        '{"metrics": [1], "step": 1, "time": 1}',
    ],
)
def test_a_line_that_is_cut_or_somebody_elses_is_passed_over(heard, line):
    (heard.folder / FILE).write_text(f'{line}\n{{"metrics": {{"a": 1}}, "step": 1, "time": 1}}\n')

    assert heard.metrics() == [{"step": 1, "a": 1}]


def test_a_mistake_of_ours_in_recording_is_not_kept_secret(heard, monkeypatch):
    SayingReporter(str(heard.folder)).metrics({"a": 1}, 1)

    def fails(*_):
        raise LookupError("a bug")

    monkeypatch.setattr(FolderReporter, "metrics", fails)

    with pytest.raises(LookupError):
        heard.sayings.look()
