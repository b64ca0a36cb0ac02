"""Steps of pipelines, through kills and full disks: nothing half-made is read, nothing is lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pipelines import PREPARE, component, count, flow, program, two_steps
from projects import Project, is_there, skip_without, wait_until

PYTHON = sys.executable
ROOM = 2 << 20  # bytes of the file system
# Makes half of what it has to, and waits for a file.
HALF = (
    """
import os, sys, time
from pathlib import Path
if not Path("go").exists():
    os.makedirs(sys.argv[1])
    Path(sys.argv[1], "0.txt").write_text("half")
    Path("pid").write_text(str(os.getpid()))
    Path("began").touch()
    while not Path("go").exists():
        time.sleep(0.005)
    sys.exit("was to be killed")
"""
    + PREPARE
)


@pytest.fixture(params=["warm", "cold"])
def held(project, request):
    two_steps(project, start=request.param)
    program(project, "prepare.py", HALF)
    return project


def made(project, version="prepare"):
    """What lies in place of a version's artifacts, whichever attempt made it."""
    folder = project.outputs / "artifacts" / "flow" / version
    names = [each.name for each in folder.iterdir()] if folder.exists() else []
    return sorted(name for name in names if not name.endswith(".part"))


def worker_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize("whom", ["program", "worker"])
def test_what_a_killed_step_has_half_made_is_never_read(held, whom):
    session = held.start("-r", "-u")
    wait_until((held.folder / "began").exists)
    pid = int((held.folder / "pid").read_text())

    os.kill(pid if whom == "program" else worker_of(pid), signal.SIGKILL)
    session.communicate(timeout=30)

    assert held.outcomes() == {"flow/prepare#1": "killed SIGKILL"}
    assert made(held) == []
    assert not (held.folder_of("flow", "prepare") / "artifacts.json").exists()

    (held.folder / "go").touch()
    wait_until(lambda: not is_there(pid))
    done = held.run("-r", "-u")

    assert done.returncode == 0, done.stdout + done.stderr
    assert made(held) == ["2"]
    left = (held.outputs / "artifacts" / "flow" / "prepare").iterdir()
    assert [each.name for each in left] == ["2"]  # what was half-made is thrown away
    assert held.record("flow", "train,lr=0.5")["inputs"]["data"][0]["from"] == "flow/prepare#2"


def test_a_step_outlives_its_scheduler_and_what_it_makes_is_used(project):
    two_steps(project)
    program(project, "prepare.py", HALF.replace('sys.exit("was to be killed")', "import shutil"))
    program(
        project,
        "prepare.py",
        (project.folder / "prepare.py")
        .read_text()
        .replace("import shutil", "import shutil; shutil.rmtree(sys.argv[1])"),
    )
    session = project.start("-r", "-u")
    wait_until((project.folder / "began").exists)
    session.kill()
    session.communicate()

    (project.folder / "go").touch()
    done = project.run("-r", "-u")

    assert done.returncode == 0, done.stdout + done.stderr
    assert set(project.outcomes()) == {
        *("flow/prepare#1", "flow/train,lr=0.5#1", "flow/train,lr=0.25#1"),
    }
    assert count(project, "prepared") == 1


@pytest.mark.parametrize(("content", "keeps_mtime"), [("", True), ("", False), ("\0", False)])
def test_an_artifact_that_a_power_cut_has_spoilt_is_not_read(project, content, keeps_mtime):
    """Its record is there, and its content never came to the disk; nor did, perhaps, its mtime."""
    two_steps(project)
    project.list("flow.yaml = steps=prepare")
    project.run("-r", "-u")
    file = project.outputs / "artifacts" / "flow" / "prepare" / "1" / "dataset" / "2.txt"
    before = file.stat()
    file.write_text(content)
    if keeps_mtime:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    project.list("flow.yaml")

    done = project.run("-r", "-u")

    assert done.returncode == 1
    assert "was changed since it was made" in project.outcomes()["flow/train,lr=0.5#1"]
    assert not (project.folder / "trained").exists()


