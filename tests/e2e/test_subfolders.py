"""Commands work in all folders of a project, as people know it from git."""

import json

import pytest
from projects import Project, called, offered


@pytest.fixture
def vision(project):
    """A folder with a model in it."""
    project.model("vision/resnet.py", "small")
    project.list("vision/resnet.py")
    return project.models / "vision"


@pytest.mark.parametrize("command", ["status", "plan", "results", "doctor", "digest"])
def test_a_view_below_the_project_shows_it(project, vision, command):
    below = called(project.command(command, "--json"), vision)
    above = project.run(command, "--json")

    assert below.returncode == above.returncode == 0, below.stderr
    assert json.loads(below.stdout).keys() == json.loads(above.stdout).keys()
    assert ("vision/resnet" in below.stdout) == ("vision/resnet" in above.stdout)


def test_a_session_below_the_project_works_in_the_projects_folder(project, vision):
    project.model("vision/resnet.py", "small", body="Path('here').touch()")

    done = called(project.command("-r", "-u"), vision)

    assert done.returncode == 0, done.stderr
    assert (project.folder / "here").exists()
    assert project.outcomes() == {"vision/resnet/small#1": "succeeded"}
    assert not (vision / "outputs").exists()


def test_what_is_named_below_the_project_is_found_from_there(project, vision):
    project.model("vision/vit.py", "small")

    assert called(project.command("add", "vit.py"), vision).returncode == 0
    assert "vision/vit.py" in (project.folder / "models.config").read_text()
    assert "vision/vit.py" in offered(project, "remove vision/v", vision)


def test_a_folder_named_with_c_may_lie_in_a_project_too(project, vision, tmp_path):
    done = called(project.command("-C", str(vision), "status"), tmp_path)

    assert done.returncode == 0, done.stderr
    assert "vision/resnet" in done.stdout


def test_a_folder_with_a_config_of_its_own_is_the_project(project, vision):
    inner = Project(vision / "inner")
    inner.model("m.py", "v")
    inner.list("m.py")

    shown = inner.run("status").stdout

    assert "m/v" in shown
    assert "resnet" not in shown


def test_a_config_that_leads_nowhere_is_no_reason_to_take_another_project(project, vision):
    (vision / "mlp.config").symlink_to("gone")

    done = called(project.command("status"), vision)

    assert done.returncode == 2
    assert "mlp.config" in done.stderr
    assert "Traceback" not in done.stderr


def test_outside_of_all_projects_there_is_none(project, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    done = called(project.command("status"), elsewhere)

    assert done.returncode == 2
    assert "mlp.config" in done.stderr
