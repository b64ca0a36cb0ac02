"""What a command line that is added means."""

import pytest
import yaml

from mlpipeline.errors import MlpipelineError
from mlpipeline.service import adding, lists
from mlpipeline.service.adding import CommandLine, add_command
from mlpipeline.service.lists import Edit
from mlpipeline.service.project import open_project
from mlpipeline.state.lock import holder_of

NO_SWEEP = [
    "",
    "-m resnet --lr 0.1",
    "-m resnet seed=1",
    "seed=1 -m resnet",
    "--lr 0.1 -m",
    "-m -v",
]


@pytest.mark.parametrize("arguments", NO_SWEEP)
def test_a_m_that_is_not_hydras_is_an_argument_as_others(arguments):
    line = CommandLine.of(["python", "train.py", *arguments.split()])

    assert line.command == ("python", "train.py")
    assert line.arguments == tuple(arguments.split())
    assert line.overrides is None


SWEEPS = {
    "-m lr=1,2": ([], ["lr=1,2"]),
    "lr=1,2 -m": ([], ["lr=1,2"]),
    "-m --config-name x lr=1,2 ~a": (["--config-name", "x"], ["lr=1,2", "~a"]),
    "--multirun lr=1,2": ([], ["lr=1,2"]),
    "--multirun --config-name x": (["--config-name", "x"], []),
    "--multirun -m resnet": (["-m", "resnet"], []),
}


@pytest.mark.parametrize("arguments", SWEEPS)
def test_a_sweep_of_hydras_is_told_by_what_stands_beside_m(arguments):
    line = CommandLine.of(["python", "app.py", *arguments.split()])

    shared, overrides = SWEEPS[arguments]
    assert line.command == ("python", "app.py", *shared)
    assert (line.arguments, line.overrides) == ((), tuple(overrides))


@pytest.mark.parametrize("arguments", SWEEPS)
def test_a_console_script_sweeps_as_a_script_does(arguments):
    line = CommandLine.of(["my-app", *arguments.split()])

    shared, overrides = SWEEPS[arguments]
    assert line.command == ("my-app", *shared)
    assert (line.arguments, line.overrides) == ((), tuple(overrides))


def test_a_module_that_sweeps_is_a_module_still():
    line = CommandLine.of(["python", "-m", "pkg.app", "-m", "lr=1,2"])

    assert line.command == ("python", "-m", "pkg.app")
    assert line.overrides == ("lr=1,2",)


class NoLooks:
    """In place of a Desk, which would have processes of its own look at scripts."""

    def __init__(self, *_, **__):
        pass

    def standings(self):
        return []

    def problem(self, _path):
        return ""

    def narrows(self, _path):
        return False


@pytest.fixture
def opened(project, monkeypatch):
    """A project with a file for ``true a``, where nobody looks at what is listed."""
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(adding, "Desk", NoLooks)
    monkeypatch.setattr(lists, "add", lists_it)
    opened = open_project(project.folder)
    add_command(opened, ["true", "a"])
    return opened


def lists_it(*_, **__):
    return Edit(list="models.config", done="", changed=True)


def versions(project):
    said = yaml.safe_load((project.layout.models_dir / "true.yaml").read_text())
    return [each["name"] for each in said["versions"]]


def test_what_another_add_wrote_meanwhile_is_not_undone(opened, monkeypatch):
    def refuses_after_another(*_, **__):
        monkeypatch.setattr(lists, "add", lists_it)
        add_command(opened, ["true", "c"])
        raise MlpipelineError("it can't be listed")

    monkeypatch.setattr(lists, "add", refuses_after_another)
    with pytest.raises(MlpipelineError, match="has been changed meanwhile and still has"):
        add_command(opened, ["true", "b"])

    assert versions(opened) == ["a", "b", "c"]


def test_what_was_added_is_undone_while_nobody_else_edits(opened, monkeypatch):
    held = []
    undo = adding._Place.undo

    def refuses(*_, **__):
        assert versions(opened) == ["a", "b"]
        raise MlpipelineError("it can't be listed")

    def looks(place):
        held.append(bool(holder_of(opened.layout.list_lock)))
        return undo(place)

    monkeypatch.setattr(lists, "add", refuses)
    monkeypatch.setattr(adding._Place, "undo", looks)
    with pytest.raises(MlpipelineError, match="it can't be listed; nothing was added"):
        add_command(opened, ["true", "b"])

    assert versions(opened) == ["a"]
    assert held == [True]
