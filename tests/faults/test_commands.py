"""Programs of commands, through kills, stops and full disks: what is left is told as it was."""

import os
import signal
import sys
from pathlib import Path

import pytest
import yaml
from projects import is_there, wait_until

PYTHON = sys.executable
HELD = """
import os, time
from pathlib import Path
import mlpipeline
Path("pid").write_text(str(os.getpid()))
mlpipeline.log_metrics({"accuracy": 0.5})
print("loss: 0.25", flush=True)
Path("began").touch()
while not Path("go").exists():
    time.sleep(0.005)
"""


def command(project, name="m", **keys):
    (project.models / f"{name}.yaml").write_text(yaml.safe_dump(keys))
    project.list(f"{name}.yaml")


@pytest.fixture(params=["warm", "cold"])
def held(project, request):
    """A command whose program waits for the file ``go``."""
    (project.folder / "m.py").write_text(HELD)
    command(
        project,
        command=[PYTHON, "m.py"],
        start=request.param,
        metrics={"loss": "loss: (.*)"},
        versions=[{"name": "v"}],
    )
    return project


def begun(project):
    wait_until((project.folder / "began").exists)
    return int((project.folder / "pid").read_text())


def test_a_program_outlives_its_scheduler_and_is_adopted(held):
    session = held.start("-r", "-u")
    begun(held)
    session.kill()
    session.communicate()

    (held.folder / "go").touch()
    held.run("-r", "-u")

    assert held.outcomes() == {"m/v#1": "succeeded"}
    assert held.record("m", "v")["metrics"].keys() == {"accuracy", "loss"}


def test_a_killed_worker_takes_its_program_along(held):
    session = held.start("-r")
    program = begun(held)
    worker = int(Path(f"/proc/{program}/stat").read_text().rpartition(")")[2].split()[1])

    os.kill(worker, signal.SIGKILL)
    session.communicate(timeout=20)

    assert held.outcomes() == {"m/v#1": "killed SIGKILL"}
    wait_until(lambda: not is_there(program))


def test_a_killed_program_is_told_as_killed_and_what_it_said_is_kept(held):
    session = held.start("-r")

    os.kill(begun(held), signal.SIGKILL)
    session.communicate(timeout=20)

    assert held.outcomes() == {"m/v#1": "killed SIGKILL"}
    assert held.record("m", "v")["metrics"].keys() == {"accuracy", "loss"}


def test_a_cancelled_program_is_ended(held):
    session = held.start("-r")
    program = begun(held)

    held.run("cancel", "m/v")
    session.communicate(timeout=20)

    assert not is_there(program)
    assert held.outcomes() == {"m/v#1": "interrupted cancelled"}


STUBBORN = """
trap '' TERM
sleep 1000 & echo $! > child
touch began
wait
sleep 1000
"""


def test_a_program_that_takes_too_long_is_ended_with_all_that_it_started(project):
    project.configure(timeout=0.5, grace=0.1)
    command(project, command=["bash", "-c", STUBBORN])

    project.run("-r")

    assert project.outcomes() == {"m/main#1": "timeout took longer than timeout (0.5 s)"}
    child = int((project.folder / "child").read_text())
    wait_until(lambda: not is_there(child))


def test_what_a_program_has_started_does_not_outlive_it(project):
    command(project, command=["bash", "-c", "sleep 1000 & echo $! > child"])

    project.run("-r")

    assert project.outcomes() == {"m/main#1": "succeeded"}
    child = int((project.folder / "child").read_text())
    wait_until(lambda: not is_there(child))


def test_a_file_that_changes_after_it_was_listed_is_not_run_as_another_version(project):
    """The run finds another command than the one that was listed, and is listed anew."""
    (project.folder / "m.py").write_text("import sys; print(sys.argv)")
    wait = "until [ -e go ]; do sleep 0.01; done"
    command(
        project,
        command=["bash", "-c", "{what}"],
        versions=[{"name": "a", "what": f"touch began; {wait}"}, {"name": "b", "what": "echo old"}],
    )
    session = project.start("-r", "-u")
    wait_until((project.folder / "began").exists)
    path = project.models / "m.yaml"
    path.write_text(path.read_text().replace("echo old", "echo new"))
    (project.folder / "go").touch()
    session.communicate(timeout=20)

    newest = max(project.outputs.glob("runs/m/b/*/console.log"))
    assert newest.read_text() == "new\n"