@pytest.mark.parametrize("left", ["in place", "nothing", "cut record", "foreign record"])
def test_what_has_no_whole_record_is_not_there(project, left):
    """As after a kill between putting in place and recording, or of a disk that lost its end."""
    two_steps(project)
    project.run("-r", "-u")
    record = project.folder_of("flow", "prepare") / "artifacts.json"
    if left == "in place":
        record.unlink()
    elif left == "nothing":
        record.write_bytes(b"")
    elif left == "cut record":
        record.write_bytes(record.read_bytes()[:100])
    else:
        record.write_text('{"format": 1, "artifacts": [], "key": 3}')

    done = project.run("-r")

    assert done.returncode == 0, done.stdout + done.stderr
    assert count(project, "prepared") == 2
    assert made(project) == ["1", "2"]


@pytest.fixture
def small(tmp_path):
    """A project whose outputs are a small file system of their own."""
    project = Project(tmp_path / "project")
    project.configure(min_free_disk=0)
    project.outputs.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(project.outputs)]
    skip_without("mount", mount)
    yield project
    subprocess.run(["umount", "--lazy", str(project.outputs)], check=True)


def test_a_disk_that_is_full_while_an_artifact_is_written_fails_that_step_only(small):
    program(
        small,
        "make.py",
        """
        import os, sys
        if os.path.exists("small"):
            open(sys.argv[1], "w").write("small")
            sys.exit()
        with open(sys.argv[1], "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 65536)
        """,
    )
    big = component([PYTHON, "make.py"], [], [("data", "Dataset")], [{"outputPath": "data"}])
    use = component([PYTHON, "-c", "pass"], [("data", "Dataset")], [], [{"inputPath": "data"}])
    steps = {
        "make": {"component": big},
        "use": {"component": use, "arguments": {"data": "{make.data}"}},
        "aside": {"component": component([PYTHON, "-c", "pass"])},
    }
    flow(small, parameters=None, grid=None, steps=steps)
    small.list("flow.yaml")
    (small.outputs / "filling").write_bytes(b"")

    done = small.run("-r", "-u")

    assert "Traceback" not in done.stderr
    outcomes = small.outcomes()
    assert outcomes["flow/make#1"].startswith("disk full")
    assert outcomes["flow/aside#1"] == "succeeded"
    assert "flow/use#1" not in outcomes
    assert made(small, "make") == []

    (small.folder / "small").touch()
    again = small.run("-r", "-u")

    assert again.returncode == 0, again.stdout + again.stderr
    assert small.outcomes()["flow/use#1"] == "succeeded"
    assert small.record("flow", "make", 2)["artifacts"]["data"]["size"] == 5


def test_a_disk_that_is_full_when_it_is_recorded_keeps_what_was_made(small):
    program(
        small,
        "make.py",
        """
        import os, sys, time
        open(sys.argv[1], "w").write("made")
        open("began", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.005)
        """,
    )
    make = component([PYTHON, "make.py"], [], [("data", "Dataset")], [{"outputPath": "data"}])
    flow(small, parameters=None, grid=None, steps={"make": {"component": make}})
    small.list("flow.yaml")
    session = small.start("-r", "-u")
    wait_until((small.folder / "began").exists)
    folder = small.folder_of("flow", "make")
    wait_until((folder / ".ballast").exists)
    (folder / ".ballast").unlink()
    filling = small.outputs / "filling"
    with filling.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1 << 8, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue

    (small.folder / "go").touch()
    wait_until((folder / ".artifacts.json").exists, "it meets the disk")
    filling.unlink()
    output, errors = session.communicate(timeout=60)

    assert session.returncode == 0, output + errors
    assert small.record("flow", "make")["artifacts"]["data"]["size"] == 4
    assert small.run("-r", "-u").stdout.startswith("nothing to do")
