"""A command's program that goes on in a forked interpreter does all that it does by itself."""

import os
import signal
import subprocess
import sys

import pytest
import yaml
from projects import PATIENCE, Project

from mlpipeline.core import endings
from mlpipeline.execution.main_module import MainModule
from mlpipeline.execution.program import Program
from mlpipeline.execution.reporter import FolderReporter
from mlpipeline.sources.command import CommandModel
from mlpipeline.sources.command_file import CommandFile

PROGRAMS = {
    "says_where_it_is": """
        import os, sys
        print(sys.argv, __name__, __file__, __package__, __spec__, __doc__)
        print(os.getcwd(), sys.path[0])
        print(sys.orig_argv, sorted(each for each in globals() if each.startswith("__")))
        print(__loader__.name, sys.modules["__main__"].__file__, sys.stdin.read())
    """,
    "raises": """
        def inner(): raise ValueError("no")
        try: inner()
        except ValueError as error: raise RuntimeError("so") from error
    """,
    "is_no_python": "print(1",
    "exits": "import sys; print('a'); sys.exit(3)",
    "exits_with_words": "import sys; sys.exit('why')",
    "exits_with_none": "import sys; sys.exit()",
    "exits_with_much": "import sys; sys.exit(256 + 7)",
    "is_interrupted": "raise KeyboardInterrupt",
    "leaves": "import os; print('a', flush=True); os._exit(5)",
    "crashes": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "is_killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "has_exit_handlers": "import atexit; atexit.register(print, 'bye'); print('hi')",
    "has_an_excepthook": "import sys; sys.excepthook = lambda *a: print(a[0]); 1 / 0",
    "leaves_a_file_open": "file = open('left', 'w'); file.write('x'); loop = [file]; loop += loop",
    "has_objects_to_let_go": """
        class Held:
            def __del__(self): print("gone")
        held = Held()
    """,
    "waits_for_threads": """
        import threading, time
        def late(): time.sleep(0.05); print("late")
        threading.Thread(target=late).start()
    """,
    "pickles_its_own_classes": """
        import pickle
        class Own: pass
        print(type(pickle.loads(pickle.dumps(Own()))))
    """,
    "has_processes_of_its_own": """
        import multiprocessing
        def work(n): return n * n
        if __name__ == "__main__":
            for how in ("fork", "spawn"):
                with multiprocessing.get_context(how).Pool(1) as pool:
                    print(pool.map(work, [3]))
    """,
    "imports_what_lies_beside_it": "import beside; print(beside.__file__)",
    "looks_at_its_own_source": "import inspect\ndef f(): pass\nprint(inspect.getsource(f))",
    "is_annotated": "x: int = 3\nprint(__annotations__)",
    "restores_signals": """
        import signal
        names = ("SIGTERM", "SIGINT", "SIGCHLD", "SIGPIPE")
        print([signal.getsignal(getattr(signal, name)) for name in names])
    """,
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The console and the outcome of each program, run by the queue."""
    folder = tmp_path_factory.mktemp("programs")
    project = Project(folder)
    (folder / "src").mkdir()
    (folder / "src" / "beside.py").write_text("")
    for name, text in PROGRAMS.items():
        (folder / "src" / f"{name}.py").write_text(_dedented(text))
    (folder / "src" / "package").mkdir()
    (folder / "src" / "package" / "__main__.py").write_text(
        "import sys; print(sys.argv, __name__, __spec__.name, sys.path[0]); 1 / 0"
    )
    versions = [{"name": name, "script": f"src/{name}.py"} for name in PROGRAMS]
    _write(project, "warm", {"command": [sys.executable, "{script}", "-x", "y"]}, versions)
    _write(
        project,
        "cold",
        {"command": [sys.executable, "{script}", "-x", "y"], "start": "cold"},
        versions,
    )
    _write(project, "module", {"command": [sys.executable, "-m", "package", "z"], "cwd": "src"}, [])
    project.list("warm.yaml", "cold.yaml", "module.yaml")
    project.run("-r")
    return project


def _dedented(text):
    lines = text.strip("\n").splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "".join(f"{line[indent:]}\n" for line in lines)


def _write(project, name, file, versions):
    file = {**file, "versions": versions} if versions else file
    (project.models / f"{name}.yaml").write_text(yaml.safe_dump(file))


def by_itself(project, *arguments, cwd="."):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project.folder / cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "PWD": str(project.folder / cwd)},
    )


@pytest.mark.parametrize("how", ["warm", "cold"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_says_and_does_what_it_does_by_itself(ran, name, how):
    alone = by_itself(ran, f"src/{name}.py", "-x", "y")
    if name == "leaves_a_file_open":
        assert (ran.folder / "left").read_text() == "x"

    console = (ran.folder_of(how, name) / "console.log").read_text()
    exit = ran.record(how, name)["exit"]

    if name == "crashes" and how == "warm":
        console = console.partition("Fatal Python error: Segmentation fault")[0]  # and where
    assert console == alone.stdout
    code = alone.returncode
    expected = {"signal": -code} if code < 0 else {"status": 1 if code else 0}
    assert exit == expected


def test_a_module_is_run_as_python_runs_it(ran):
    alone = by_itself(ran, "-m", "package", "z", cwd="src")

    assert (ran.folder_of("module", "main") / "console.log").read_text() == alone.stdout


@pytest.mark.parametrize("how", ["warm", "cold"])
def test_how_a_program_ended_is_told_in_words(ran, how):
    outcomes = {
        name: told
        for name in PROGRAMS
        if (told := ran.outcomes()[f"{how}/{name}#1"]) != "succeeded"
    }

    assert outcomes == {
        "raises": "failed RuntimeError: so",
        "is_no_python": "failed exited with status 1",
        "exits": "failed exited with status 3",
        "exits_with_words": "failed exited with status 1",
        "exits_with_much": "failed exited with status 7",
        "is_interrupted": "killed SIGINT",
        "leaves": "failed exited with status 5",
        "crashes": "crashed SIGSEGV",
        "is_killed": "killed SIGKILL",
        "has_an_excepthook": "failed exited with status 1",
    }


def test_the_traceback_of_a_program_is_in_the_log(ran):
    assert 'raise RuntimeError("so") from error' in ran.text("log")


PYTHON = sys.executable


@pytest.mark.parametrize(
    "argv, env, is_main",
    [
        ([PYTHON, "x.py", "-v"], {}, True),
        ([PYTHON, "-m", "x"], {}, True),
        ([PYTHON, "x.py"], {"MINE": "1"}, True),
        ([PYTHON, "-u", "x.py"], {}, False),
        ([PYTHON, "-c", "1"], {}, False),
        ([PYTHON], {}, False),
        ([PYTHON, "gone.py"], {}, False),
        ([PYTHON, "x.py"], {"PYTHONPATH": "y"}, False),
        ([PYTHON, "x.py"], {"LD_PRELOAD": "y"}, False),
        ([PYTHON, "x.py"], {"OMP_NUM_THREADS": "1"}, False),
        (["/bin/sh", "x.py"], {}, False),
        (["console", "-v"], {}, True),
        (["other", "-v"], {}, False),
        (["flagged", "-v"], {}, False),
    ],
)
def test_only_python_programs_of_this_interpreter_go_on_in_it(tmp_path, argv, env, is_main):
    (tmp_path / "x.py").touch()
    for name, first in (
        ("console", f"#!{PYTHON}"),
        ("other", "#!/bin/sh"),
        ("flagged", f"#!{PYTHON} -I"),
    ):
        (tmp_path / name).write_text(f"{first}\n")
    program = argv[0] if "/" in argv[0] else str(tmp_path / argv[0])

    main = MainModule.of(program, argv, str(tmp_path), env)

    assert (main is not None) == is_main


def test_a_stop_that_comes_before_the_program_is_there_reaches_it(tmp_path, monkeypatch):
    model = CommandModel(CommandFile(b"command: [sleep, '20']"))
    folder = str(tmp_path)
    spec = {
        **dict.fromkeys(("folder", "model_dir", "project", "models_dir"), folder),
        **{"fresh": True, "test": False, "model": "m", "version": "main", "attempt": 1, "grace": 1},
    }
    program = Program(model, spec, FolderReporter(folder, "m/main#1"), None)
    prepare, wait, statuses = program._prepare_for_signals, program._await_end, []

    def asked_at_once():
        prepare()
        os.kill(os.getpid(), signal.SIGTERM)

    def noted():
        statuses.append(wait())
        return statuses[-1]

    monkeypatch.setattr(program, "_prepare_for_signals", asked_at_once)
    monkeypatch.setattr(program, "_await_end", noted)
    before = signal.getsignal(signal.SIGTERM)
    try:
        said = program.run()
    finally:
        signal.signal(signal.SIGTERM, before)

    assert statuses == [-signal.SIGTERM]
    assert said["ending"] == endings.STOPPED
