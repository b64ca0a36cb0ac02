"""However a run ends, its record says so."""

import subprocess

import pytest

ENDINGS = {
    "raise ValueError('bad')": "failed ValueError: bad",
    "sys.exit(3)": "failed called sys.exit(3) in train_model",
    "sys.exit(0)": "failed called sys.exit(0) in train_model",
    "os._exit(4)": "failed left by os._exit with status 4",
    "os._exit(0)": "failed left by os._exit with status 0",
    "os.kill(os.getpid(), 9)": "killed SIGKILL",
    "os.kill(os.getpid(), 15)": "killed SIGTERM",
    "os.abort()": "crashed SIGABRT",
    "import ctypes; ctypes.string_at(0)": "crashed SIGSEGV",
    "raise KeyboardInterrupt": "failed KeyboardInterrupt",
    "import atexit; atexit.register(os._exit, 7)": (
        "failed exited with status 7 while Python was shutting down"
    ),
}


def test_exceptions_exits_signals_and_crashes_are_told_apart(project):
    for number, body in enumerate(ENDINGS):
        project.model(f"m{number:02}.py", "v", body=f"print('before'); {body}")
    project.list(*(f"m{number:02}.py" for number in range(len(ENDINGS))))

    done = project.run("-r")

    assert done.returncode == 1
    outcomes = project.outcomes()
    assert {body: outcomes[f"m{number:02}/v#1"] for number, body in enumerate(ENDINGS)} == ENDINGS
    assert done.stdout.splitlines().count("before") == len(ENDINGS)


@pytest.mark.parametrize(
    "body", ["os.fork()", "os.chdir('/')", "sys.stdout.close()", "sys.stdout = None"]
)
def test_odd_but_harmless_scripts_succeed(project, body):
    project.model("odd.py", "v", body=body)
    project.list("odd.py")

    done = project.run("-r")

    assert project.outcomes() == {"odd/v#1": "succeeded"}, done.stdout


def test_what_a_run_leaves_in_its_process_group_is_ended_with_it(project):
    project.model(
        "litter.py",
        "v",
        body="""
        import subprocess
        child = subprocess.Popen(["sleep", "1000"])
        Path("litter.pid").write_text(str(child.pid))
        """,
    )
    project.list("litter.py")

    project.run("-r")

    pid = (project.folder / "litter.pid").read_text()
    with pytest.raises(ProcessLookupError):
        _signal_unless_zombie(int(pid))


def _signal_unless_zombie(pid: int) -> None:
    """Raise ProcessLookupError for a process that is gone, or only not yet reaped by init."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    if not state.stdout.strip() or state.stdout.startswith("Z"):
        raise ProcessLookupError
