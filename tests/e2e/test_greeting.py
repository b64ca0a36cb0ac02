"""What a person who comes back to the terminal is told first."""

import pytest
from tmux import Tmux


@pytest.fixture
def pane(project):
    """A shell in a project where, since a person looked, one run succeeded and one failed."""
    project.model("good.py", "v")
    project.model("bad.py", "v", body="raise ValueError('not today')")
    project.list("good.py")
    with Tmux(project.folder) as tmux:
        tmux.pane.wait_for_prompt()
        tmux.pane.run("mlpipeline -r -u")
        project.list("good.py", "bad.py")
        project.run("-r", "-u")  # as a session in the background
        yield tmux.pane


def is_greeting(row):
    return row.startswith("since ")


def test_a_session_on_a_terminal_tells_first_what_has_happened_since(pane):
    rows = pane.run("mlpipeline -r -u")

    assert is_greeting(rows[0])
    assert rows[0].endswith(": 1 succeeded, 1 failed")
    assert rows[1] == "  ✗ bad/v#1 failed: ValueError: not today"


def test_what_it_has_told_is_not_told_again(pane):
    pane.run("mlpipeline -r -u")

    rows = pane.run("mlpipeline -r -u")

    assert rows[0].endswith(": 1 failed")
    assert "bad/v#2" in rows[1]


def test_what_digest_has_told_is_not_told_again(pane):
    told = pane.run("mlpipeline digest")
    rows = pane.run("mlpipeline -r -u")

    assert "  ✗ bad/v#1 failed: ValueError: not today" in told
    assert not any(map(is_greeting, rows))


def test_a_digest_that_nobody_saw_counts_for_nothing(pane, project):
    for options in ([], ["--json"]):
        project.run("digest", *options)

    assert is_greeting(pane.run("mlpipeline -r -u")[0])


def test_in_a_pipe_and_in_test_mode_nobody_is_greeted(pane, project):
    assert not any(map(is_greeting, project.run("-r", "-u").stdout.splitlines()))
    assert not any(map(is_greeting, pane.run("mlpipeline")))
