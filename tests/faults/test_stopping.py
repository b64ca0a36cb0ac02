"""However a session is asked to end, its runs end as promised."""

import json
import signal

import pytest
from projects import is_there, wait_until

HELD = "Path('began').touch(); wait_for_file('go')"


SAVES_WHEN_TOLD = """
import signal

def save(*_):
    Path("told").touch()
    wait_for_file("go")
    time.sleep(0.1)  # a kill would come before it is over
    Path("saved").touch()
    sys.exit()

signal.signal(signal.SIGTERM, save)
Path("began").touch()
wait_for_file("never")
"""


def begin(project, body=HELD):
    project.model("m.py", "a", "b", body=body)
    project.list("m.py")
    session = project.start("-r", "-u")
    wait_until((project.folder / "began").exists)
    return session


def end(session):
    output, errors = session.communicate(timeout=60)
    return output.splitlines()[-1], errors


def test_stop_asks_the_runs_to_end_and_they_resume_first(project):
    session = begin(project)

    stop = project.run("stop")
    last, _ = end(session)
    (project.folder / "go").touch()
    project.run("-r", "-u")

    assert f"pid {session.pid} ends: runs are asked to stop and get 30 s for it" in stop.stdout
    assert "1 interrupted" in last
    assert project.outcomes()["m/a#1"] == "interrupted asked to stop"
    assert project.started() == ["m/a#1", "m/a#2", "m/b#1"]


def test_a_terminal_that_hangs_up_twice_still_leaves_the_run_its_grace(project):
    session = begin(project, body=SAVES_WHEN_TOLD)

    session.send_signal(signal.SIGHUP)
    wait_until((project.folder / "told").exists, "it is asked to stop")
    session.send_signal(signal.SIGHUP)
    (project.folder / "go").touch()
    end(session)

    assert (project.folder / "saved").exists()


def test_stop_now_kills_what_heeds_no_signal(project):
    project.configure(grace=1000)
    session = begin(
        project, "import signal; signal.signal(15, signal.SIG_IGN)\n" + HELD.replace("; ", "\n")
    )

    project.run("stop", "--now")
    end(session)

    assert project.outcomes() == {"m/a#1": "interrupted asked to stop"}


def test_stop_after_current_lets_what_runs_come_to_its_end(project):
    session = begin(project)

    project.run("stop", "--after-current")
    (project.folder / "go").touch()
    last, _ = end(session)

    assert project.outcomes() == {"m/a#1": "succeeded"}
    assert last.startswith("stopped: 1 succeeded")
    assert session.returncode == 0


def test_stop_detach_leaves_runs_to_the_next_session(project):
    session = begin(project)

    project.run("stop", "--detach")
    last, _ = end(session)
    (project.folder / "go").touch()
    project.run("-r", "-u")

    assert last.startswith("stopped: 1 left running")
    assert project.started() == ["m/a#1", "m/b#1"]
    assert set(project.outcomes().values()) == {"succeeded"}


def test_stop_without_a_session_says_so(project):
    done = project.run("stop")

    assert (done.returncode, done.stdout) == (2, "")
    assert "no mlpipeline -r works on this project on this host" in done.stderr


@pytest.mark.parametrize("heeds", [True, False])
def test_grandchildren_end_with_their_run(project, heeds):
    project.configure(grace=0.2)
    trap = "" if heeds else "trap '' TERM;"
    session = begin(
        project,
        f"""
        import subprocess
        child = subprocess.Popen(["sh", "-c", "{trap} sleep 1000 & echo $! > grandchild; wait"])
        wait_for_file("grandchild")
        while not Path("grandchild").read_text().strip(): time.sleep(0.005)
        Path("began").touch()
        wait_for_file("never")
        """,
    )
    grandchild = int((project.folder / "grandchild").read_text())

    session.send_signal(signal.SIGINT)
    end(session)

    wait_until(lambda: not is_there(grandchild), "the grandchild ends")


def test_a_run_that_is_stopped_from_outside_by_sigterm_saves_with_on_stop(project):
    project.script(
        "m.py",
        """
        from _base import *
        import signal
        class Saving(Model):
            def train_model(self, input_fn, steps):
                if not Path("once").exists():
                    Path("once").touch()
                    os.kill(os.getpid(), signal.SIGTERM)
                    wait_for_file("never")
            def on_stop(self, model_dir):
                Path(model_dir, "checkpoint").touch()
        MODEL = Saving(versions("v"))
        """,
    )
    project.list("m.py")

    project.run("-r", "-u")

    assert project.outcomes() == {
        "m/v#1": "interrupted ended by SIGTERM in train_model",
        "m/v#2": "succeeded",
    }
    assert list(project.outputs.glob("model_ckpts/*/checkpoint")) != []


def test_a_request_that_makes_no_sense_is_dropped(project):
    session = begin(project)
    (host,) = [path.name.removeprefix("history-") for path in project.outputs.glob("history-*")]
    folder = project.outputs / "requests" / host
    folder.mkdir(parents=True)
    for name, content in (("1.json", b"\0"), ("2.json", b'{"request":{"type":"dance"}}')):
        (folder / name).write_bytes(content)

    wait_until(lambda: list(folder.iterdir()) == [], "the requests are taken")
    (project.folder / "go").touch()
    end(session)

    assert set(project.outcomes().values()) == {"succeeded"}


def test_a_run_that_was_asked_to_stop_keeps_that_verdict_when_the_scheduler_dies(project):
    project.configure(grace=1000)
    session = begin(
        project,
        """
        import signal
        signal.signal(signal.SIGTERM, lambda *_: Path("asked").touch())
        Path("began").touch()
        wait_for_file("go")
        """,
    )
    session.send_signal(signal.SIGINT)
    wait_until((project.folder / "asked").exists)
    session.kill()
    session.communicate()
    (project.folder / "go").touch()
    wait_until((project.folder_of("m", "a") / "exit.json").exists)

    project.run("-r", "-u")

    assert project.outcomes()["m/a#1"] == "interrupted asked to stop"
    assert json.loads((project.folder_of("m", "a") / "exit.json").read_text())["status"] == 0
