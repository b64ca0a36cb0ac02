"""Inspections that fail, are killed or never end: nothing stays behind, nobody is blamed wrongly.

Most of what fails passes, and does not keep a script from being used.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from projects import is_there, wait_until

from mlpipeline.execution import inspector, inspector_child, known_scripts, opener
from mlpipeline.execution.processes import UNABLE

HANGS_ONCE = """
import signal, subprocess
if not Path('pids').exists():
    child = subprocess.Popen(['sleep', '600'])
    Path('.pids').write_text(f'{os.getppid()} {os.getpid()} {child.pid}')
    os.rename('.pids', 'pids')
    signal.pause()
"""
NO_ROOM = """
import resource
if Path('full').exists():
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_inspector_that_is_killed_is_replaced_and_leaves_nothing_behind(scripts, number):
    if number == signal.SIGKILL and sys.platform != "linux":
        pytest.skip("without prctl(2), inspections of a killed inspector go on")
    scripts.script("m.py", "'a'", HANGS_ONCE)
    made = scripts.inspector(session=False)
    reader = threading.Thread(target=scripts.read, args=(made, "m.py"))
    reader.start()
    pids = scripts.folder / "pids"
    wait_until(pids.exists)
    parent, child, grandchild = map(int, pids.read_text().split())

    os.kill(parent, number)
    reader.join()

    assert scripts.read(made, "m.py") == {"m": ["a"]}
    assert scripts.imported("m.py") == 2
    wait_until(lambda: not is_there(child))
    if number == signal.SIGTERM:  # it has time to end the whole group
        wait_until(lambda: not is_there(grandchild))
    elif is_there(grandchild):
        os.kill(grandchild, signal.SIGKILL)


def test_an_inspection_that_leads_no_group_yet_is_killed(tmp_path):
    with subprocess.Popen(["sleep", "600"]) as child:
        inspector._kill_group(child.pid)
        try:
            wait_until(lambda: child.poll() is not None)
        finally:
            child.kill()

    assert child.returncode == -signal.SIGKILL


def test_processes_that_a_script_starts_end_with_its_inspection(scripts):
    scripts.script(
        "m.py",
        "'a'",
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "Path('child').write_text(str(child.pid))",
    )

    scripts.read(scripts.inspector(session=False), "m.py")

    pid = int((scripts.folder / "child").read_text())
    wait_until(lambda: not is_there(pid))


def test_a_session_that_ends_leaves_no_inspection_behind(scripts, monkeypatch):
    monkeypatch.setattr(known_scripts, "LEAD", 0.0)
    scripts.script(
        "m.py", "'a'", "Path('pid').write_text(str(os.getpid()))\nimport signal; signal.pause()"
    )
    with closing(scripts.inspector(session=True)) as inspector:
        inspector.listed(scripts.list("m.py"))
        wait_until(lambda: (scripts.folder / "pid").exists() and scripts.imported("m.py"))
        wait_until((scripts.folder / "pid").read_text)
        scripts.opened.clear()

    pid = int((scripts.folder / "pid").read_text())
    wait_until(lambda: not is_there(pid))


def test_an_edited_script_that_can_not_be_inspected_for_now_is_waited_for(scripts, monkeypatch):
    monkeypatch.setattr(known_scripts, "LEAD", 0.0)
    monkeypatch.setattr(known_scripts, "AGAIN", 0.0)
    scripts.script("m.py", "'a'", NO_ROOM)
    made = scripts.inspector(session=True)
    scripts.settled(made, "m.py")
    (scripts.folder / "full").touch()

    scripts.script("m.py", "'b'", NO_ROOM, age=60)
    wait_until(lambda: "no room" in made.listed(scripts.list("m.py")).waits)
    reading = made.listed(scripts.list("m.py"))
    listed = [version.name for version in reading.models[0].versions]
    (scripts.folder / "full").unlink()

    assert (listed, reading.models[0].problem, reading.pending) == (["a"], "", {"m.py"})
    assert scripts.settled(made, "m.py") == {"m": ["b"]}


