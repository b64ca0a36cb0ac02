"""The lock of a project, real, and those who look whether it is held."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading

import pytest

from mlpipeline.errors import ProjectBusy, StorageError
from mlpipeline.state.lock import UNKNOWN, holder_of, scheduler_lock


@pytest.fixture
def path(tmp_path):
    return tmp_path / "host.lock"


def test_the_holder_is_named_by_its_pid_as_long_as_it_holds_the_lock(path):
    with scheduler_lock(path):
        held = holder_of(path)

    assert (held, holder_of(path)) == (str(os.getpid()), "")


def test_one_who_looks_leaves_no_file(path):
    assert holder_of(path) == ""
    assert not path.exists()


def test_those_who_look_are_not_taken_for_a_scheduler(path):
    path.touch()
    with path.open("rb") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)  # as one who looks has it for a moment

        assert holder_of(path) == ""


def test_a_scheduler_is_not_refused_for_one_who_looks(path):
    path.touch()
    with path.open("rb") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.05, fcntl.flock, (looking, fcntl.LOCK_UN)).start()

        with scheduler_lock(path):
            pass


def test_a_holder_that_has_not_said_its_pid_yet_is_looked_at_again(path):
    with scheduler_lock(path):
        said = path.with_suffix(".pid").read_text()
        path.with_suffix(".pid").unlink()
        threading.Timer(0.05, path.with_suffix(".pid").write_text, (said,)).start()

        assert holder_of(path) == str(os.getpid())


def test_a_holder_that_never_says_its_pid_is_unknown(path):
    with scheduler_lock(path):
        path.with_suffix(".pid").unlink()

        assert holder_of(path) == UNKNOWN


def test_many_who_look_see_no_scheduler_and_keep_none_away(path):
    code = (
        "import sys; from pathlib import Path; from mlpipeline.state.lock import holder_of\n"
        f"path = Path({str(path)!r})\n"
        "print(flush=True)\n"
        "while not sys.stdin.closed and not path.with_suffix('.end').exists():\n"
        "    if pid := holder_of(path): print(pid, flush=True)\n"
    )
    path.touch()
    command = [sys.executable, "-c", code]
    lookers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for looker in lookers:
        looker.stdout.readline()

    seen = {holder_of(path) for _ in range(2_000)}
    taken = 0
    for _ in range(5):
        with scheduler_lock(path):
            taken += 1
    path.with_suffix(".end").touch()
    told = {line.strip() for looker in lookers for line in looker.communicate()[0].splitlines()}

    assert seen == {""}
    assert taken == 5
    assert told <= {str(os.getpid()), UNKNOWN}


def test_a_lock_that_is_held_names_its_holder_and_what_to_do(path):
    with scheduler_lock(path), pytest.raises(ProjectBusy) as refused, scheduler_lock(path):
        pass

    assert f"pid {os.getpid()}" in str(refused.value)
    assert "mlpipeline stop" in str(refused.value)


def test_where_nothing_can_be_locked_it_is_said(path, monkeypatch):
    def flock(*_):
        raise OSError(38, "Function not implemented")

    path.touch()
    monkeypatch.setattr(fcntl, "flock", flock)

    with pytest.raises(StorageError, match="can't be locked"):
        holder_of(path)
