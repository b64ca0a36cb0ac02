"""A session ends, is killed, or meets another one: the next goes on."""

import json
import os
import signal

from projects import children, is_there, wait_until

HELD = """
Path(self.model_dir, "checkpoint").touch()
Path("began").touch()
wait_for_file("go")
"""


def begin(project, *arguments):
    project.model("held.py", "a", "b", body=HELD)
    project.list("held.py")
    session = project.start(*arguments)
    wait_until((project.folder / "began").exists, "the run begins")
    return session


def test_killing_the_scheduler_costs_nothing(project):
    session = begin(project, "-r", "-u")
    session.kill()
    session.communicate()

    second = project.start("-r", "-u")
    wait_until(lambda: project.history()[-1]["event"] == "adopted", "the run is adopted")
    (project.folder / "go").touch()
    output, _ = second.communicate(timeout=60)

    assert second.returncode == 0
    assert "held/a#1 is still running" in output
    assert project.outcomes() == {"held/a#1": "succeeded", "held/b#1": "succeeded"}
    assert project.record("held", "a")["parameters"]["batch_size"] == 4


def test_a_run_that_ended_while_no_scheduler_lived_keeps_its_true_outcome(project):
    session = begin(project, "-r", "-u")
    session.kill()
    session.communicate()
    (project.folder / "go").touch()
    wait_until((project.folder_of("held", "a") / "exit.json").exists, "the run ends")

    project.run("-r", "-u")

    assert project.started() == ["held/a#1", "held/b#1"]
    assert set(project.outcomes().values()) == {"succeeded"}


def test_a_run_that_is_gone_without_a_trace_is_lost_and_resumed_first(project):
    session = begin(project, "-r", "-u")
    session.kill()
    session.communicate()
    processes = json.loads((project.folder_of("held", "a") / "proc.json").read_text())
    os.kill(processes["supervisor"]["pid"], signal.SIGKILL)
    os.kill(processes["worker"]["pid"], signal.SIGKILL)
    (project.folder / "go").touch()
    project.list("held.py = b, a")

    status = project.run("status").stdout
    project.run("-r", "-u")

    assert "has ended while no scheduler watched" in status
    assert project.outcomes()["held/a#1"].startswith("lost")
    assert project.started() == ["held/a#1", "held/a#2", "held/b#1"]
    assert project.record("held", "a", 2)["resumed"] is True


def test_ctrl_c_records_the_run_as_interrupted_and_it_resumes_first(project):
    session = begin(project, "-r", "-u")
    session.send_signal(signal.SIGINT)
    session.communicate(timeout=60)
    (project.folder / "go").touch()
    project.list("held.py = b, a")

    project.run("-r", "-u")

    assert session.returncode == 130
    assert project.outcomes()["held/a#1"].startswith("interrupted")
    assert project.started() == ["held/a#1", "held/a#2", "held/b#1"]


def test_a_resumed_run_keeps_its_checkpoints_and_a_fresh_one_is_cleaned(project):
    text = """
    from _base import *
    class Kept(Model):
        def clean_model_dir(self, model_dir):
            Path(model_dir, "checkpoint").unlink(missing_ok=True)
        def pre_execution_hook(self, version, model_dir, exec_mode):
            print("checkpoint", Path(model_dir, "checkpoint").exists())
        def train_model(self, input_fn, steps):
            Path(self.model_dir, "checkpoint").touch()
            if not Path("once").exists():
                Path("once").touch()
                os.kill(os.getpid(), 9)
    MODEL = Kept(versions("v"), allow_delete_model_dir=True)
    """
    project.script("kept.py", text)
    project.list("kept.py")

    project.run("-r", "-u")  # killed
    project.run("-r", "-u")  # resumes
    project.run("-r")  # afresh

    consoles = [(project.folder_of("kept", "v", n) / "console.log").read_text() for n in (1, 2, 3)]
    assert consoles == ["checkpoint False\n", "checkpoint True\n", "checkpoint False\n"]


def test_sigterm_ends_with_143(project):
    session = begin(project, "-r")
    session.send_signal(signal.SIGTERM)
    session.communicate(timeout=60)

    assert session.returncode == 143


def test_a_second_ctrl_c_kills_a_run_that_does_not_want_to_end(project):
    project.configure(grace=1000)
    project.model(
        "stubborn.py",
        "v",
        body="""
        import signal
        signal.signal(signal.SIGTERM, lambda *_: Path("asked").touch())
        Path("began").touch()
        wait_for_file("never")
        """,
    )
    project.list("stubborn.py")
    session = project.start("-r")
    wait_until((project.folder / "began").exists)

    session.send_signal(signal.SIGINT)
    wait_until((project.folder / "asked").exists)
    session.send_signal(signal.SIGINT)
    session.communicate(timeout=60)

    assert session.returncode == 130
    assert project.outcomes()["stubborn/v#1"].startswith("interrupted")


