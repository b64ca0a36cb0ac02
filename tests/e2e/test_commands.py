"""status, logs, init, and the command itself."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from projects import COMMAND, wait_until

import mlpipeline


def test_status_shows_queue_and_past_runs_with_reasons(project):
    project.model("done.py", "v")
    project.model("bad.py", "v", body="raise ValueError('not today')")
    project.model("gone.py", "v")
    project.list("done.py", "bad.py", "gone.py")
    project.run("-r", "-u")
    project.model("new.py", "v")
    project.script("empty.py", "x = 1\n")
    project.list("done.py", "bad.py", "new.py", "empty.py")

    done = project.run("status", "--all")

    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "done" in rows["done/v#1"]
    assert "test size 4" in rows["done/v#1"]
    assert "ValueError: not today" in rows["bad/v#1"]
    assert "queued" in rows["new/v"]
    assert "no global MODEL" in rows["empty.py"]
    assert "not listed" in rows["gone/v#1"]


def test_status_with_a_broken_list_still_shows_what_ran(project):
    project.model("m.py", "v")
    project.list("m.py")
    project.run("-r")
    (project.folder / "models.config").write_text("m.py\n")

    done = project.run("status")

    assert done.returncode == 2
    assert "m/v#1" in done.stdout
    assert "models.config:1: 'm.py' stands before any section" in done.stderr


def test_status_as_json(project):
    project.model("m.py", "v")
    project.list("m.py")

    found = json.loads(project.run("status", "--json").stdout)

    assert [(row["run"], row["state"]) for row in found["rows"]] == [("m/v", "queued")]
    assert found["counts"] == {"queued": 1}
    assert found["pid"] is None


def test_logs_prints_what_a_run_printed(project):
    project.model("m.py", "v", body="print('hello')")
    project.list("m.py")
    project.run("-r")
    project.model("m.py", "v", body="print('again')")
    project.run("-r")

    assert project.run("logs", "m/v#1").stdout == "hello\n"
    assert project.run("logs", "m/v").stdout == "again\n"


def test_logs_of_an_unknown_run_names_the_nearest(project):
    project.model("m.py", "v")
    project.list("m.py")
    project.run("-r")

    done = project.run("logs", "m/w")

    assert done.returncode == 2
    assert "did you mean m/v?" in done.stderr


def test_logs_follows_a_run_to_its_end(project):
    project.model("m.py", "v", body="print('first'); wait_for_file('go'); print('last')")
    project.list("m.py")
    session = project.start("-r")
    wait_until((project.folder_of("m", "v") / "console.log").exists, "the run starts")
    follower = project.start("logs", "m/v", "-f")
    assert follower.stdout.readline() == "first\n"

    (project.folder / "go").touch()

    rest, _ = follower.communicate(timeout=60)
    session.communicate(timeout=60)
    assert rest == "last\n"
    assert follower.returncode == 0


def test_logs_of_a_run_that_is_gone_unrecorded_come_to_an_end(project):
    project.model("m.py", "v", body="print('first'); wait_for_file('never')")
    project.list("m.py")
    session = project.start("-r")
    wait_until((project.folder_of("m", "v") / "proc.json").exists, "the run starts")
    session.kill()
    session.communicate()
    processes = json.loads((project.folder_of("m", "v") / "proc.json").read_text())
    for process in ("supervisor", "worker"):
        os.kill(processes[process]["pid"], signal.SIGKILL)

    done = project.run("logs", "m/v", "-f")

    assert done.returncode == 0


def test_ctrl_c_ends_what_follows_with_130(project):
    project.model("m.py", "v", body="print('first'); wait_for_file('go')")
    project.list("m.py")
    session = project.start("-r")
    wait_until((project.folder_of("m", "v") / "console.log").exists, "the run starts")
    follower = project.start("logs", "m/v", "-f")
    follower.stdout.readline()

    follower.send_signal(signal.SIGINT)

    _, errors = follower.communicate(timeout=60)
    (project.folder / "go").touch()
    session.communicate(timeout=60)
    assert (follower.returncode, errors.strip()) == (130, "")


def test_init_makes_a_project_that_runs(tmp_path):
    made = subprocess.run([*COMMAND, "init", "new"], cwd=tmp_path, capture_output=True, text=True)

    for arguments in ([], ["-r", "-u"], ["status"]):
        done = subprocess.run(
            [*COMMAND, "-C", "new", *arguments], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert not done.stderr
    assert made.returncode == 0
    assert (tmp_path / "new" / ".gitignore").read_text() == "models/outputs/\n"


def test_init_never_overwrites(tmp_path):
    (tmp_path / "models.config").write_text("mine")
    (tmp_path / ".gitignore").write_text("theirs")

    for _ in range(2):
        done = subprocess.run([*COMMAND, "init"], cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0
    assert "kept" in done.stdout
    assert (tmp_path / "models.config").read_text() == "mine"
    assert (tmp_path / ".gitignore").read_text() == "theirs\nmodels/outputs/\n"


def test_the_script_and_the_module_are_the_same_command(tmp_path):
    script = Path(sys.executable).with_name("mlpipeline")

    outputs = [
        subprocess.run([*command, "--version"], capture_output=True, text=True).stdout
        for command in ([str(script)], COMMAND)
    ]

    assert outputs == [f"mlpipeline {mlpipeline.__version__}\n"] * 2


@pytest.mark.parametrize("arguments", [["--help"], ["status", "--help"], ["logs", "-h"]], ids=str)
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys, atexit; atexit.register(lambda: print(sorted(sys.modules), file=sys.stderr)); "
        f"sys.argv = ['mlpipeline', *{arguments!r}]; "
        "from mlpipeline.cli.main import main; main()"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode == 0
    assert done.stdout.startswith("Usage: mlpipeline")
    assert not {"rich.live", "rich.progress", "hydra", "mlflow", "torch"} & set(
        json.loads(done.stderr.splitlines()[-1].replace("'", '"'))
    )


def test_options_of_the_session_do_not_go_with_a_subcommand(project):
    done = project.run("-r", "status")

    assert done.returncode == 2
    assert "--run does not go with status" in done.stderr