def test_what_can_not_be_looked_at_once_more_is_believed_and_stays_remembered(scripts):
    scripts.script("m.py", "'a'", NO_ROOM)
    scripts.settled(scripts.inspector(session=True), "m.py")
    (scripts.folder / "full").touch()

    found = scripts.settled(scripts.inspector(session=True), "m.py")

    assert found == {"m": ["a"]}
    assert scripts.imported("m.py") == 2
    assert scripts.read(scripts.inspector(session=False), "m.py") == {"m": ["a"]}
    assert scripts.imported("m.py") == 2


def test_what_is_remembered_stays_where_an_edited_script_can_not_be_inspected_for_now(scripts):
    scripts.script("m.py", "'a'", NO_ROOM)
    scripts.read(scripts.inspector(session=False), "m.py")
    (scripts.folder / "full").touch()

    scripts.script("m.py", "'b'", NO_ROOM, age=60)
    ((problem,),) = scripts.read(scripts.inspector(session=False), "m.py").values()
    scripts.script("m.py", "'a'", NO_ROOM, age=30)

    assert "no room" in problem
    assert scripts.read(scripts.inspector(session=False), "m.py") == {"m": ["a"]}
    assert scripts.imported("m.py") == 2


@pytest.mark.parametrize("session", [True, False], ids=["session", "view"])
def test_a_new_script_that_can_not_be_inspected_for_now_is_tried_again(
    scripts, monkeypatch, session
):
    def fail(task):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    scripts.script("m.py", "'a'")
    made = scripts.inspector(session=session)
    with monkeypatch.context() as patch:
        patch.setattr(inspector_child.Task, "make_files", fail)
        ((problem,),) = scripts.read(made, "m.py").values()
    ((later,),) = scripts.read(made, "m.py").values()
    made._again_at["m.py"] = 0.0

    assert later == problem  # there is a pause between two tries
    assert problem == f"m.py: it can't be inspected: [Errno 28] {os.strerror(errno.ENOSPC)}"
    assert scripts.settled(made, "m.py") == {"m": ["a"]}


def test_an_inspector_that_can_not_fork_says_so(tmp_path, monkeypatch):
    def fail():
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    ours, theirs = socket.socketpair()
    with ours, theirs, Path(os.devnull).open("wb") as file:
        server = inspector._Server(theirs, str(tmp_path))
        monkeypatch.setattr(os, "fork", fail)
        request = {"open": 7, "script": "m.py", "name": "m", "leisurely": False}
        server._open(request, file.fileno(), file.fileno())
        monkeypatch.undo()
        said = json.loads(ours.recv(4096))
        os.close(server._bell)
        os.close(server._ringer)

    assert said == {"ended": 7, "status": UNABLE}


def test_a_script_that_prints_without_end_is_ended(scripts, monkeypatch):
    monkeypatch.setattr(opener, "MOST_PRINTED", 1 << 20)
    scripts.script("m.py", "'a'", "while True: print('x' * 99)")

    (model,) = scripts.inspector(session=False).listed(scripts.list("m.py")).models

    assert model.problem == "m.py: it prints more than 1 MB when it is imported"
    assert "x" * 99 in model.traceback


def test_of_a_long_line_that_a_script_prints_only_the_end_is_kept(scripts):
    scripts.script("m.py", "'a'", "print('x' * 1_000_000, 'end', flush=True); os._exit(3)")

    (model,) = scripts.inspector(session=False).listed(scripts.list("m.py")).models

    assert model.problem.endswith("it ended the process when it was imported (exit status 3)")
    assert model.traceback.endswith("x end\n")
    assert len(model.traceback) <= inspector_child.TAIL + 1


