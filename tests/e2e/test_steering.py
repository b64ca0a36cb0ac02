"""cancel, skip and retry: with a session and without, and over a shared folder."""

import json
import os
import signal
import subprocess

import pytest
from projects import is_there, wait_until

WAITING = "print('began'); wait_for_file('go-' + self.current_version.name)"
SAVING = """
done = Path(self.model_dir) / "done"
print("resumes" if done.exists() else "begins")
done.touch()
if not Path("go-" + self.current_version.name).exists():
    wait_for_file("go-" + self.current_version.name)
"""


@pytest.fixture
def going(project):
    """A session with m/a running, m/b and m/c queued; it is ended with the test."""
    project.model("m.py", "a", "b", "c", body=SAVING)
    project.list("m.py")
    session = project.start("-r", "-u", "--watch")
    wait_until(lambda: console(project, "a") == "begins\n", "a runs")
    yield project
    session.send_signal(signal.SIGTERM)
    session.communicate(timeout=60)


def console(project, version, attempt=1):
    try:
        return (project.folder_of("m", version, attempt) / "console.log").read_text()
    except OSError:
        return ""


def on_gpu7(project):
    """A session of another host, with m/a running."""
    session = subprocess.Popen(
        project.command("-r", "-u"),
        cwd=project.folder,
        env={**os.environ, "MLPIPELINE_HOST": "gpu7"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: console(project, "a"), "it runs")
    return session


def go(project, *versions):
    for version in versions:
        (project.folder / f"go-{version}").touch()


def states(project):
    rows = json.loads(project.run("status", "--json").stdout)["rows"]
    return {row["run"]: row["state"] for row in rows}


def test_a_cancelled_run_ends_and_the_next_one_starts(going):
    done = going.run("cancel", "m/a")

    assert done.returncode == 0, done.stderr
    wait_until(lambda: console(going, "b"), "b runs")
    assert going.outcomes() == {"m/a#1": "interrupted cancelled"}
    assert states(going) == {"m/b#1": "running", "m/c": "queued", "m/a#1": "skipped"}


def test_a_cancelled_run_resumes_when_it_is_retried(going):
    going.run("cancel", "m/a")
    wait_until(lambda: console(going, "b"), "b runs")
    going.run("retry", "m/a")

    go(going, "a", "b")

    wait_until(lambda: console(going, "a", 2), "a runs again")
    assert console(going, "a", 2) == "resumes\n"


def test_what_is_skipped_is_left_out_until_it_is_retried(going):
    going.run("skip", "m/b")
    go(going, "a", "b", "c")
    wait_until(lambda: states(going).get("m/c#1") == "done", "c runs")
    assert states(going)["m/b"] == "skipped"

    going.run("retry", "m/b")

    wait_until(lambda: states(going).get("m/b#1") == "done", "b runs")


def test_several_are_named_by_a_pattern(going):
    done = going.run("cancel", "m/*")

    assert done.stdout.splitlines()[:3] == ["m/a", "m/b", "m/c"]
    wait_until(lambda: set(states(going).values()) == {"skipped"}, "all are skipped")


def test_retry_runs_again_what_is_done(going):
    go(going, "a", "b", "c")
    wait_until(lambda: states(going).get("m/c#1") == "done", "all run")

    going.run("retry", "m/b")

    wait_until(lambda: states(going).get("m/b#2") == "done", "b runs again")


def test_retry_failed_takes_all_that_failed(project):
    project.model("m.py", "a", "b", body="assert Path('mended').exists()")
    project.model("n.py", "c")
    project.list("m.py", "n.py")
    project.run("-r", "-u")
    (project.folder / "mended").touch()

    done = project.run("retry", "--failed")
    project.run("-r", "-u")

    assert done.stdout.splitlines()[:2] == ["m/a", "m/b"]
    assert states(project) == {"m/a#2": "done", "m/b#2": "done", "n/c#1": "done"}


def test_retry_changed_takes_what_has_another_script_now(project):
    project.model("m.py", "a")
    project.model("n.py", "b")
    project.list("m.py", "n.py")
    project.run("-r", "-u")
    project.model("m.py", "a", body="print('better')")

    done = project.run("retry", "--changed")
    project.run("-r", "-u")

    assert done.stdout.splitlines()[0] == "m/a"
    assert states(project) == {"m/a#2": "done", "n/b#1": "done"}


def test_orders_hold_when_no_session_goes_on(project):
    project.model("m.py", "a", "b")
    project.list("m.py")

    skipped = project.run("skip", "m/a")
    project.run("-r", "-u")

    assert skipped.stdout.splitlines() == ["m/a", "noted for the next session"]
    assert project.started() == ["m/b#1"]


def test_a_run_whose_session_was_killed_is_cancelled_too(project):
    project.model("m.py", "a", body=WAITING)
    project.list("m.py")
    session = project.start("-r", "-u")
    wait_until(lambda: console(project, "a"), "it runs")
    session.kill()
    session.communicate()
    worker = json.loads((project.folder_of("m", "a") / "proc.json").read_text())["worker"]["pid"]

    done = project.run("cancel", "m/a")

    assert done.returncode == 0, done.stderr
    assert not is_there(worker)
    assert project.outcomes() == {"m/a#1": "interrupted cancelled"}
    assert states(project) == {"m/a#1": "skipped"}


def test_a_run_on_another_host_is_cancelled_there(project):
    project.model("m.py", "a", body=WAITING)
    project.list("m.py")
    session = on_gpu7(project)

    done = project.run("cancel", "m/a", MLPIPELINE_HOST="laptop")

    assert "gpu7 is told" in done.stdout
    assert session.wait(timeout=60) == 0
    assert states(project) == {"m/a#1": "skipped"}


def test_a_host_that_does_not_answer_is_asked_for_later(project):
    project.model("m.py", "a", body=WAITING)
    project.list("m.py")
    session = on_gpu7(project)
    session.kill()
    session.wait()

    done = project.run("cancel", "m/a", MLPIPELINE_HOST="laptop")
    back = project.run("-r", "-u", MLPIPELINE_HOST="gpu7")

    assert "gpu7 is asked, and does it as soon as its scheduler looks" in done.stdout
    assert back.returncode == 0, back.stderr
    assert states(project) == {"m/a#1": "skipped"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cancel", "m/x"], "no run is called m/x (did you mean m/"),
        (["skip", "m"], "m may be m/a, m/b or m/c; say which"),
        (["skip", "m/a"], "m/a#1 is running; `mlpipeline cancel 'm/a'` ends it"),
        (["retry", "a"], "m/a#1 is running: nothing is retried"),
        (["cancel", "m/a#7"], "there is no run m/a#7; of this version there is: m/a#1"),
        (["cancel", "x*"], "no run fits x*"),
        (["retry"], "name runs, or give --failed"),
    ],
    ids=str,
)
def test_what_can_not_be_done_is_said_and_changes_nothing(going, arguments, said):
    before = states(going)

    done = going.run(*arguments)

    assert done.returncode == 2
    assert said in done.stderr
    assert states(going) == before


def test_what_is_done_is_left_alone(project):
    project.model("m.py", "a", "b")
    project.list("m.py = a")
    project.run("-r", "-u")
    project.list("m.py")

    done = project.run("cancel", "m/*")

    assert "m/a is done already, and stays so" in done.stdout
    assert states(project) == {"m/b": "skipped", "m/a#1": "done"}


def test_a_rehearsal_is_shown_and_can_be_cancelled(project):
    project.model("m.py", "a", "b", body=WAITING)
    project.list("m.py")
    session = project.start("-r", "-u", "--watch", "--rehearse")
    wait_until(lambda: "is being rehearsed" in project.run("status").stdout, "it is rehearsed")

    project.run("cancel", "m/a")
    (project.folder / "go-b").touch()

    wait_until(lambda: states(project).get("m/b#1") == "done", "the slot is free")
    assert states(project)["m/a"] == "skipped"
    session.send_signal(signal.SIGTERM)
    session.communicate(timeout=60)


def test_what_is_asked_in_a_shared_folder_can_be_written_by_the_group(project):
    project.configure(shared="yes")
    project.model("m.py", "a")
    project.list("m.py")

    project.run("skip", "m/a")

    made = [project.outputs, *project.outputs.glob("history-*")]
    assert [path for path in made if not path.stat().st_mode & 0o020] == []


def test_a_session_is_stopped_while_it_reads_the_scripts(project):
    project.script("m.py", "from pathlib import Path\nPath('began').touch()\nwhile True: pass\n")
    project.list("m.py")
    session = project.start("-r", "-u")
    wait_until((project.folder / "began").exists, "it is read")

    done = project.run("stop")

    assert done.returncode == 0, done.stderr
    session.communicate(timeout=60)


def test_a_stop_that_was_meant_for_an_earlier_session_stops_none(project):
    project.model("m.py", "a", body=WAITING)
    project.list("m.py")
    session = project.start("-r", "-u", "--watch")
    wait_until(lambda: console(project, "a"), "it runs")
    session.send_signal(signal.SIGSTOP)  # it takes nothing
    asking = project.start("stop")
    folder = project.outputs / "requests"
    wait_until(lambda: list(folder.glob("*/*.json")), "it is asked")
    for process in (asking, session):
        process.kill()
        process.communicate()
    go(project, "a")

    project.run("-r", "-u")

    assert project.outcomes() == {"m/a#1": "succeeded"}


def test_the_answer_as_json(going):
    done = going.run("cancel", "m/a", "--json")

    answer = json.loads(done.stdout)
    assert (answer["versions"], answer["stops"]) == (["m/a"], ["m/a#1"])
