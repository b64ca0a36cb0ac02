"""A session in the background: start, stop, and what service managers are given."""

from __future__ import annotations

import configparser
import json
import os
import plistlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import suppress

import pytest
from projects import Project, is_there, wait_until

HELD = "Path('began').touch(); wait_for_file('go')"


@pytest.fixture
def started(project):
    """Starts sessions in the background; none outlives the test."""
    pids = []

    def start(*arguments):
        done = project.run("start", "--json", *arguments)
        if done.stdout:
            told = json.loads(done.stdout)
            pids.append(told["pid"])
            return told
        raise AssertionError(done.stderr)

    yield start
    for pid in pids:
        end(pid)


def end(pid):
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def daemon_log(project):
    (path,) = project.outputs.glob("daemon-*.log")
    return path.read_text()


def test_start_works_on_the_list_and_stays_until_it_is_stopped(project, started):
    project.model("m.py", "v")
    project.list("m.py")

    told = started()
    wait_until(lambda: project.outputs.glob("output-*") and "m/v#1" in outcomes(project))
    project.model("later.py", "v")
    project.list("m.py", "later.py")
    wait_until(lambda: "later/v#1" in outcomes(project), "what is listed later runs")
    stop = project.run("stop", "--wait")

    assert told["exit_code"] is None
    assert told["project"] == str(project.folder)
    assert stop.stdout.startswith(f"pid {told['pid']} ends")
    assert not is_there(told["pid"])


def outcomes(project):
    return project.outcomes() if list(project.outputs.glob("history-*")) else {}


