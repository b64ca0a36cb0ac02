"""Files that a script keeps with its run."""

from __future__ import annotations

import os

import pytest

from mlpipeline import log_artifact
from mlpipeline.api.artifacts import keep
from mlpipeline.api.reporting import Reporter, install_reporter
from mlpipeline.api.saying import SayingReporter
from mlpipeline.execution.reporter import FolderReporter


def names(folder):
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def test_a_file_is_copied_under_its_name(run, tmp_path):
    (tmp_path / "plot.svg").write_text("first")
    keep(str(run), tmp_path / "plot.svg")
    (tmp_path / "plot.svg").write_text("second")
    assert (run / "artifacts" / "plot.svg").read_text() == "first"
    keep(str(run), str(tmp_path / "plot.svg"))
    assert (run / "artifacts" / "plot.svg").read_text() == "second"
    assert names(run) == ["artifacts"]


def test_a_folder_takes_the_place_of_the_one_before(run, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "old").write_text("")
    keep(str(run), model, "models/best")
    (model / "old").rename(model / "new")
    keep(str(run), model, "models/best")
    assert names(run / "artifacts/models/best/model") == ["new"]


@pytest.mark.parametrize("place", ["..", "a/../../b", "/tmp"])
def test_no_artifact_leaves_the_run(run, tmp_path, place):
    (tmp_path / "x").write_text("")
    with pytest.raises(ValueError, match="leads out of the run's artifacts"):
        keep(str(run), tmp_path / "x", place)
    assert names(run) == []


def test_a_copy_that_fails_leaves_what_was_there(run, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_text("good")
    keep(str(run), model)
    os.mkfifo(model / "pipe")  # can't be copied
    with pytest.raises(OSError):
        keep(str(run), model)
    assert names(run / "artifacts/model") == ["weights"]
    assert names(run) == ["artifacts"]


@pytest.mark.parametrize("kind", ["of a model script", "of a program"])
def test_what_can_not_be_kept_is_warned_of_and_the_run_goes_on(run, capsys, kind):
    reporter = FolderReporter(str(run), "m/v#1") if "script" in kind else SayingReporter(str(run))
    install_reporter(reporter)
    try:
        log_artifact("missing.txt")
        log_artifact(None)
        log_artifact("missing.txt")
    finally:
        install_reporter(Reporter())
    warnings = capsys.readouterr().out.splitlines()
    assert len(warnings) == 2
    assert "the artifact 'missing.txt' is not kept: " in warnings[0]


def test_outside_the_queue_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    install_reporter(Reporter())
    log_artifact("missing.txt")
    assert names(tmp_path) == []
