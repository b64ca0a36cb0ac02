"""Terminals without UTF-8, abilities or width; streams that are closed, or read by nobody."""

import os
import subprocess
import sys

import pytest
from projects import COMMAND, Project
from terminal import Terminal

OURS = "mlpipeline/cli/main.py"  # in a traceback of ours; those of models have none of it
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
VIEWS = {
    "status": ["status", "--all"],
    "plan": ["plan"],
    "results": ["results"],
    "plot": ["plot", "loss"],
    "doctor": ["doctor"],
    "digest": ["digest", "--since", "8h"],
    "explain": ["explain", "bad"],
    "show": ["show", "good/b"],
    "help": ["--help"],
}
SESSIONS = {"test mode": [], "a session": ["-r"]}
ALL = pytest.mark.parametrize(
    "words", [*VIEWS.values(), *SESSIONS.values()], ids=[*VIEWS, *SESSIONS]
)
FEW = pytest.mark.parametrize("words", [["status"], ["plot", "loss"], ["digest"], ["-r"]], ids=str)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """A project in which there is something to see, some of it not in ASCII."""
    project = Project(tmp_path_factory.mktemp("streams") / "project")
    body = "self.log_metrics({'loss': 0.5}, step=1); self.progress(1, 2, loss=0.5); print('é … 漢')"
    project.model("good.py", "a-name-in-Grüßen", "b", body=body)
    project.model("bad.py", "v", body="raise ValueError('nö · ' * 60)")
    project.model("later.py", "a", "b")
    project.list("good.py", "bad.py")
    project.list("good.py", test=True)
    project.run("-r")
    project.list("good.py", "bad.py", "later.py")
    return project


def columns_of(text):
    """Where the columns of the first table in ``text`` begin, by its header."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.split()[:1] in (["run"], ["#"]))
    return lines[at].index("state"), lines[at + 1 :]


@ALL
def test_a_pipe_without_utf_8_gets_ascii(seen, words):
    done = subprocess.run(
        seen.command(*words), cwd=seen.folder, env={**os.environ, **ASCII}, capture_output=True
    )

    assert OURS.encode() not in done.stderr
    assert (done.stdout + done.stderr).isascii()
    assert done.stdout


@ALL
def test_a_terminal_without_utf_8_gets_ascii(seen, words):
    terminal = Terminal(seen, *words, columns=80, **ASCII)

    terminal.run()

    assert OURS.encode() not in terminal.raw
    assert terminal.raw.isascii()


def test_signs_have_counterparts_of_their_width(seen):
    in_utf_8 = seen.run("status", "--all").stdout
    in_ascii = seen.run("status", "--all", **ASCII).stdout

    assert [len(line) for line in in_ascii.splitlines()] == [
        len(line) for line in in_utf_8.splitlines()
    ]
    start, rows = columns_of(in_ascii)
    assert all(row[start - 2 : start] == "  " and row[start] != " " for row in rows[:-1])
    assert "~" in in_ascii  # a name is cut


def test_a_session_without_utf_8_has_other_marks(seen):
    terminal = Terminal(seen, "-r", columns=80, **ASCII)

    assert terminal.run() == 1

    assert "+ good/b#" in terminal.text
    assert "x bad/v#" in terminal.text


@pytest.mark.parametrize("term", ["dumb", ""])
@FEW
def test_a_terminal_without_abilities_gets_plain_text(seen, words, term):
    terminal = Terminal(seen, *words, TERM=term)

    terminal.run()

    assert b"\x1b" not in terminal.raw
    assert OURS.encode() not in terminal.raw
    assert terminal.text


@pytest.mark.parametrize("columns", ["1", "0", "wide"])
@FEW
def test_no_width_makes_it_fail(seen, words, columns):
    terminal = Terminal(seen, *words, COLUMNS=columns)

    terminal.run()

    assert OURS.encode() not in terminal.raw
    assert terminal.text


@FEW
def test_closed_streams_change_nothing_about_the_exit_code(seen, words):
    usual = seen.run(*words)

    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *seen.command(*words)],
        cwd=seen.folder,
        capture_output=True,
        text=True,
    )

    assert done.returncode == usual.returncode
    assert OURS not in done.stderr


@pytest.mark.parametrize(
    "words", [["status"], ["logs", "good/b"], ["--help"], ["results", "--json"]], ids=str
)
def test_a_command_that_nobody_reads_ends_quietly_with_141(seen, words):
    errors, code = unread(seen, *words)

    assert (errors, code) == ("", 141)


def test_a_session_that_nobody_reads_goes_on_to_its_end(seen):
    errors, code = unread(seen, "-r")

    assert (errors, code) == ("", 1)  # bad/v fails as ever
    assert list(seen.outcomes())[-1].startswith("later/b#")


def unread(project, *words):
    """What a command says on stderr, and its exit code, when its stdout is read by nobody."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*COMMAND, *words], cwd=project.folder, stdout=writer, stderr=subprocess.PIPE, text=True
        )
    finally:
        os.close(writer)
    return done.stderr, done.returncode


def test_a_bug_asks_to_be_reported_and_ends_with_70(seen):
    code = (
        "import sys\n"
        "from mlpipeline.cli import main\n"
        "from mlpipeline.service import views\n"
        "views.status = lambda *_: 1 / 0\n"
        "sys.argv = ['mlpipeline', 'status']\n"
        "main.main()\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=seen.folder, capture_output=True, text=True
    )

    assert done.returncode == 70
    assert "ZeroDivisionError" in done.stderr
    assert "please report it" in done.stderr.splitlines()[-1]
    assert "nothing is lost" in done.stderr.splitlines()[-1]


def test_a_service_manager_starts_a_session_again_that_a_bug_ended(seen):
    lines = seen.run("service", "--systemd").stdout.splitlines()
    settings = dict(line.split("=", 1) for line in lines if line[:1].isalpha())

    assert settings["Restart"] == "on-failure"
    assert "70" not in settings["SuccessExitStatus"].split()
    assert "70" not in settings["RestartPreventExitStatus"].split()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("statsu", "there is no command 'statsu' (did you mean status?)"),
        ("Status", "there is no command 'Status' (did you mean status?)"),
        ("xyzzy", "there is no command 'xyzzy'; `mlpipeline --help` lists them"),
    ],
)
def test_an_unknown_command_is_answered_with_the_nearest(project, word, said):
    done = project.run(word)

    assert done.returncode == 2
    assert said in done.stderr


def test_an_unknown_option_is_answered_with_the_nearest(project):
    done = project.run("status", "--wach")

    assert done.returncode == 2
    assert "--watch" in done.stderr
