"""The disk is full, before a run, during one and at its end: nothing is lost, and it goes on."""

import sys
from collections import Counter
from functools import partial

import disks
import pytest
from disks import small_disk
from projects import Project, wait_until

ROOM = 700 << 10  # bytes of the file system


@pytest.fixture
def small(tmp_path):
    """A project whose outputs are a small file system of their own."""
    project = Project(tmp_path / "project")
    project.configure(min_free_disk=0)
    with small_disk(project.outputs, ROOM):
        yield project


def fill(project):
    disks.fill(project.outputs)


def empty(project):
    disks.empty(project.outputs)


def _writes_its_end(folder):
    return any((folder / name).exists() for name in (".report.json", "report.json", "exit.json"))


HELD = "Path('began').touch(); wait_for_file('go')"


@pytest.mark.parametrize("ballast", ["kept", "lost"])
def test_a_run_that_ends_on_a_full_disk_keeps_its_success_and_the_queue_goes_on(small, ballast):
    small.model("m.py", "a", "b", body=HELD)
    small.list("m.py")
    session = small.start("-r", "-u")
    wait_until((small.folder / "began").exists)
    kept = small.folder_of("m", "a") / ".ballast"
    wait_until(kept.exists)
    if ballast == "lost":  # as where a run starts when there is hardly any room
        kept.unlink()
    fill(small)

    (small.folder / "go").touch()
    wait_until(partial(_writes_its_end, small.folder_of("m", "a")), "it meets the disk")
    empty(small)
    _, errors = session.communicate(timeout=60)

    assert small.outcomes() == {"m/a#1": "succeeded", "m/b#1": "succeeded"}, errors
    assert session.returncode == 0
    assert "Traceback" not in errors


def test_a_full_disk_at_the_start_is_waited_for(small):
    small.model("m.py", "a")
    small.list("m.py")
    small.run("-r")  # makes what a session needs
    fill(small)
    small.configure(min_free_disk=0.0001)

    session = small.start("-r")
    line = session.stderr.readline()
    empty(small)
    output, _ = session.communicate(timeout=60)

    assert "nothing is started until there is room" in line
    assert "m/a#2 took" in output
    assert session.returncode == 0


def test_metrics_and_output_that_meet_a_full_disk_do_not_end_the_training(small):
    small.model(
        "m.py",
        "a",
        body="""
        Path("began").touch()
        wait_for_file("full")
        for step in range(100):
            self.progress(step, loss=0.5)
            self.log("half way", log_to_file=True)
        Path("went on").touch()
        wait_for_file("go")
        """,
    )
    small.list("m.py")
    session = small.start("-r", "-u")
    wait_until((small.folder / "began").exists)

    fill(small)
    (small.folder / "full").touch()
    wait_until((small.folder / "went on").exists, "the training goes on")
    empty(small)
    (small.folder / "go").touch()
    session.communicate(timeout=60)

    assert small.outcomes() == {"m/a#1": "succeeded"}
    metrics = (small.folder_of("m", "a") / "metrics.jsonl").read_text().splitlines()
    assert len(metrics) == 100


def test_metrics_that_find_no_room_at_the_end_are_waited_for(small):
    small.model(
        "m.py",
        "a",
        body="""
        Path("began").touch()
        wait_for_file("full")
        for step in range(5000):
            self.log_metrics({"loss": 0.5}, step=step)
        """,
    )
    small.list("m.py")
    session = small.start("-r", "-u")
    wait_until((small.folder / "began").exists)

    fill(small)
    (small.folder / "full").touch()
    ballast = small.folder_of("m", "a") / ".ballast"
    wait_until(lambda: not ballast.exists(), "the ballast is given up")
    assert small.outcomes() == {}
    empty(small)
    session.communicate(timeout=60)

    assert small.outcomes() == {"m/a#1": "succeeded"}
    metrics = (small.folder_of("m", "a") / "metrics.jsonl").read_text().splitlines()
    assert len(metrics) == 5000


def test_a_checkpoint_that_finds_no_room_is_a_full_disk_and_resumes_when_there_is_some(small):
    small.configure(min_free_disk=0, retries=1, retry_delay=0.2)
    small.model(
        "m.py",
        "a",
        body="""
        Path("began").touch()
        wait_for_file("full")
        Path(self.model_dir, "checkpoint").write_bytes(b"x" * 50_000)
        """,
    )
    small.list("m.py")
    session = small.start("-r", "-u")
    wait_until((small.folder_of("m", "a") / ".ballast").exists)
    fill(small)
    (small.folder / "full").touch()
    wait_until(lambda: "finished" in _history(small), "the first attempt is recorded")
    empty(small)
    session.communicate(timeout=60)

    assert small.outcomes()["m/a#1"].startswith("disk full OSError: [Errno 28]")
    assert small.outcomes()["m/a#2"] == "succeeded"


def _history(project):
    return "".join(path.read_text() for path in project.outputs.glob("history-*"))


def test_a_scheduler_that_is_killed_on_a_full_disk_leaves_a_history_that_can_be_read(small):
    names = [f"v{number}" for number in range(6)]
    small.model(
        "m.py", *names, body="open('executions', 'a').write(self.current_version.name + ' ')"
    )
    small.list("m.py")
    session = small.start("-r", "-u")
    wait_until(lambda: _history(small).count("finished") >= 2)
    fill(small)
    session.kill()
    session.communicate()
    empty(small)

    done = small.run("-r", "-u")

    assert done.returncode == 0, done.stderr
    executed = (small.folder / "executions").read_text().split()
    assert Counter(executed) == Counter(names)


SAYS = """
import pathlib, time, mlpipeline
def wait_for_file(name):
    while not pathlib.Path(name).exists():
        time.sleep(0.005)
pathlib.Path("began").touch()
wait_for_file("full")
for step in range(1000):
    mlpipeline.log_metrics({"loss": 0.5})
pathlib.Path("went on").touch()
wait_for_file("go")
"""


def test_a_program_whose_metrics_meet_a_full_disk_goes_on_and_its_success_is_kept(small):
    (small.folder / "m.py").write_text(SAYS)
    (small.models / "m.yaml").write_text(f"command: [{sys.executable}, m.py]\n")
    small.list("m.yaml")
    session = small.start("-r", "-u")
    wait_until((small.folder / "began").exists)

    fill(small)
    (small.folder / "full").touch()
    wait_until((small.folder / "went on").exists, "the program goes on")
    (small.folder / "go").touch()
    wait_until(partial(_writes_its_end, small.folder_of("m", "main")), "it meets the disk")
    empty(small)
    session.communicate(timeout=60)

    assert small.outcomes() == {"m/main#1": "succeeded"}
