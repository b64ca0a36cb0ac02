"""The history is cut, damaged, filled with zeros, newer than the program, or deleted."""

import json
import shutil
from pathlib import Path

import pytest
from projects import wait_until

FIXTURES = Path(__file__).parent.parent / "fixtures"


@pytest.fixture
def ran(project):
    """A project in which two versions have succeeded."""
    project.model("m.py", "a", "b")
    project.list("m.py")
    project.run("-r", "-u")
    return project


def journal(project):
    (path,) = [path for path in project.outputs.glob("history-*") if ".damaged" not in path.name]
    return path


def rows(project):
    return json.loads(project.run("status", "--json").stdout)["rows"]


@pytest.mark.parametrize("tail", [b'{"event":"fini', b"\0" * 4096, b'{"v":1}\0\0', b"\xff\xfe"])
def test_a_torn_or_zero_filled_tail_is_set_aside_and_nothing_runs_twice(ran, tail):
    before = journal(ran).read_bytes()
    journal(ran).write_bytes(before + tail)

    done = ran.run("-r", "-u")

    assert done.returncode == 0
    assert "nothing to do: all is done" in done.stdout
    assert f"{len(tail)} bytes are set aside in" in done.stderr
    assert journal(ran).read_bytes() == before
    (aside,) = ran.outputs.glob("history-*.damaged-1")
    assert aside.read_bytes() == tail


def test_damage_in_the_middle_loses_the_damaged_lines_alone_and_loudly(ran):
    lines = journal(ran).read_bytes().splitlines(keepends=True)
    lines[1] = b"\0" * (len(lines[1]) - 1) + b"\n"  # the end of a
    journal(ran).write_bytes(b"".join(lines))

    done = ran.run("-r", "-u")

    assert f"{journal(ran)}:2: damaged; the line is left out" in done.stderr
    assert journal(ran).read_text().count('"starting"') == 2  # a's folder tells how it ended
    assert ran.run("status").stdout.count(" done ") == 2


def test_damage_to_the_start_of_a_run_does_not_lose_its_success(ran):
    lines = journal(ran).read_bytes().splitlines(keepends=True)
    lines[0] = b"{garbage\n"
    journal(ran).write_bytes(b"".join(lines))

    done = ran.run("-r", "-u")

    assert ":1: damaged; the line is left out" in done.stderr
    assert ":2: its start is taken from its run folder" in done.stderr
    assert "nothing to do: all is done" in done.stdout


def test_a_tail_cut_at_any_byte_costs_at_most_what_the_run_folder_tells_again(ran):
    content = journal(ran).read_bytes()
    last = content.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(last, len(content), 37):
        for leftover in ran.outputs.glob("*.damaged-*"):
            leftover.unlink()
        journal(ran).write_bytes(content[:end])

        done = ran.run("-r", "-u")

        assert done.returncode == 0, done.stderr
        assert ran.started() == ["m/a#1", "m/b#1"]
        assert list(ran.outcomes().values()) == ["succeeded", "succeeded"]


def test_a_newer_history_is_read_but_never_written(ran):
    newer = journal(ran).read_bytes() + b'{"event":"paused","v":2,"at":"2030-01-01T00:00:00Z"}\n'
    journal(ran).write_bytes(newer + b'{"torn')

    status, session = ran.run("status"), ran.run("-r", "-u")

    assert "2 done" in status.stdout
    assert "written by a newer mlpipeline (format 2; this one knows 1)" in status.stderr
    assert session.returncode == 2
    assert "update mlpipeline" in session.stderr
    assert journal(ran).read_bytes() == newer + b'{"torn'
    assert list(ran.outputs.glob("*.damaged-*")) == []


def test_many_damaged_lines_are_counted_not_listed(ran):
    journal(ran).write_bytes(journal(ran).read_bytes() + b"?\n" * 500)

    status = ran.run("status")

    assert len(status.stderr.splitlines()) == 4
    assert "497 more such lines" in status.stderr


def test_a_history_of_the_first_format_still_loads(project):
    project.outputs.mkdir()
    shutil.copy(FIXTURES / "history-v1", project.outputs / "history-old-host")

    status = project.run("status", "--all")

    assert status.returncode == 0
    assert status.stderr == ""
    rows = {line.split()[0]: line.split()[1:3] for line in status.stdout.splitlines()[1:-1]}
    assert rows == {
        "digits/lr=0.1#2": ["succeeded", "1.0"],
        "digits/lr=0.3#1": ["failed", "2.0"],
        "digits/lr=0.5#1": ["lost", "3.0"],
    }


def test_a_history_that_is_deleted_under_a_session_is_said_and_ends_it(project):
    project.model("m.py", "v", "w", body="Path('began').touch(); wait_for_file('go')")
    project.list("m.py")
    session = project.start("-r", "-u")
    wait_until((project.folder / "began").exists)

    journal(project).unlink()
    (project.folder / "go").touch()
    _, errors = session.communicate(timeout=60)

    assert session.returncode == 2
    assert "the history was deleted under this session" in errors


def test_a_lost_history_is_not_mistaken_for_a_new_project(ran):
    journal(ran).unlink()

    ran.run("-r", "-u")

    assert ran.started() == ["m/a#2", "m/b#2"]
    assert ran.folder_of("m", "a", 1).is_dir()


def test_what_is_rebuilt_of_a_history_says_what_the_journal_says(ran):
    before = rows(ran)

    assert ran.run("doctor", "--rebuild").returncode == 0

    assert len(list(ran.outputs.glob("index-*"))) == 1
    assert rows(ran) == before


def test_an_edit_of_the_journal_counts_whatever_was_indexed(ran):
    ran.run("doctor", "--rebuild")
    lines = journal(ran).read_bytes().splitlines(keepends=True)
    journal(ran).write_bytes(b"".join(lines[:2]))

    assert [row["state"] for row in rows(ran)] == ["queued", "done"]

    ran.run("-r", "-u")

    assert [row["state"] for row in rows(ran)] == ["done", "done"]
