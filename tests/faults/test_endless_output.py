"""Scripts that print without end: the log keeps its head and its tail, whoever is killed."""

import json
import os
import signal
import subprocess
from functools import partial

import pytest
from projects import Project, is_there, skip_without, wait_until

LIMIT = 2_000_000  # bytes
SETTINGS = {"console_limit": LIMIT / 1e9}
EXCESS = 500 << 20  # what the fastest child prints between two looks, on the quickest of machines
LEFT_OUT = " bytes left out here: console_limit]"

PRINTING = """
print("the first line", flush=True)
Path("began").touch()
number = 0
while not Path("go").exists():
    print("\\n".join(f"line {number + each}" for each in range(20_000)))
    number += 20_000
print("the last line")
"""
FROM_A_CHILD = """
import subprocess
print("the first line", flush=True)
Path("began").touch()
child = subprocess.Popen(["yes", "what a C library says, straight to its descriptor"])
wait_for_file("go")
child.kill()
child.wait()
print("the last line")
"""


@pytest.fixture
def endless(project):
    """A project whose run prints until there is a file ``go``."""

    sessions = []

    def begin(body=PRINTING, **settings):
        project.configure(**SETTINGS, **settings)
        project.model("m.py", "v", body=body)
        project.list("m.py")
        session = subprocess.Popen(
            project.command("-r", "-u", "-q"),
            cwd=project.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        sessions.append(session)
        wait_until((project.folder / "began").exists)
        return session

    yield begin
    (project.folder / "go").touch()
    for session in sessions:
        session.communicate(timeout=60)


def log_of(project, attempt=1):
    return project.folder_of("m", "v", attempt) / "console.log"


def is_cut(project):
    """Whether blocks of the log's middle are given back."""
    stat = log_of(project).stat()
    return stat.st_size > 2 * LIMIT and stat.st_blocks * 512 < stat.st_size - LIMIT


def wait_for_cut(project):
    wait_until(partial(is_cut, project), "the middle is given back")


def whole(log):
    """The head and the tail of a log that is cut to its limit, with the bytes between them."""
    assert log.stat().st_size <= LIMIT + 200
    head, line, tail = "", "", log.read_text()
    for each in tail.splitlines(keepends=True):
        if LEFT_OUT in each:
            line = each
            break
        head += each
    assert line, "nothing says what is left out"
    tail = tail[len(head) + len(line) :]
    assert "\0" not in head + tail
    return head, int(line.strip("[\n").split()[0].replace(",", "")), tail


def processes(project):
    return json.loads((project.folder_of("m", "v") / "proc.json").read_text())


@pytest.mark.parametrize("body", [PRINTING, FROM_A_CHILD], ids=["script", "child"])
def test_what_prints_without_end_fills_no_disk_and_keeps_its_first_and_last_words(
    project, endless, body
):
    session = endless(body)
    most = 0
    for _ in range(3):
        before = log_of(project).stat().st_size
        wait_until(lambda before=before: log_of(project).stat().st_size > before + 4 * LIMIT)
        wait_for_cut(project)
        most = max(most, log_of(project).stat().st_blocks * 512)
    (project.folder / "go").touch()
    session.communicate(timeout=60)

    assert project.outcomes() == {"m/v#1": "succeeded"}
    head, left_out, tail = whole(log_of(project))
    assert head.startswith("the first line\n")
    assert tail.endswith("the last line\n")
    assert left_out > 8 * LIMIT
    assert most < LIMIT + EXCESS


def test_no_line_is_lost_that_is_not_counted(project, endless):
    session = endless()
    wait_for_cut(project)
    (project.folder / "go").touch()
    session.communicate(timeout=60)

    head, left_out, tail = whole(log_of(project))
    before = int(head.splitlines()[-1].removeprefix("line "))
    after = int(tail.splitlines()[0].removeprefix("line "))
    missing = range(before + 1, after)
    assert left_out == sum(len(f"line {number}\n") for number in missing)


@pytest.mark.parametrize("who", ["supervisor", "scheduler", "worker"])
def test_whoever_is_killed_meanwhile_the_log_stays_small_and_readable(project, endless, who):
    session = endless()
    wait_for_cut(project)
    ids = processes(project)
    pid = session.pid if who == "scheduler" else ids[who]["pid"]
    os.kill(pid, signal.SIGKILL)

    if who == "scheduler":
        session.communicate()
    if who != "worker":
        size = log_of(project).stat().st_size
        wait_until(lambda: log_of(project).stat().st_size > size + 4 * LIMIT, "it prints on")
        wait_for_cut(project)
        (project.folder / "go").touch()
    if who == "scheduler":
        wait_until((project.folder_of("m", "v") / "exit.json").exists)
        project.run("-r", "-u", "-q")
    else:
        session.communicate(timeout=60)

    outcome = "killed SIGKILL" if who == "worker" else "succeeded"
    assert project.outcomes()["m/v#1"] == outcome
    head, _, tail = whole(log_of(project))
    assert head.startswith("the first line\n")
    assert who == "worker" or tail.endswith("the last line\n")


def test_a_log_whose_scheduler_and_supervisor_are_killed_is_cut_by_the_next_session(
    project, endless
):
    session = endless()
    session.kill()
    session.communicate()
    os.kill(processes(project)["supervisor"]["pid"], signal.SIGKILL)
    wait_until(lambda: not is_there(processes(project)["supervisor"]["pid"]))
    size = log_of(project).stat().st_size

    following = project.start("-r", "-u", "-q")
    wait_until(lambda: log_of(project).stat().st_size > size + 4 * LIMIT, "it prints on")
    wait_for_cut(project)
    (project.folder / "go").touch()
    following.communicate(timeout=60)

    assert project.outcomes()["m/v#1"] == "succeeded"
    assert whole(log_of(project))[2].endswith("the last line\n")


def test_what_was_begun_of_making_a_log_whole_is_done_again(project, endless):
    """A supervisor that is killed amid that leaves a part of the copy."""
    session = endless()
    wait_for_cut(project)
    (project.folder_of("m", "v") / ".console.log").write_text("half of a copy")
    ids = processes(project)
    os.kill(ids["supervisor"]["pid"], signal.SIGKILL)
    (project.folder / "go").touch()
    session.communicate(timeout=60)

    assert whole(log_of(project))[0].startswith("the first line\n")
    assert not (project.folder_of("m", "v") / ".console.log").exists()


def test_logs_reads_around_the_hole_while_the_run_prints_on(project, endless):
    endless()
    wait_for_cut(project)

    text = project.run("logs", "m/v").stdout
    as_json = json.loads(project.run("logs", "m/v", "--json").stdout)["text"]

    def ends_with_three_lines():  # unless what is left out has just come as far as that
        last = project.run("logs", "m/v", "-n", "3").stdout.splitlines()
        return len(last) == 3 and all(line.startswith("line ") for line in last[:-1])

    wait_until(ends_with_three_lines)
    for each in (text, as_json):
        assert each.startswith("the first line\n")
        assert LEFT_OUT in each
        assert "\0" not in each
    assert project.run("status").returncode == 0


def test_logs_that_follow_a_flood_end_with_its_last_line(project, endless):
    session = endless()
    wait_for_cut(project)
    following = subprocess.Popen(
        project.command("logs", "m/v", "-f", "-n", "0"),
        cwd=project.folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    first = following.stdout.readline()
    (project.folder / "go").touch()
    rest, _ = following.communicate(timeout=60)
    session.communicate(timeout=60)

    assert "\0" not in first + rest
    assert rest.endswith("the last line\n")


def test_a_run_that_is_silent_after_a_flood_has_stalled(project, endless):
    silent = "print('x\\n' * 3_000_000, flush=True); Path('began').touch(); wait_for_file('never')"
    session = endless(silent, stall_timeout=0.5, grace=0.1)
    session.communicate(timeout=60)

    assert project.outcomes()["m/v#1"].startswith("stalled")


def test_a_flood_amid_the_grace_is_cut_too(project, endless):
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + PRINTING
    session = endless(stubborn, timeout=0.2, grace=20)
    wait_until(lambda: log_of(project).stat().st_size > 40 * LIMIT, "it prints on")
    wait_for_cut(project)
    (project.folder / "go").touch()
    session.communicate(timeout=60)

    assert project.outcomes()["m/v#1"].startswith("timeout")
    whole(log_of(project))


def test_without_a_limit_all_is_kept(project):
    project.configure(console_limit="none")
    project.model("m.py", "v", body="print('x' * 5_000_000)")
    project.list("m.py")

    project.run("-r", "-u", "-q")

    assert log_of(project).stat().st_size == 5_000_001


def test_a_version_may_have_a_limit_of_its_own(project):
    project.configure(**SETTINGS)
    project.script(
        "m.py",
        """
        from _base import *
        class Printing(Model):
            def train_model(self, input_fn, steps): print("x" * 5_000_000)
        made = versions("v")
        made.add("short", console_limit=1e-6)
        made.add("long", console_limit="none")
        MODEL = Printing(made)
        """,
    )
    project.list("m.py")

    project.run("-r", "-u", "-q")

    sizes = {
        name: (project.folder_of("m", name) / "console.log").stat().st_size
        for name in ("v", "short", "long")
    }
    assert sizes["long"] == 5_000_001
    assert LIMIT <= sizes["v"] <= LIMIT + 200
    assert 1000 <= sizes["short"] <= 1200


@pytest.mark.parametrize("value", [0, -1, "'1 GB'", True, "float('inf')"])
def test_a_limit_of_a_version_that_is_none_is_said_at_once(project, value):
    project.script(
        "m.py",
        f"""
        from _base import *
        made = versions("v", console_limit={value})
        MODEL = Model(made)
        """,
    )
    project.list("m.py")

    done = project.run("-r")

    assert "version 'v' has console_limit=" in done.stdout + done.stderr
    assert "it must be a number of GB above 0, or 'none'" in done.stdout + done.stderr


ROOM = 24 << 20  # bytes of the file system
# Prints more than that, and never more than `most` before something is given back.
PACED = """
for _ in range(3000):
    print("x" * 20_000)
    while os.fstat(1).st_blocks * 512 > {most}:
        time.sleep(0.001)
"""


@pytest.fixture
def small(tmp_path):
    """A project whose outputs are a small file system of their own."""
    project = Project(tmp_path / "small")
    project.outputs.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(project.outputs)]
    skip_without("mount", mount)
    yield project
    subprocess.run(["umount", "--lazy", str(project.outputs)], check=True)


def test_a_script_that_prints_more_than_the_disk_has_comes_to_its_end(small):
    small.configure(min_free_disk=0, **SETTINGS)
    small.model("m.py", "v", body=PACED.format(most=ROOM // 2))
    small.list("m.py")

    small.run("-r", "-u", "-q")

    assert small.outcomes() == {"m/v#1": "succeeded"}
    assert log_of(small).stat().st_size <= LIMIT + 200


def test_a_disk_that_has_no_room_for_the_copy_keeps_the_log_with_its_hole(small):
    small.configure(min_free_disk=0, console_limit=ROOM * 0.7 / 1e9)
    small.model("m.py", "v", body=PACED.format(most=ROOM * 0.8))
    small.list("m.py")

    small.run("-r", "-u", "-q")

    assert small.outcomes() == {"m/v#1": "succeeded"}
    assert log_of(small).stat().st_size > ROOM
    assert LEFT_OUT in small.run("logs", "m/v").stdout
