"""The worker's reporter: what a script says, put into files."""

from __future__ import annotations

import json

import pytest

from mlpipeline.execution.reporter import FolderReporter


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
