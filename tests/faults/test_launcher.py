"""A Hydra sweep through the launcher survives the death of whoever has to do with it."""

import os
import shutil
import signal

import pytest

pytest.importorskip("hydra")

from hydra_apps import App
from projects import is_there, wait_until

SWEEP = "lr=range(0,12)"
NAMES = [f"lr={number}" for number in range(12)]
AMID = """
Path(f"began-{cfg.lr}").touch()
if cfg.lr == 5:
    wait_for_file("go")
with open("ran", "a") as file:
    file.write(f"lr={cfg.lr}\\n")
return cfg.lr
"""


def session_of(app: App) -> int:
    (path,) = app.project.outputs.glob("scheduler-*.pid")
    return int(path.read_text())


def executed(app: App) -> list[str]:
    return (app.folder / "ran").read_text().split()


@pytest.mark.parametrize("victims", ["app", "session", "both"])
def test_the_same_command_runs_exactly_what_is_missing(tmp_path, victims):
    app = App(tmp_path, AMID)
    launch = app.start(SWEEP)
    wait_until((tmp_path / "began-5").exists, "the sweep is amid")
    session = session_of(app)
    assert executed(app) == NAMES[:5]

    if victims != "app":
        os.kill(session, signal.SIGKILL)
        wait_until(lambda: not is_there(session))
    if victims != "session":
        launch.kill()
        launch.communicate()
    (tmp_path / "go").touch()
    if victims == "session":
        printed, complained = launch.communicate(timeout=60)
        assert launch.returncode == 0, complained
        assert "killed by SIGKILL; another one goes on" in printed

    done = app.launch(SWEEP)
    assert done.returncode == 0, done.stderr
    assert executed(app) == NAMES  # each once, in their order
    assert set(app.project.outcomes().values()) == {"succeeded"}
    again = app.launch(SWEEP)
    assert "12 of them have run already" in again.stdout
    assert executed(app) == NAMES


def test_ctrl_c_stops_the_jobs_and_the_same_command_goes_on(tmp_path):
    app = App(tmp_path, AMID)
    launch = app.start(SWEEP)
    wait_until((tmp_path / "began-5").exists, "the sweep is amid")
    session = session_of(app)

    launch.send_signal(signal.SIGINT)
    printed, complained = launch.communicate(timeout=60)

    assert launch.returncode == 130, complained
    assert "7 jobs left: the same command goes on with them" in printed
    assert not is_there(session)
    assert "Traceback" not in complained
    (tmp_path / "go").touch()
    assert app.launch(SWEEP).returncode == 0
    assert executed(app) == NAMES


def test_a_session_that_is_told_to_end_is_not_started_anew(tmp_path):
    app = App(tmp_path, AMID)
    launch = app.start(SWEEP)
    wait_until((tmp_path / "began-5").exists, "the sweep is amid")

    app.project.run("stop", "--now", "--wait")
    _, complained = launch.communicate(timeout=60)

    assert launch.returncode == 1
    assert "7 jobs are left: the same command goes on with them" in complained
    assert "Traceback" not in complained


def test_a_job_that_dies_without_a_word_is_a_failed_one(tmp_path):
    app = App(tmp_path, "if cfg.lr == 1:\n    os._exit(9)\nreturn cfg.lr")

    done = app.launch("lr=0,1,2")

    assert done.returncode == 1
    assert "\t#1 app-" in done.stdout.partition("did not run well")[2]
    assert "exited with status 9" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert len(app.started()) == 3


def test_what_can_not_be_written_is_not_listed(tmp_path):
    app = App(tmp_path)
    app.launch("lr=1", "hydra.launcher.wait=false")
    before = (tmp_path / "models.config").read_text()
    handed_over = app.project.outputs / "handed-over"
    shutil.rmtree(handed_over)
    handed_over.touch()  # where a folder is to be

    done = app.launch("lr=1,2")

    assert done.returncode == 1
    assert "can't be written to" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "models.config").read_text() == before
    assert len(app.models) == 1
