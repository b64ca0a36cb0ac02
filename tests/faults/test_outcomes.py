"""However a run is brought down, the record says by what."""

import json
import os
import signal

import pytest
from projects import is_there, lose_scheduler, wait_until

FAULTS = {
    "raise MemoryError": "out of memory MemoryError",
    "import numpy; numpy.zeros(1 << 50)": "out of memory _ArrayMemoryError",
    "raise RuntimeError('CUDA out of memory. Tried to allocate 20.00 MiB')": "out of memory",
    "class OutOfMemoryError(RuntimeError): pass\nraise OutOfMemoryError": "out of memory",
    "raise RuntimeError('the shelf is out of screws')": "failed RuntimeError: the shelf is out",
    "raise ValueError('out of memory')": "failed ValueError",
    "open('/dev/full', 'w').write('x' * 10**6)": "disk full OSError: [Errno 28]",
}


def test_what_a_run_lacked_is_told_apart_from_what_its_code_did_wrong(project):
    for number, body in enumerate(FAULTS):
        project.model(f"m{number}.py", "v", body=body)
    project.list(*(f"m{number}.py" for number in range(len(FAULTS))))

    project.run("-r")

    outcomes = project.outcomes()
    found = {body: outcomes[f"m{number}/v#1"] for number, body in enumerate(FAULTS)}
    assert {body: words for body, words in found.items() if FAULTS[body] not in words} == {}


STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
wait_for_file("never")
"""


@pytest.mark.parametrize("body", ["wait_for_file('never')", STUBBORN], ids=["heeds", "stubborn"])
def test_a_run_that_takes_too_long_is_ended_with_its_children(project, body):
    project.configure(timeout=0.3, grace=0.1)
    child = "import subprocess; child = subprocess.Popen(['sleep', '1000'])"
    project.model("m.py", "v", body=f"{child}\nPath('child').write_text(str(child.pid))\n{body}")
    project.list("m.py")

    done = project.run("-r")

    assert project.outcomes() == {"m/v#1": "timeout took longer than timeout (0.3 s)"}
    assert done.returncode == 1
    assert not is_there(int((project.folder / "child").read_text()))


def test_a_version_may_have_a_timeout_of_its_own(project):
    project.script(
        "m.py",
        """
        from _base import *
        class Slow(Model):
            def train_model(self, input_fn, steps): wait_for_file(self.current_version.name)
        made = versions("quick")
        made.add("slow", timeout=0.3)
        MODEL = Slow(made)
        """,
    )
    project.list("m.py")
    (project.folder / "quick").touch()

    project.run("-r")

    assert project.outcomes() == {
        "m/quick#1": "succeeded",
        "m/slow#1": "timeout took longer than timeout (0.3 s)",
    }


def test_a_timeout_is_kept_although_the_scheduler_is_dead(project):
    project.configure(timeout=1)
    lose_scheduler(project, until="never")
    wait_until((project.folder_of("m", "v") / "exit.json").exists)

    project.list()
    project.run("-r", "-u")

    assert project.outcomes() == {"m/v#1": "timeout took longer than timeout (1 s)"}


def test_a_timeout_is_kept_although_the_supervisor_is_dead(project):
    project.configure(timeout=0.5)
    project.model("m.py", "v", body="Path('began').touch(); wait_for_file('never')")
    project.list("m.py")
    session = project.start("-r", "-u")
    wait_until((project.folder / "began").exists)

    supervisor = json.loads((project.folder_of("m", "v") / "proc.json").read_text())["supervisor"]
    os.kill(supervisor["pid"], signal.SIGKILL)
    session.communicate(timeout=60)

    assert project.outcomes() == {"m/v#1": "timeout took longer than timeout (0.5 s)"}


def test_a_run_that_gives_no_sign_of_life_has_stalled_and_one_that_speaks_has_not(project):
    project.configure(stall_timeout=1)
    project.model(
        "m.py",
        "silent",
        "speaking",
        body="""
        if self.current_version.name == "silent":
            wait_for_file("never")
        for step in range(25):
            print(step)
            time.sleep(0.05)  # the fault is silence, so time is what this is about
        """,
    )
    project.list("m.py")

    project.run("-r")

    assert project.outcomes() == {
        "m/silent#1": "stalled no output, progress or metric for stall_timeout (1 s)",
        "m/speaking#1": "succeeded",
    }


@pytest.mark.parametrize("value", ["float('nan')", "float('inf')", "-float('inf')"])
def test_a_run_that_diverges_ends_when_asked_for(project, value):
    project.configure(stop_on_nan="yes")
    body = f"""
    try:
        self.progress(1, loss=0.5)
        self.progress(2, loss={value})
    except Exception:
        pass
    Path("went on").touch()
    """
    project.model("m.py", "v", body=body)
    project.list("m.py")

    project.run("-r")

    (outcome,) = project.outcomes().values()
    assert outcome.startswith("diverged loss is ")
    assert outcome.endswith(" at step 2")
    assert not (project.folder / "went on").exists()
    metrics = (project.folder_of("m", "v") / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in metrics] == [1, 2]


def test_without_stop_on_nan_a_diverged_run_goes_on(project):
    project.model("m.py", "v", body="self.progress(1, loss=float('nan'))")
    project.list("m.py")

    project.run("-r")

    assert project.outcomes() == {"m/v#1": "succeeded"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, 40])
def test_a_run_that_somebody_kills_is_recorded_with_the_signal_and_tried_again(project, number):
    project.configure(retries=1, retry_delay=0)
    project.model("m.py", "v", body="Path('began').touch(); wait_for_file('go')")
    project.list("m.py")
    session = project.start("-r", "-u")
    wait_until((project.folder / "began").exists)
    (project.folder / "go").touch()
    worker = json.loads((project.folder_of("m", "v") / "proc.json").read_text())["worker"]["pid"]
    os.kill(worker, signal.SIGSTOP)  # it must not see the file first
    os.kill(worker, number)
    os.kill(worker, signal.SIGCONT)
    session.communicate(timeout=60)

    first, second = project.outcomes().values()
    name = signal.Signals(number).name if number < 32 else "signal 40"
    assert (first, second) == (f"killed {name}", "succeeded")


def test_a_bug_is_not_tried_again_unless_asked_for(project):
    project.configure(retries=3, retry_delay=0)
    project.model("m.py", "v", body="raise ValueError")
    project.list("m.py")

    project.run("-r")

    assert project.started() == ["m/v#1"]


def test_on_stop_saves_a_checkpoint_from_which_the_next_attempt_goes_on(project):
    project.script(
        "m.py",
        """
        from _base import *
        class Saving(Model):
            def pre_execution_hook(self, version, model_dir, exec_mode):
                self.step = 0
                saved = Path(model_dir, "step")
                if saved.exists():
                    self.step = int(saved.read_text())
            def train_model(self, input_fn, steps):
                self.step += 1
                Path("began").touch()
                wait_for_file("go")
            def on_stop(self, model_dir):
                Path(model_dir, "step").write_text(str(self.step))
            def evaluate_model(self, input_fn, steps):
                return {"step": self.step}
        MODEL = Saving(versions("v"))
        """,
    )
    project.list("m.py")
    session = project.start("-r", "-u")
    wait_until((project.folder / "began").exists)

    session.send_signal(signal.SIGINT)
    session.communicate(timeout=60)
    (project.folder / "go").touch()
    project.run("-r", "-u")

    assert project.outcomes() == {"m/v#1": "interrupted asked to stop", "m/v#2": "succeeded"}
    assert project.record("m", "v", 2)["results"]["test"] == {"step": 2}


def test_an_on_stop_that_fails_or_hangs_keeps_nobody_waiting(project):
    project.configure(grace=0.3)
    for name, fault in (("fails", "raise ValueError('no')"), ("hangs", "wait_for_file('never')")):
        project.script(
            f"{name}.py",
            f"""
            from _base import *
            class Odd(Model):
                def train_model(self, input_fn, steps):
                    Path("began-{name}").touch()
                    wait_for_file("never")
                def on_stop(self, model_dir):
                    {fault}
            MODEL = Odd(versions("v"))
            """,
        )
    project.configure(grace=0.3, parallel=2)
    project.list("fails.py", "hangs.py")
    session = project.start("-r", "-u")
    for name in ("fails", "hangs"):
        wait_until((project.folder / f"began-{name}").exists)

    session.send_signal(signal.SIGINT)
    session.communicate(timeout=60)

    assert set(project.outcomes().values()) == {"interrupted asked to stop"}
    assert "ValueError: no" in (project.folder_of("fails", "v") / "console.log").read_text()