@pytest.mark.parametrize(
    "more", ["", "; open('mine', 'wb'); kept = [open('mine') for _ in range(9)]"]
)
def test_a_script_that_closes_all_files_is_told_of_that(scripts, more):
    scripts.script("m.py", "'a'", f"os.closerange(3, 1000){more}")

    ((problem,),) = scripts.read(scripts.inspector(session=False), "m.py").values()

    assert problem == "m.py: it closes files that it has not opened when it is imported"
    assert not more or (scripts.folder / "mine").read_bytes() == b""


def test_what_goes_wrong_in_the_opener_is_told_to_the_reader(scripts, monkeypatch):
    def fail(*_):
        raise RuntimeError("a bug")

    scripts.script("m.py", "'a'")
    made = scripts.inspector(session=False)
    with monkeypatch.context() as patch:
        patch.setattr(opener, "read_findings", fail)
        with pytest.raises(RuntimeError, match="a bug"):
            scripts.read(made, "m.py")

    assert scripts.read(made, "m.py") == {"m": ["a"]}


def test_where_no_thread_can_be_started_another_try_is_made(scripts, monkeypatch):
    tries = []

    class Scarce(threading.Thread):
        def start(self):
            tries.append(self)
            if len(tries) < 3:
                raise RuntimeError("can't start new thread")
            super().start()

    monkeypatch.setattr(opener, "Thread", Scarce)
    scripts.script("m.py", "'a'")

    assert scripts.read(scripts.inspector(session=False), "m.py") == {"m": ["a"]}
    assert len(tries) == 3


def test_what_is_not_listed_any_more_is_forgotten_and_not_opened(scripts, monkeypatch, tmp_path):
    packages = tmp_path / "site-packages"
    packages.mkdir()
    monkeypatch.syspath_prepend(packages)
    names = ["old.py", *(f"m{number}.py" for number in range(known_scripts.LISTS))]
    made = scripts.inspector(session=True)
    for name in names:
        scripts.script(name, "'a'")
        scripts.settled(made, name)

    (packages / "new.dist-info").mkdir()
    scripts.settled(made, names[-1])

    assert [scripts.imported(name) for name in (names[0], names[-1])] == [1, 2]
    assert set(made._known) == set(made._choices._chosen) == set(names[1:])


def test_lists_that_take_turns_have_their_scripts_opened_once(scripts):
    made = scripts.inspector(session=True)
    for name in ("a.py", "b.py"):
        scripts.script(name, "'v'")
    for _ in range(4):
        scripts.settled(made, "a.py")
        scripts.settled(made, "b.py")

    assert [scripts.imported(name) for name in ("a.py", "b.py")] == [1, 1]


def test_an_answer_that_is_dropped_too_late_leaves_nothing_behind(scripts):
    scripts.script("m.py", "'a'")
    made = scripts.inspector(session=True)
    scripts.settled(made, "m.py")
    waiting = set(made._opener._wanted)

    made._opener.drop(1)

    assert waiting == made._opener._wanted == set()


def test_an_inspector_of_other_packages_opens_nothing_more(scripts, monkeypatch, tmp_path):
    packages = tmp_path / "site-packages"
    packages.mkdir()
    monkeypatch.syspath_prepend(packages)
    monkeypatch.setattr(opener, "cpu_count", lambda: 2)
    monkeypatch.setattr(known_scripts, "LEAD", 0.3)
    scripts.script(
        "slow.py", "'s'", "Path('slow').write_text(str(os.getppid()))\nwait_for_file('go')"
    )
    scripts.script("m.py", "'a'", "Path('m').write_text(str(os.getppid()))")
    made = scripts.inspector(session=True)
    made.listed(scripts.list("slow.py"))
    wait_until(lambda: scripts.imported("slow.py"))

    (packages / "new.dist-info").mkdir()
    made.listed(scripts.list("slow.py", "m.py"))
    (scripts.folder / "go").touch()
    scripts.settled(made, "slow.py", "m.py")

    assert (scripts.folder / "slow").read_text() != (scripts.folder / "m").read_text()