def test_start_says_which_pid_works_where(project, request):
    done = project.run("start")
    (pid,) = re.findall(r"^pid (\d+) works on", done.stdout)
    request.addfinalizer(lambda: end(int(pid)))
    stop = project.run("stop", "--wait", "--json")

    assert done.stdout == (
        f"pid {pid} works on {project.folder}; "
        "mlpipeline status shows it, mlpipeline stop ends it\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(stop.stdout)["pid"] == int(pid)


def test_a_second_start_is_told_of_the_first(project, started):
    told = started()

    done = project.run("start")

    assert done.returncode == 3
    assert f"(pid {told['pid']})" in done.stderr
    assert is_there(told["pid"])


def test_the_session_has_no_terminal_and_a_session_of_its_own(project, started):
    pid = started("--no-log", "--rehearse")["pid"]

    assert os.getsid(pid) == pid
    with open(f"/proc/{pid}/cmdline") as file:  # noqa: PTH123
        words = file.read().split("\0")
    assert {"--watch", "--quiet", "--no-log", "--rehearse"} < set(words)
    assert os.readlink(f"/proc/{pid}/fd/0") == os.devnull  # noqa: PTH115


def test_a_list_that_can_not_be_used_is_said_at_once(project):
    project.model("m.py", "v")
    project.list("m.py = w")

    done = project.run("start")

    assert done.returncode == 2
    assert "models.config:4: m.py has no version w; its versions: v" in done.stderr
    assert list(project.outputs.glob("daemon-*")) == []


def test_a_session_that_dies_at_once_passes_on_its_words_and_its_exit_code(project):
    project.outputs.mkdir()
    (project.outputs / f"history-{os.uname().nodename}").mkdir()  # where a file should be

    done = project.run("start")
    as_json = project.run("start", "--json")

    assert done.returncode == as_json.returncode == 2
    assert "mlpipeline: " in done.stderr
    assert "history-" in done.stderr
    assert json.loads(as_json.stdout)["exit_code"] == 2
    assert "history-" in json.loads(as_json.stdout)["printed"]


def test_what_the_session_says_is_kept_in_a_file(project, started):
    project.model("m.py", "v")
    project.list("m.py")
    started()
    project.script("bad.py", "raise ValueError('no')\n")

    project.list("m.py", "bad.py")

    wait_until(lambda: "ValueError: no" in daemon_log(project))


# --- for service managers


@pytest.fixture
def session():
    """Runs command lines from elsewhere; none outlives the test."""
    running = []

    def begin(command, **options):
        running.append(subprocess.Popen(command, **{"cwd": "/", **options}))
        return running[-1]

    yield begin
    for each in running:
        each.kill()
        each.wait()


ODD = 'it\'s 50% "off" \\ $HOME\té'


@pytest.fixture
def odd_project(tmp_path):
    return Project(tmp_path / ODD)


def unit_of(project, python=sys.executable):
    command = [python, "-m", "mlpipeline", "service", "--systemd"]
    done = subprocess.run(command, cwd=project.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read_string(done.stdout)
    return done.stdout, parser["Service"]


def unquoted(text):
    """A command line as systemd reads it: systemd.syntax(7), systemd.service(5)."""
    escapes = r"\\(x[0-9a-f]{2}|.)"

    def character(match):
        code = match[1]
        return chr(int(code[1:], 16)) if code[0] == "x" and len(code) == 3 else code

    words = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', text)
    plain = [re.sub(escapes, character, quoted or bare) for quoted, bare in words]
    return [word.replace("%%", "%").replace("$$", "$") for word in plain]


def odd_python(project):
    """This Python in an environment of its own, within the project."""
    folder = project.folder / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "other.pth").write_text("\n".join(filter(None, sys.path)))
    return str(folder / "bin" / "python")


def test_the_unit_runs_a_session_whose_stop_leaves_what_runs(odd_project, session):
    project = odd_project
    project.model("m.py", "v", body=HELD)
    project.list("m.py")
    _, service = unit_of(project, odd_python(project))
    run, stop = unquoted(service["ExecStart"]), unquoted(service["ExecStop"].removeprefix("-"))

    first = session(run)
    wait_until((project.folder / "began").exists)
    stopped = subprocess.run(stop, cwd="/", capture_output=True, text=True)
    left = first.wait(timeout=20)
    still_there = outcomes(project) == {}
    second = session(run)
    wait_until(lambda: project.history()[-1]["event"] == "adopted")
    (project.folder / "go").touch()
    wait_until(lambda: outcomes(project))
    subprocess.run(stop, cwd="/", check=True, capture_output=True)
    second.wait(timeout=20)

    assert stopped.returncode == 0, stopped.stderr
    assert left == 0
    assert still_there
    assert project.outcomes() == {"m/v#1": "succeeded"}


def test_the_unit_restarts_after_crashes_alone_and_kills_no_runs(project):
    text, service = unit_of(project)

    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"].split() == ["2", "3"]
    assert service["KillMode"] == "process"
    assert service["OOMPolicy"] == "continue"
    name = re.search(r"user/(mlpipeline-project-[0-9a-f]{6})\.service", text)[1]
    assert f"systemctl --user enable --now {name}\n" in text


def test_the_unit_keeps_path_and_the_name_of_the_host(project):
    done = project.run("service", "--systemd", MLPIPELINE_HOST='node "1" 100%')

    lines = [line for line in done.stdout.splitlines() if line.startswith("Environment=")]
    assert [unquoted(line.partition("=")[2]) for line in lines] == [
        [f"PATH={os.environ['PATH']}"],
        ['MLPIPELINE_HOST=node "1" 100%'],
    ]


def test_two_projects_of_one_name_have_units_of_two_names(tmp_path):
    names = [
        json.loads(Project(tmp_path / parent / "exp").run("service", "--json").stdout)["name"]
        for parent in "ab"
    ]

    assert len(set(names)) == 2


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
@pytest.mark.parametrize("folder", ["project", ODD])
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path, folder):
    project = Project(tmp_path / folder)
    text, _ = unit_of(project, odd_python(project))
    path = tmp_path / "mlpipeline-test.service"
    path.write_text(text)

    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )

    assert [line for line in done.stderr.splitlines() if "mlpipeline-test" in line] == []


def test_the_job_for_launchd_is_a_property_list_that_runs_a_session(tmp_path, session):
    project = Project(tmp_path / ODD.replace("\t", " "))
    done = project.run("service", "--launchd")
    job = plistlib.loads(done.stdout.encode())

    begun = session(
        job["ProgramArguments"], cwd=job["WorkingDirectory"], env=job["EnvironmentVariables"]
    )
    wait_until(lambda: project.run("stop", "--wait").returncode == 0)

    assert begun.wait(timeout=20) == 0
    assert job["WorkingDirectory"] == str(project.folder)
    assert job["RunAtLoad"]
    assert job["AbandonProcessGroup"]
    assert job["KeepAlive"] == {"Crashed": True}


def test_the_unit_of_this_python_names_it(project):
    _, service = unit_of(project)

    words = unquoted(service["ExecStart"])

    assert words[:4] == [sys.executable, "-P", "-m", "mlpipeline"]
    assert shlex.join(words[4:]) == f"-C {project.folder} -r -u --watch --quiet"
