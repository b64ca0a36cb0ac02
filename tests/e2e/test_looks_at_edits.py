"""What views show while a script is edited that takes long to import."""

import json
from contextlib import closing

from projects import wait_until

from mlpipeline.core.standings import State
from mlpipeline.service.project import open_project
from mlpipeline.service.queue import Onlooker

SLOW = """
from _base import *
Path("began-" + str(os.getpid())).touch()
wait_for_file("go")

class Trained(Model):
    def train_model(self, input_fn, steps): pass

MODEL = Trained(versions({names}))
"""


def begin(project):
    """A session with a run of first.py; its next model, edited.py, is being inspected."""
    project.model("first.py", "v", body="Path('began').touch(); wait_for_file('end')")
    project.model("edited.py", "old")
    project.list("first.py", "edited.py")
    session = project.start("-r", "-u")
    wait_until((project.folder / "began").exists)
    project.script("edited.py", SLOW.format(names="'old', 'new'"))
    wait_until(lambda: [*project.folder.glob("began-*")])
    return session


def end(project, session):
    for name in ("go", "end"):
        (project.folder / name).touch()
    session.communicate(timeout=60)


def test_status_shows_what_is_known_and_what_the_session_is_inspecting(project):
    session = begin(project)

    status = project.run("status")
    found = json.loads(project.run("status", "--json").stdout)
    inspections = len([*project.folder.glob("began-*")])
    end(project, session)

    assert (status.returncode, status.stderr) == (0, "")
    assert "edited.py being inspected" in status.stdout
    assert found["inspecting"] == ["edited.py"]
    rows = {row["run"]: (row["state"], row["reason"]) for row in found["rows"]}
    assert rows == {
        "first/v#1": ("running", ""),
        "edited/old": ("queued", "waits for edited.py to be inspected"),
    }
    assert inspections == 1  # that of the session


def test_plan_does_not_wait_for_what_the_session_is_inspecting(project):
    session = begin(project)

    plan = project.run("plan")
    end(project, session)

    assert "waits for edited.py to be inspected" in plan.stdout
    assert "1 to start · edited.py being inspected" in plan.stdout


def test_a_run_that_ends_while_a_view_inspects_is_not_called_unseen(project):
    def pass_time(_):
        (project.folder / "end").touch()
        wait_until(lambda: "first/v#1" in project.outcomes())
        (project.folder / "go").touch()

    session = begin(project)

    with closing(Onlooker(open_project(project.folder, pass_time))) as onlooker:
        queue = onlooker.look()  # it waits for edited.py itself
    end(project, session)

    states = {(each.model.name, each.version.name): each.state for each in queue.standings}
    assert states["first", "v"] is State.DONE
    assert queue.unseen == frozenset()
