"""``--only MODEL``: a session that starts nothing else of what is listed."""

import json
from pathlib import Path

import pytest
from projects import Project, wait_until

from mlpipeline.service.project import open_project
from mlpipeline.state.requests import Widen, put


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path)
    project.model("a.py", "v", "w")
    project.model("b.py", "v", "w")
    project.list("a.py", "b.py")
    return project


def status(project: Project) -> dict:
    return json.loads(project.run("status", "--all", "--json").stdout)


@pytest.mark.parametrize("name", ["b", "b.py", "./b.py"])
def test_a_session_for_one_model_starts_nothing_of_the_others(project, name):
    done = project.run("-r", "-u", "--only", name)

    assert done.returncode == 0, done.stderr
    assert project.started() == ["b/v#1", "b/w#1"]
    assert {row["run"]: row["state"] for row in status(project)["rows"]} == {
        "a/v": "queued",
        "a/w": "queued",
        "b/v#1": "done",
        "b/w#1": "done",
    }


def test_what_is_wrong_with_other_models_does_not_keep_it_from_working(project):
    project.script("a.py", "raise ValueError('a')")

    assert project.run("-r", "-u", "--only", "b").returncode == 0


def test_status_says_for_what_the_session_is_and_why_the_rest_waits(project):
    project.model("b.py", "v", body="Path('began').touch(); wait_for_file('go')")
    session = project.start("-r", "-u", "--only", "b")
    wait_until((project.folder / "began").exists)

    found, text = status(project), project.run("status").stdout
    (Path(project.folder) / "go").touch()
    session.communicate()

    reasons = {row["run"]: row["reason"] for row in found["rows"] if row["model"] == "a"}
    assert found["only"] == ["b"]
    assert set(reasons.values()) == {"waits for another session: this one is for b only"}
    assert "works on b only" in text


def test_a_model_that_is_not_listed_is_an_error(project):
    done = project.run("-r", "-u", "--only", "c")

    assert done.returncode == 2
    assert "--only c: no model in models.config is called that" in done.stderr


def test_without_r_it_changes_nothing(project):
    assert "--only changes nothing" in project.run("--only", "b").stderr


def test_it_can_be_asked_to_work_on_another_model_too(project):
    project.model("b.py", "v", body="Path('began').touch(); wait_for_file('go')")
    session = project.start("-r", "-u", "--only", "b")
    wait_until((project.folder / "began").exists)
    path = put(open_project(project.folder).layout, Widen(("a",)))
    wait_until(lambda: not path.exists())

    found = status(project)
    (project.folder / "go").touch()
    session.communicate()

    assert sorted(found["only"]) == ["a", "b"]
    assert project.started() == ["b/v#1", "a/v#1", "a/w#1"]
