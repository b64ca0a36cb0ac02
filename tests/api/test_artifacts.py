"""Files that a script keeps with its run."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager

import pytest

from mlpipeline import log_artifact
from mlpipeline.api import artifacts
from mlpipeline.api.artifacts import keep
from mlpipeline.api.reporting import Reporter, install_reporter
from mlpipeline.api.saying import SayingReporter
from mlpipeline.execution.reporter import FolderReporter

_LOOKS = []
sys.addaudithook(lambda event, given: [look(event, given) for look in _LOOKS])  # stays for good


@contextmanager
def hooked(look):
    """``look`` is called before each thing that the interpreter audits."""
    _LOOKS.append(look)
    try:
        yield
    finally:
        _LOOKS.remove(look)


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


@pytest.mark.parametrize("can_swap", [True, False])
def test_a_kill_at_any_step_leaves_a_whole_folder(run, tmp_path, monkeypatch, can_swap):
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_text("old")
    keep(str(run), model)
    (model / "weights").write_text("new")
    if not can_swap:
        monkeypatch.setattr(artifacts, "_swap", lambda one, other: False)
    found = []

    def look(event, _):
        if event in ("os.rename", "os.remove", "os.rmdir", "shutil.rmtree"):
            whole = [path.read_text() for path in run.glob("artifacts/model/weights")]
            found.append(
                whole or [path.read_text() for path in run.glob(".artifact-*-old/weights")]
            )

    with hooked(look):
        keep(str(run), model)
    assert found
    assert all(found)
    assert not can_swap or found[-1] == ["new"]
    assert (run / "artifacts/model/weights").read_text() == "new"
    assert names(run) == ["artifacts"]


@pytest.mark.parametrize("can_swap", [True, False])
def test_a_file_takes_the_place_of_a_folder_and_the_other_way(run, tmp_path, monkeypatch, can_swap):
    if not can_swap:
        monkeypatch.setattr(artifacts, "_swap", lambda one, other: False)
    for _ in range(2):
        (tmp_path / "x").mkdir()
        (tmp_path / "x/y").write_text("")
        keep(str(run), tmp_path / "x")
        assert names(run / "artifacts/x") == ["y"]
        (tmp_path / "x/y").unlink()
        (tmp_path / "x").rmdir()
        (tmp_path / "x").write_text("a file")
        keep(str(run), tmp_path / "x")
        assert (run / "artifacts/x").read_text() == "a file"
        (tmp_path / "x").unlink()
    assert names(run) == ["artifacts"]


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
