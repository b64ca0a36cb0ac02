"""The scheduler is killed, at any moment: no run is lost, none runs twice, each outcome is true."""

import json
import os
import random
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from projects import is_there, lose_scheduler, wait_until

COUNTED = """
with open("executions", "a") as file:
    file.write(self.current_version.name + "\\n")
"""


def executions(project):
    path = project.folder / "executions"
    return Counter(path.read_text().split()) if path.exists() else Counter()


@pytest.mark.parametrize("seed", range(3))
def test_a_scheduler_that_is_killed_again_and_again_loses_and_doubles_nothing(project, seed):
    chance = random.Random(seed)
    names = [f"v{number}" for number in range(12)]
    project.configure(parallel=2)
    project.model("m.py", *names, body=COUNTED + "time.sleep(0.03)")  # so that kills meet runs
    project.list("m.py")

    for _ in range(8):
        session = project.start("-r", "-u")
        # A size of the history, not a time: that would be another moment on each machine.
        enough = _events(project) + chance.randrange(1, 10)
        wait_until(partial(_has_come_to, project, session, enough), "the session gets on")
        session.kill()
        session.communicate()
    last = project.run("-r", "-u")

    assert last.returncode == 0, last.stderr
    assert executions(project) == Counter(names)
    outcomes = Counter(project.outcomes().values())
    assert outcomes["succeeded"] == len(names)
    assert set(outcomes) <= {"succeeded", "interrupted it never began"}
    folders = list(project.outputs.glob("runs/*/*/*"))
    assert len(project.started()) == len(folders) == sum(outcomes.values())


def _has_come_to(project, session, events):
    return session.poll() is not None or _events(project) >= events


def _events(project):
    return sum(path.read_bytes().count(b"\n") for path in project.outputs.glob("history-*"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_runs_whose_own_processes_are_killed_are_recorded_and_tried_again(project, number):
    project.configure(retries=1, retry_delay=0, parallel=2)
    names = [f"v{number}" for number in range(4)]
    body = COUNTED + "wait_for_file(f'go-{self.current_version.name}')"
    project.model("m.py", *names, body=body)
    project.list("m.py")
    session = project.start("-r", "-u")
    for name in names:
        wait_until(lambda name=name: executions(project)[name] == 1, f"{name} begins")
        worker = json.loads((project.folder_of("m", name) / "proc.json").read_text())["worker"]
        os.kill(worker["pid"], number)
        wait_until(lambda name=name: f"m/{name}#1" in project.outcomes(), f"{name} is recorded")
        (project.folder / f"go-{name}").touch()
    session.communicate(timeout=60)

    word = "killed SIGKILL" if number is signal.SIGKILL else "crashed SIGSEGV"
    assert project.outcomes() == {
        **{f"m/{name}#1": word for name in names},
        **{f"m/{name}#2": "succeeded" for name in names},
    }


def test_a_supervisor_that_is_killed_costs_nothing_while_its_worker_lives(project):
    project.model("m.py", "v", body="Path('began').touch(); wait_for_file('go')")
    project.list("m.py")
    session = project.start("-r", "-u")
    wait_until((project.folder / "began").exists)
    processes = json.loads((project.folder_of("m", "v") / "proc.json").read_text())

    os.kill(processes["supervisor"]["pid"], signal.SIGKILL)
    wait_until(lambda: not is_there(processes["supervisor"]["pid"]))
    (project.folder / "go").touch()
    session.communicate(timeout=60)

    assert project.outcomes() == {"m/v#1": "succeeded"}


def test_a_pid_that_is_used_again_is_never_signalled(project):
    lose_scheduler(project, until="never")
    path = project.folder_of("m", "v") / "proc.json"
    processes = json.loads(path.read_text())
    for process in ("supervisor", "worker"):
        os.kill(processes[process]["pid"], signal.SIGKILL)
    wait_until(lambda: not is_there(processes["worker"]["pid"]))
    stranger = project.start("logs", "m/v", "-f")  # any process of ours will do
    for process in ("supervisor", "worker"):
        processes[process]["pid"] = stranger.pid  # with the start time of the one before
    path.write_text(json.dumps(processes))
    stranger.send_signal(signal.SIGSTOP)

    project.list()
    project.run("-r", "-u")

    assert project.outcomes()["m/v#1"].startswith("lost")
    assert is_there(stranger.pid)
    stranger.kill()
    stranger.communicate()


def test_a_run_of_another_boot_is_lost_even_if_its_pids_are_taken(project):
    lose_scheduler(project, until="go")
    path = project.folder_of("m", "v") / "proc.json"
    processes = json.loads(path.read_text())
    path.write_text(json.dumps({**processes, "boot": "the one before"}))

    project.list()
    project.run("-r", "-u")
    (project.folder / "go").touch()

    assert project.outcomes()["m/v#1"].startswith("lost")
    wait_until(lambda: not is_there(processes["supervisor"]["pid"]))


def test_the_lock_does_not_leak_into_runs(project):
    project.model("m.py", "v", body="Path('began').touch(); wait_for_file('go')")
    project.list("m.py")
    session = project.start("-r", "-u")
    wait_until((project.folder / "began").exists)
    worker = json.loads((project.folder_of("m", "v") / "proc.json").read_text())["worker"]["pid"]
    session.kill()
    session.communicate()

    opened = [os.readlink(path) for path in Path(f"/proc/{worker}/fd").iterdir()]  # noqa: PTH115
    second = project.start("-r", "-u")
    wait_until(lambda: project.history()[-1]["event"] == "adopted")
    (project.folder / "go").touch()
    second.communicate(timeout=60)

    assert [name for name in opened if "scheduler-" in name or "history-" in name] == []
    assert second.returncode == 0
