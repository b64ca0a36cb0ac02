"""Schedulers of several hosts work on one folder; one of them is gone, or comes back."""

import json
import os
import signal
import subprocess
import time
from collections import Counter

import pytest
from projects import is_there, skip_without, wait_until

COUNTED = """
with open("executions", "a") as file:
    file.write(self.current_version.name + "\\n")
"""


def on(project, host, *arguments):
    """A session of the project as ``host``."""
    return subprocess.Popen(
        project.command(*arguments),
        cwd=project.folder,
        env={**os.environ, "MLPIPELINE_HOST": host},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def events(project, host):
    path = project.outputs / f"history-{host}"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def starts(project, host):
    return [each["run"]["version"] for each in events(project, host) if each["event"] == "starting"]


def test_two_hosts_split_the_queue_and_run_no_version_twice(project):
    names = [f"v{number}" for number in range(16)]
    project.model("m.py", *names, body=COUNTED)
    project.list("m.py")

    sessions = [on(project, host, "-r", "-u") for host in ("one", "two")]
    ends = [session.communicate(timeout=100) for session in sessions]

    executed = (project.folder / "executions").read_text().split()
    assert Counter(executed) == Counter(names), ends
    assert [session.returncode for session in sessions] == [0, 0]
    assert sorted(starts(project, "one") + starts(project, "two")) == sorted(names)


def test_hosts_by_their_own_names_split_the_queue_too(project):
    """In namespaces of their own: what the name of a host is comes from the system."""
    unshare = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"']
    skip_without("make namespaces", [*unshare, "probe", "true"])
    names = [f"v{number}" for number in range(8)]
    project.model("m.py", *names, body=COUNTED)
    project.list("m.py")

    sessions = [
        subprocess.Popen([*unshare, host, *project.command("-r", "-u")], cwd=project.folder)
        for host in ("host-a", "host-b")
    ]
    codes = [session.wait(100) for session in sessions]

    assert codes == [0, 0]
    assert Counter((project.folder / "executions").read_text().split()) == Counter(names)
    assert sorted(starts(project, "host-a") + starts(project, "host-b")) == sorted(names)


def test_versions_of_one_model_dir_never_run_on_two_hosts_at_once(project):
    project.script(
        "shared.py",
        """
        from _base import *
        class Shared(Model):
            def train_model(self, input_fn, steps):
                lock = Path(self.model_dir, "in-use")
                lock.touch(exist_ok=False)
                time.sleep(0.02)  # the time in which another run would be met
                lock.unlink()
        made = versions()
        for number in range(8):
            made.add(f"v{number}")
        MODEL = Shared(made)
        """,
    )
    project.list("shared.py")

    for session in [on(project, host, "-r", "-u") for host in ("one", "two")]:
        session.communicate(timeout=100)
    project.run("-r", "-u")  # what both left to each other

    ended = [e for host in ("one", "two") for e in events(project, host) if "outcome" in e]
    assert {event["outcome"] for event in ended} == {"succeeded"}


def begin_on_lost_host(project):
    """A run on the host "lost", whose scheduler and processes are gone without a word."""
    project.model("m.py", "a", "b", body="Path('began').touch(); wait_for_file('go')")
    project.list("m.py")
    session = on(project, "lost", "-r", "-u")
    wait_until((project.folder / "began").exists)
    session.kill()
    session.communicate()
    return json.loads((project.folder_of("m", "a") / "proc.json").read_text())


def kill(processes):
    for name in ("supervisor", "worker"):
        os.kill(processes[name]["pid"], signal.SIGKILL)
    wait_until(lambda: not is_there(processes["worker"]["pid"]))


def test_a_lost_host_keeps_its_runs_until_a_person_says_so_and_then_they_resume(project):
    kill(begin_on_lost_host(project))
    (project.folder / "go").touch()

    first = on(project, "here", "-r", "-u")
    told, _ = first.communicate(timeout=60)
    retry = project.run("retry", "--lost-host", "lost", MLPIPELINE_HOST="here")
    on(project, "here", "-r", "-u").communicate(timeout=60)

    assert "1 left to other hosts (m/a on lost)" in told
    assert retry.stdout == "lost is taken for lost: m/a#1\n"
    assert starts(project, "here") == ["b", "a"]
    assert project.record("m", "a", 2)["resumed"] is True


def test_the_late_result_of_a_host_that_comes_back_does_not_count(project):
    processes = begin_on_lost_host(project)
    project.run("retry", "--lost-host", "lost", MLPIPELINE_HOST="here")
    (project.folder / "go").touch()
    on(project, "here", "-r", "-u").communicate(timeout=60)
    wait_until(lambda: not is_there(processes["supervisor"]["pid"]), "it ends there, well")

    on(project, "lost", "-r", "-u").communicate(timeout=60)
    status = project.run("status", "--json", MLPIPELINE_HOST="here")

    rows = {row["run"]: row["state"] for row in json.loads(status.stdout)["rows"]}
    assert rows == {"m/a#2": "done", "m/b#1": "done"}
    assert starts(project, "lost") == ["a"]


def test_a_host_that_learns_that_it_was_taken_for_lost_stops_its_run(project):
    project.model("m.py", "a", body="Path('began').touch(); wait_for_file('never')")
    project.list("m.py")
    session = on(project, "slow", "-r", "-u")
    wait_until((project.folder / "began").exists)

    project.run("retry", "--lost-host", "slow", MLPIPELINE_HOST="here")
    project.list()
    _, errors = session.communicate(timeout=60)

    assert "another host took this one for lost" in errors
    worker = json.loads((project.folder_of("m", "a") / "proc.json").read_text())["worker"]
    assert not is_there(worker["pid"])


def test_a_host_that_is_silent_for_host_timeout_is_lost_by_itself(project):
    kill(begin_on_lost_host(project))
    (project.folder / "go").touch()
    project.configure(host_timeout=0.2)
    project.model("long.py", "v", body="wait_for_file('taken')")
    project.list("long.py", "m.py = a")

    session = on(project, "here", "-r", "-u")
    wait_until(lambda: any(e["event"] == "fenced" for e in events(project, "here")), "fenced")
    (project.folder / "taken").touch()
    _, errors = session.communicate(timeout=60)

    assert "no beat for 0.2 s (host_timeout): lost is taken for lost: m/a#1" in errors
    assert starts(project, "here") == ["v", "a"]


@pytest.mark.parametrize(
    "name, complaint",
    [("here", "here is this host"), ("nobody", "nobody has no runs here; hosts that have: lost")],
)
def test_a_wrong_name_for_a_lost_host_is_one_line_and_changes_nothing(project, name, complaint):
    kill(begin_on_lost_host(project))

    retry = project.run("retry", "--lost-host", name, MLPIPELINE_HOST="here")

    assert retry.returncode == 2
    assert complaint in retry.stderr
    assert events(project, "here") == []


def test_a_running_scheduler_is_asked_to_take_a_host_for_lost(project):
    kill(begin_on_lost_host(project))
    project.model("long.py", "v", body="Path('long').touch(); wait_for_file('taken')")
    project.list("long.py", "m.py = a")
    (project.folder / "go").touch()
    session = on(project, "here", "-r", "-u")
    wait_until((project.folder / "long").exists)

    retry = project.run("retry", "--lost-host", "lost", MLPIPELINE_HOST="here")
    (project.folder / "taken").touch()
    session.communicate(timeout=60)

    assert f"pid {session.pid} is told" in retry.stdout
    assert starts(project, "here") == ["v", "a"]


def test_a_claim_that_is_cut_keeps_its_version_for_whoever_has_it(project):
    project.model("m.py", "a", "b")
    project.list("m.py")
    claim = project.outputs / "claims" / "m" / "a" / "1"
    claim.parent.mkdir(parents=True)
    claim.write_bytes(b'{"host":"o')

    done = project.run("-r", "-u")

    assert project.started() == ["m/b#1"]
    assert "1 left to other hosts (m/a on another host)" in done.stdout


@pytest.mark.parametrize("content", [b"", b"\0" * 60, b"[]"])
@pytest.mark.parametrize("place", ["m/a/1", ".model_dirs/m-a"])
def test_a_claim_that_stays_damaged_is_nobodys(project, place, content):
    project.model("m.py", "a")
    project.list("m.py")
    claim = project.outputs / "claims" / place
    claim.parent.mkdir(parents=True)
    claim.write_bytes(content)
    long_ago = time.time() - 3600
    os.utime(claim, (long_ago, long_ago))

    done = project.run("-r", "-u")

    assert "1 succeeded" in done.stdout
    assert list(project.outcomes().values()) == ["succeeded"]