def test_a_run_that_outlasts_its_grace_is_killed(project):
    project.configure(grace=0.1)
    project.model(
        "stubborn.py",
        "v",
        body="""
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Path("began").touch()
        wait_for_file("never")
        """,
    )
    project.list("stubborn.py")
    session = project.start("-r")
    wait_until((project.folder / "began").exists)

    session.send_signal(signal.SIGINT)
    session.communicate(timeout=60)

    assert project.outcomes()["stubborn/v#1"].startswith("interrupted")


def test_a_second_scheduler_exits_with_3_and_names_the_first(project):
    session = begin(project, "-r", "-u")

    second = project.run("-r", "-u")
    (project.folder / "go").touch()
    session.communicate(timeout=60)

    assert second.returncode == 3
    assert f"pid {session.pid}" in second.stderr
    assert session.returncode == 0


def test_test_mode_runs_beside_a_scheduler(project):
    session = begin(project, "-r", "-u")
    project.model("quick.py", "v")
    project.list("quick.py", test=True)

    rehearsal = project.run()
    (project.folder / "go").touch()
    session.communicate(timeout=60)

    assert rehearsal.returncode == 0


def test_a_start_that_was_recorded_but_never_happened_is_tried_again(project):
    project.model("m.py", "v")
    project.list("m.py")
    project.run("-r", "-u")
    (path,) = project.outputs.glob("history-*")
    line = path.read_text().splitlines()[0].replace('"attempt":1', '"attempt":2')
    path.write_text(line + "\n")

    project.run("-r", "-u")

    outcomes = project.outcomes()
    assert outcomes["m/v#2"] == "interrupted it never began"
    assert outcomes["m/v#3"] == "succeeded"


CLEANED = """
from _base import *

class Cleaned(Model):
    def clean_model_dir(self, model_dir):
        Path("cleaning").touch()
        wait_for_file("clean")
        Path(model_dir, "checkpoint").unlink(missing_ok=True)
    def pre_execution_hook(self, version, model_dir, exec_mode):
        print("checkpoint", Path(model_dir, "checkpoint").exists())
    def train_model(self, input_fn, steps):
        Path(self.model_dir, "checkpoint").touch()

MODEL = Cleaned(versions("v", learning_rate={rate}), allow_delete_model_dir=True)
"""


def test_a_run_that_was_killed_before_its_model_dir_was_clean_starts_afresh(project):
    project.list("m.py")
    project.script("m.py", CLEANED.format(rate=0.1))
    (project.folder / "clean").touch()
    project.run("-r", "-u")  # leaves a checkpoint
    (project.folder / "clean").unlink()
    (project.folder / "cleaning").unlink()
    project.script("m.py", CLEANED.format(rate=0.2))

    session = project.start("-r", "-u")
    wait_until((project.folder / "cleaning").exists, "the second run prepares its model_dir")
    session.send_signal(signal.SIGINT)
    session.communicate(timeout=60)
    (project.folder / "clean").touch()
    project.run("-r", "-u")

    console = (project.folder_of("m", "v", 3) / "console.log").read_text()
    assert project.record("m", "v", 3)["resumed"] is False
    assert console == "checkpoint False\n"


def test_a_script_that_ends_its_training_early_when_asked_was_interrupted(project):
    project.model(
        "graceful.py",
        "v",
        body="""
        import signal
        asked = []
        signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
        Path("began").touch()
        while not asked and not Path("go").exists():
            time.sleep(0.005)
        """,
    )
    project.list("graceful.py")
    session = project.start("-r", "-u")
    wait_until((project.folder / "began").exists)

    session.send_signal(signal.SIGINT)
    session.communicate(timeout=60)
    (project.folder / "go").touch()
    project.run("-r", "-u")

    assert project.outcomes() == {
        "graceful/v#1": "interrupted asked to stop",
        "graceful/v#2": "succeeded",
    }
    assert project.record("graceful", "v", 2)["resumed"] is True


def test_under_nohup_a_hangup_changes_nothing(project):
    project.model("held.py", "a", body=HELD)
    project.list("held.py")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        session = project.start("-r")
    finally:
        signal.signal(signal.SIGHUP, before)
    wait_until((project.folder / "began").exists)

    session.send_signal(signal.SIGHUP)
    (project.folder / "go").touch()
    session.communicate(timeout=60)

    assert session.returncode == 0
    assert project.outcomes() == {"held/a#1": "succeeded"}


def test_the_interpreter_that_stands_by_goes_with_a_scheduler_that_is_killed(project):
    session = begin(project, "-r")
    run = json.loads((project.folder_of("held", "a") / "proc.json").read_text())
    started_by = children(run["supervisor"]["pid"])  # the nursery
    (spare,) = [pid for pid in started_by if pid != run["worker"]["pid"]]

    session.kill()
    session.communicate()

    wait_until(lambda: not is_there(spare), "the spare interpreter ends")
    (project.folder / "go").touch()
    wait_until((project.folder_of("held", "a") / "exit.json").exists)
