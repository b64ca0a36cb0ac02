"""Following a run of another host: when it is over."""

from __future__ import annotations

import msgspec
import pytest
from core.events import finished, starting

from mlpipeline.service.consoles import Console
from mlpipeline.service.project import open_project


@pytest.fixture
def journal(project):
    """The history of another host, on which m/v runs."""
    project.model("m.py", "v")
    path = project.folder / "models" / "outputs" / "history-there"
    path.parent.mkdir()
    path.write_bytes(line(starting("v")))
    return path


def line(event):
    return msgspec.json.encode(event) + b"\n"


def test_a_run_of_another_host_is_over_when_its_history_says_so(project, journal):
    console = Console(open_project(project.folder), "m/v")
    before = console.is_over()
    with journal.open("ab") as file:
        file.write(line(finished("v")))

    assert (before, console.is_over()) == (False, True)


def test_what_was_read_of_a_history_is_not_read_again_at_each_look(project, journal):
    console = Console(open_project(project.folder), "m/v")
    console.is_over()
    journal.write_bytes(b"#" * (journal.stat().st_size - 1) + b"\n" + line(finished("v")))

    assert console.is_over()
