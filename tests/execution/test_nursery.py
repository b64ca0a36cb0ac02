"""Warm starts: a forked run is as a started one, and what can't be forked starts cold."""

import itertools
import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from execution.test_executor_contract import WARM, ending
from projects import children, is_there, wait_until

from mlpipeline.core.judging import judge
from mlpipeline.core.runs import Outcome
from mlpipeline.execution.executors.local import LocalExecutor
from mlpipeline.execution.executors.warm import WarmStarter

LOOKS_AROUND = """
import json, os, signal, sys, threading
print(json.dumps({
    "argv": sys.argv,
    "module": __name__,
    "cwd": os.getcwd(),
    "path": sys.path,
    "environment": sorted(os.environ),
    "signals": [str(signal.getsignal(number)) for number in (2, 13, 15, 17)],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "files": sorted(os.readlink(f"/proc/self/fd/{n}") for n in "012"),
    "others": len(os.listdir("/proc/self/fd")),
    "threads": threading.active_count(),
    "encoding": [sys.stdout.encoding, sys.stdout.line_buffering, sys.stderr.errors],
    "leads": os.getpid() == os.getpgrp(),
    "terminal": os.isatty(0),
}))
"""


def nurseries(pid):
    """The nurseries of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command, stat = (path / "cmdline").read_bytes(), (path / "stat").read_text()
        except OSError:
            continue
        if b"execution.nursery" in command and int(stat.rpartition(")")[2].split()[1]) == pid:
            found.append(int(path.name))
    return found


def the_nursery(pid):
    """The one nursery of a session, once it is there: it has been forked before it is one."""
    wait_until(lambda: len(nurseries(pid)) == 1, "there is a nursery")
    return nurseries(pid)[0]


def open_files(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def console(project, version="v", attempt=1):
    return (project.folder_of("m", version, attempt) / "console.log").read_text()


def test_a_forked_run_finds_what_a_started_one_finds(project):
    project.model("m.py", "v", body=LOOKS_AROUND)
    project.list("m.py")
    found = []
    for attempt, start in enumerate(("warm", "cold"), start=1):
        project.configure(start=start)
        project.run("-r")
        text = console(project, attempt=attempt).replace(f"/v/{attempt}/", "/v/N/")
        found.append(json.loads(text))

    warm, cold = found

    assert warm == cold


def test_random_numbers_are_other_ones_in_each_run(project):
    project.model("m.py", "a", "b", body="import random; print(random.random())")
    project.list("m.py")

    project.run("-r")

    assert console(project, "a") != console(project, "b")


def test_numpys_random_numbers_are_other_ones_in_each_run(project):
    pytest.importorskip("numpy")
    project.configure(preload="numpy")
    project.model("m.py", "a", "b", body="import numpy; print(numpy.random.rand())")
    project.list("m.py")

    done = project.run("-r")

    assert "cold" not in done.stderr
    assert console(project, "a") != console(project, "b")


@pytest.mark.parametrize(
    "left",
    [
        "self.file = open('told', 'w'); self.file.write('all')",
        "import builtins, sys; sys.modules['m'].FILE = f = open('told', 'w'); f.write('all')",
        "import sys; sys.modules.pop('json'); sys.modules.pop('mlpipeline.execution.leaving'); "
        "import json; sys.modules['m'].FILE = f = open('told', 'w'); f.write('all')",
        "import atexit; atexit.register(lambda: Path('told').write_text('all'))",
        "import threading; threading.Timer(0.1, lambda: Path('told').write_text('all')).start()",
        "class C:\n    def __del__(self): open('told', 'w').write('all')\nself.c = C()",
        "import ctypes; libc = ctypes.CDLL(None); "
        "f = libc.fopen; f.restype = ctypes.c_void_p; "
        "p = f(b'told', b'w'); libc.fputs(b'all', ctypes.c_void_p(p))",
    ],
    ids=[
        "a file of the model",
        "a file of the module",
        "modules taken out",
        "atexit",
        "a thread",
        "__del__",
        "C",
    ],
)
def test_what_a_script_leaves_to_the_end_is_done(project, left):
    project.model("m.py", "v", body=left)
    project.list("m.py")

    project.run("-r")

    assert project.outcomes() == {"m/v#1": "succeeded"}
    assert (project.folder / "told").read_text() == "all"


def test_what_is_preloaded_is_there_at_once(project, monkeypatch):
    (project.folder / "heavy.py").write_text("import os\nPATH = os.getpid()\n")
    monkeypatch.setenv("PYTHONPATH", str(project.folder))
    project.configure(preload="heavy")
    project.model("m.py", "a", "b", body="import heavy; print(heavy.PATH)")
    project.list("m.py")

    project.run("-r")

    assert console(project, "a") == console(project, "b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "preload: missing can't be imported: ModuleNotFoundError"),
        ("raise RuntimeError('no GPU')", "preload: heavy can't be imported: RuntimeError: no GPU"),
        (
            "from threading import *\nThread(target=Event().wait, daemon=True).start()",
            "preload: heavy starts threads (1)",
        ),
        ("import os; os._exit(3)", "preload: importing heavy ends the process (exit status 3)"),
        ("import sys; sys.exit(4)", "preload: heavy can't be imported: SystemExit: 4"),
        ("import signal; signal.pause()", "preload: heavy takes longer than inspect_timeout (3 s)"),
    ],
    ids=["missing", "raises", "thread", "exits", "leaves", "sleeps"],
)
def test_what_can_not_be_preloaded_is_said_and_runs_start_cold(project, monkeypatch, text, said):
    (project.folder / "heavy.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(project.folder))
    project.configure(preload="heavy" if text else "missing", inspect_timeout=3)
    project.model("m.py", "a", "b")
    project.list("m.py")

    done = project.run("-r")

    assert done.returncode == 0, done.stderr
    assert said in done.stderr
    assert "runs are started cold" in done.stderr
    assert set(project.outcomes().values()) == {"succeeded"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_session_can_be_ended_while_something_is_preloaded_and_leaves_nothing(
    project, monkeypatch, number
):
    (project.folder / "heavy.py").write_text("open('began', 'w').close()\nwhile True: pass")
    monkeypatch.setenv("PYTHONPATH", str(project.folder))
    project.configure(preload="heavy")
    project.model("m.py", "a")
    project.list("m.py")
    session = project.start("-r")
    wait_until((project.folder / "began").exists)
    nursery = the_nursery(session.pid)

    session.send_signal(number)

    session.communicate(timeout=30)
    wait_until(lambda: not is_there(nursery), "the nursery ends")
    assert not project.folder_of("m", "a").exists()


def test_what_is_preloaded_is_waited_for_and_no_part_of_a_run(project, monkeypatch):
    (project.folder / "heavy.py").write_text(
        "import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)"
    )
    monkeypatch.setenv("PYTHONPATH", str(project.folder))
    project.configure(preload="heavy", timeout=1)
    project.model("m.py", "a")
    project.list("m.py")
    session = project.start("-r")

    assert "waits for the import of heavy, as preload says" in session.stdout.readline()
    assert project.history() == []
    (project.folder / "go").touch()

    session.communicate(timeout=60)
    assert project.outcomes() == {"m/a#1": "succeeded"}


def test_a_nursery_that_was_killed_is_replaced_and_its_runs_go_on(project):
    project.model("m.py", "a", "b", body="print('began'); wait_for_file('go')")
    project.list("m.py")
    session = project.start("-r")
    wait_until((project.folder_of("m", "a") / "proc.json").exists, "a runs")
    nursery = the_nursery(session.pid)

    os.kill(nursery, signal.SIGKILL)
    (project.folder / "go").touch()

    session.communicate(timeout=60)
    assert set(project.outcomes().values()) == {"succeeded"}


def test_the_other_runs_of_a_nursery_that_was_killed_are_seen_to_their_end(project):
    project.configure(parallel=2)
    project.model("m.py", "v", body="wait_for_file('go-m')")
    project.model("n.py", "v", body="wait_for_file('go-n'); raise ValueError('too bad')")
    project.list("m.py", "n.py")
    session = project.start("-r")
    for model in ("m", "n"):
        wait_until((project.folder_of(model, "v") / "proc.json").exists, f"{model} runs")

    os.kill(the_nursery(session.pid), signal.SIGKILL)
    for model in ("m", "n"):
        (project.folder / f"go-{model}").touch()

    session.communicate(timeout=60)
    assert project.outcomes() == {"m/v#1": "succeeded", "n/v#1": "failed ValueError: too bad"}


def test_what_a_dead_nursery_had_not_come_to_is_started_by_another(spec, wake, tmp_path):
    said = []
    start = partial(WarmStarter, preload=(), warn=said.append)
    with closing(LocalExecutor(start)) as executor:
        first = spec("wait_for_file('go')", 1)
        handle = executor.submit(first)
        wait_until((Path(handle) / "proc.json").exists)
        executor.poll([handle])
        nursery = the_nursery(os.getpid())
        os.kill(nursery, signal.SIGSTOP)
        second = executor.submit(spec("pass", 2))
        os.kill(nursery, signal.SIGKILL)

        gone = ending(executor, second, wake)
        (tmp_path / "go").touch()

        assert judge(gone.exit, gone.report, stopping_at=None).outcome is Outcome.SUCCEEDED
        assert ending(executor, first.folder, wake).report.ending == "returned"
    assert "has died (SIGKILL)" in said[0]


def test_a_run_that_is_taken_back_before_a_nursery_comes_to_it_never_begins(spec, wake, tmp_path):
    with closing(WARM()) as executor:
        first = executor.submit(spec("pass", 1))
        nursery = the_nursery(os.getpid())
        ending(executor, first, wake)
        os.kill(nursery, signal.SIGSTOP)
        second = executor.submit(spec("Path('began').touch()", 2))

        executor.stop(second, 10.0)
        os.kill(nursery, signal.SIGCONT)

        assert not ending(executor, second, wake).began
        assert not (tmp_path / "began").exists()


def test_a_worker_that_is_killed_while_it_waits_for_a_run_is_replaced(spec, wake):
    with closing(WARM()) as executor:
        ending(executor, executor.submit(spec("pass", 1)), wake)
        nursery = the_nursery(os.getpid())
        wait_until(lambda: len(children(nursery)) == 1, "a worker waits")
        (spare,) = children(nursery)
        os.kill(spare, signal.SIGKILL)
        wait_until(lambda: not is_there(spare))

        gone = ending(executor, executor.submit(spec("pass", 2)), wake)

        assert judge(gone.exit, gone.report, stopping_at=None).outcome is Outcome.SUCCEEDED


def test_workers_that_wait_side_by_side_hold_nothing_of_each_other(spec, wake):
    with closing(WARM()) as executor:
        ending(executor, executor.submit(spec("pass", 1)), wake)
        nursery = the_nursery(os.getpid())
        waiting = have_several_wait(executor, nursery, spec, wake)

        wait_until(lambda: {open_files(pid) for pid in waiting} == {4}, "each hears its own orders")
        os.kill(nursery, signal.SIGKILL)

        wait_until(lambda: not any(map(is_there, waiting)), "none waits for nothing")


def test_workers_that_wait_side_by_side_end_with_the_session(spec, wake):
    with closing(WARM()) as executor:
        ending(executor, executor.submit(spec("pass", 1)), wake)
        nursery = the_nursery(os.getpid())
        waiting = have_several_wait(executor, nursery, spec, wake)

    assert not any(map(is_there, [nursery, *waiting]))


def have_several_wait(executor, nursery, spec, wake):
    """Let runs follow one another until workers are forked several at once; returns those."""
    numbers = itertools.count(2)

    def do_wait():
        ending(executor, executor.submit(spec("pass", next(numbers))), wake)
        return len(children(nursery)) > 1

    wait_until(do_wait, "several workers wait")
    return children(nursery)


def test_a_run_need_not_look_at_what_its_nursery_has_made_since(spec, wake, tmp_path):
    count = "import gc; print(len(gc.get_objects()))"
    with closing(WARM()) as executor:
        for number in range(1, 21):
            ending(executor, executor.submit(spec(count, number)), wake)

    def seen(number):
        return int((tmp_path / "runs" / str(number) / "console.log").read_text())

    assert seen(20) < seen(1) + 50


def test_a_nursery_is_replaced_when_a_package_is_installed(project, monkeypatch):
    packages = project.folder / "packages"
    packages.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(packages))
    project.model("m.py", "a", "b", body="wait_for_file('go-' + self.current_version.name)")
    project.list("m.py")
    session = project.start("-r")
    wait_until((project.folder_of("m", "a") / "proc.json").exists, "a runs")
    before = nurseries(session.pid)

    (packages / "new.py").touch()
    (project.folder / "go-a").touch()
    wait_until((project.folder_of("m", "b") / "proc.json").exists, "b runs")

    assert nurseries(session.pid) != before
    (project.folder / "go-b").touch()
    session.communicate(timeout=60)


def test_a_nursery_whose_session_is_dead_ends_with_the_last_of_its_runs(project):
    project.configure(parallel=2)
    for model in ("m", "n"):
        project.model(f"{model}.py", "v", body=f"wait_for_file('go-{model}')")
    project.list("m.py", "n.py")
    session = project.start("-r")
    for model in ("m", "n"):
        wait_until((project.folder_of(model, "v") / "proc.json").exists, f"{model} runs")
    nursery = the_nursery(session.pid)

    session.kill()
    session.communicate()

    for model in ("m", "n"):
        assert Path(f"/proc/{nursery}").exists()
        (project.folder / f"go-{model}").touch()
        wait_until((project.folder_of(model, "v") / "exit.json").exists, f"{model} ends")
    wait_until(lambda: not Path(f"/proc/{nursery}").exists(), "it ends")


@pytest.mark.parametrize("setting", ["start = hot", "preload = torch; sklearn"])
def test_settings_that_can_not_be_meant_are_refused(project, setting):
    project.configure()
    config = project.folder / "mlp.config"
    config.write_text(config.read_text() + setting + "\n")

    done = project.run("-r")

    assert done.returncode == 2
    assert f"mlp.config:{len(config.read_text().splitlines())}" in done.stderr


def test_parallel_operations_of_what_was_preloaded_do_not_hang(project):
    pytest.importorskip("sklearn")
    project.configure(preload="numpy, sklearn.cluster", timeout=60)
    project.model(
        "m.py",
        "v",
        body="""
        import numpy
        from sklearn.cluster import KMeans
        points = numpy.random.rand(2000, 50)
        print((points @ points.T).shape, len(KMeans(3, n_init=1).fit(points).labels_))
        """,
    )
    project.list("m.py")

    done = project.run("-r")

    assert "cold" not in done.stderr
    assert project.outcomes() == {"m/v#1": "succeeded"}
    assert console(project) == "(2000, 2000) 2000\n"


def test_a_spare_begins_though_another_child_has_inherited_what_it_listens_to(tmp_path):
    code = """
import os, signal, sys
from mlpipeline.execution.spare import Spare
spare = Spare(os._exit)
other = os.fork()
if other == 0:
    signal.pause()
spare.run(sys.argv[1], {})
os.waitpid(spare.pid, 0)
os.kill(other, signal.SIGKILL)
"""
    folder = tmp_path / "missing"

    done = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, timeout=60
    )

    assert str(folder) in done.stderr  # the spare looked for it
    assert done.returncode == 0


def test_a_nursery_has_no_more_descriptors_open_after_runs_that_could_not_begin(spec, wake):
    with closing(WARM()) as executor:
        ending(executor, executor.submit(spec("pass", 1)), wake)
        nursery = the_nursery(os.getpid())
        wait_until(lambda: len(children(nursery)) == 1)
        before = open_files(nursery) - 2 * len(children(nursery))  # two lead to each that waits
        for number in range(2, 12):
            made = spec("pass", number)
            executor.handle_of(made.folder)
            (Path(made.folder) / "proc.json").touch()  # a later session has given it up
            ending(executor, executor.submit(made), wake)

        wait_until(
            lambda: open_files(nursery) - 2 * len(children(nursery)) <= before,
            "all that was opened is closed",
        )
