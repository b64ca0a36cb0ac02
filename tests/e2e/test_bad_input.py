"""Bad input: one line that names file, line and remedy; never our traceback."""

import os
import subprocess
from pathlib import Path

import pytest
from projects import wait_until

USABLE = "[MLP]\nuse_blacklist = false\n[WHITELISTED_MODELS]\n"

LISTS = {
    "empty": ("", "models.config: it is empty"),
    "not INI": ("m.py\n", "models.config:1: 'm.py' stands before any section"),
    "syntax": (f"{USABLE}= x\n", "models.config:4: "),
    "not a boolean": (
        "[MLP]\nuse_blacklist = maybe\n",
        "models.config:2: use_blacklist is 'maybe'",
    ),
    "absolute": (f"{USABLE}/m.py\n", "models.config:4: /m.py is absolute"),
    "leaves": (f"{USABLE}../m.py\n", "models.config:4: ../m.py leaves models_dir"),
    "missing": (f"{USABLE}n.py\n", "models.config:4: n.py does not exist"),
    "twice": (f"{USABLE}m.py\nm.py\n", "models.config:5: m.py is there twice"),
    "twice in two spellings": (
        f"{USABLE}m.py\n./m.py\n",
        "models.config:5: ./m.py is the same file",
    ),
    "no such version": (f"{USABLE}m.py = v, w\n", "models.config:4: m.py has no version w"),
    "not UTF-8": (f"{USABLE}\udcff.py\n", "models.config:4: not UTF-8"),
}


@pytest.mark.parametrize("text, complaint", LISTS.values(), ids=LISTS)
def test_an_unusable_list_is_one_line_and_exit_code_2(project, text, complaint):
    project.model("m.py", "v")
    (project.folder / "models.config").write_text(text, errors="surrogateescape")

    done = project.run("-r", "-u")

    assert done.returncode == 2
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(project.outputs.glob("history-*")) or not project.history()


@pytest.mark.parametrize("arguments", [[], ["-r"], ["status"], ["logs", "m/v"]], ids=str)
def test_a_folder_that_is_no_project_is_told_about_init(project, arguments):
    (project.folder / "mlp.config").unlink()

    done = project.run(*arguments)

    assert done.returncode == 2
    assert "mlp.config: there is no such file" in done.stderr
    assert "mlpipeline init" in done.stderr


@pytest.mark.parametrize("name", ["models.config", "models_test.config"])
def test_a_missing_list_is_told_about_init(project, name):
    (project.folder / name).unlink()

    done = project.run(*([] if "test" in name else ["-r"]))

    assert done.returncode == 2
    assert f"{name}: there is no such file" in done.stderr


def test_a_misspelled_key_gets_a_warning_with_the_nearest_one(project):
    project.configure(paralel=2)
    project.model("m.py", "v")
    project.list("m.py")

    done = project.run("-r")

    assert done.returncode == 0
    assert "mlp.config:3: unknown key paralel (did you mean parallel?)" in done.stderr


def _with_versions(made: str, parameters: str = "") -> str:
    return f"from _base import *\nv = {made}\nv.add('a'{parameters})\nMODEL = Model(v)"


SCRIPTS = {
    "no MODEL": ("x = 1", "it has no global MODEL"),
    "wrong type": ("MODEL = 3", "its MODEL is of type int"),
    "a class": ("from _base import *\nMODEL = Model", "its MODEL is a class"),
    "import error": ("import no_such_module", "No module named 'no_such_module'"),
    "syntax error": ("def f(:", "SyntaxError"),
    "no versions": ("from _base import *\nMODEL = Model(versions())", "has no versions"),
    "no dataloader": (
        _with_versions("Versions(batch_size=1, epoch_count=1)"),
        "version 'a' has no dataloader",
    ),
    "no batch size": (
        _with_versions("Versions(dataloader=Data, epoch_count=1)"),
        "version 'a' has no batch_size",
    ),
    "no epoch count": (
        _with_versions("Versions(dataloader=Data, batch_size=1)"),
        "version 'a' has no epoc_count",
    ),
    "no name": ("from _base import *\nversions('')", "ValueError"),
    "twice": ("from _base import *\nversions('a', 'a')", "two versions named 'a'"),
    "batch size 0": (
        _with_versions("versions()", ", batch_size=0"),
        "batch_size=0; it must be a positive integer",
    ),
    "epochs -1": (
        _with_versions("versions()", ", epoch_count=-1"),
        "epoc_count=-1; it must be a positive integer",
    ),
    "sys.exit": ("import sys; sys.exit(5)", "it calls sys.exit(5) when it is imported"),
    "os._exit": ("import os; os._exit(0)", "it ended the process when it was imported"),
    "crash": ("import os; os.abort()", "SIGABRT"),
    "nameless signal": ("import os; os.kill(os.getpid(), 40)", "signal 40"),
    "unshowable error": (
        "class Odd(Exception):\n  def __str__(self): return 1 / 0\nraise Odd",
        "it raises Odd when it is imported: <a Odd that can't be shown",
    ),
    "half a character": ("raise ValueError('\\ud800')", "it raises ValueError when it is imported"),
    "hang": ("import signal\nwhile True: signal.pause()", "longer than inspect_timeout (5 s)"),
}


def test_unusable_scripts_are_told_apart_and_do_not_stop_the_others(project):
    project.configure(inspect_timeout=5)
    for number, (text, _) in enumerate(SCRIPTS.values()):
        project.script(f"s{number:02}.py", text + "\n")
    project.model("zz_good.py", "v")
    project.list(blacklist=True)

    done = project.run("-r")

    assert done.returncode == 1
    assert project.outcomes() == {"zz_good/v#1": "succeeded"}
    said = {name: _said_of(done.stderr, number) for number, name in enumerate(SCRIPTS)}
    assert {name: words for name, words in said.items() if SCRIPTS[name][1] not in words} == {}
    assert "mlpipeline/execution" not in done.stderr


def _said_of(errors: str, number: int) -> str:
    start = f"mlpipeline: s{number:02}.py: "
    return next((line for line in errors.splitlines() if line.startswith(start)), "")


@pytest.mark.parametrize(
    "line", ["print('x' * 100_000)", "import os; os.fork()", "import os; os.chdir('/')"]
)
def test_a_script_that_misbehaves_at_import_is_listed_and_run_once_all_the_same(project, line):
    project.script("odd.py", f"from _base import *\n{line}\nMODEL = Model(versions('v'))\n")
    project.list("odd.py")

    done = project.run("-r")

    assert done.returncode == 0, done.stderr
    assert project.outcomes() == {"odd/v#1": "succeeded"}


def test_a_script_whose_name_is_not_utf_8_is_left_out_with_a_warning(project):
    (project.models / os.fsdecode(b"\xff.py")).write_text("raise ValueError\n")
    project.model("good.py", "v")
    project.list(blacklist=True)

    done = project.run("-r")

    assert done.returncode == 0
    assert project.outcomes() == {"good/v#1": "succeeded"}
    assert "is not UTF-8, so it is left out; rename it" in done.stderr


ODD_RESULTS = {
    "half a character": "'\\ud800'",
    "not a number": "float('nan')",
    "a million numbers": "list(range(10**6))",
    "itself": "(lambda d: d.setdefault('d', d) and d)({})",
    "a key that is no string": "{(1, 2): {3}}",
}


@pytest.mark.parametrize("result", ODD_RESULTS.values(), ids=ODD_RESULTS)
def test_odd_results_are_recorded_in_some_form(project, result):
    text = f"class Odd(Model):\n  def evaluate_model(self, input_fn, steps): return {result}"
    project.script("odd.py", f"from _base import *\n{text}\nMODEL = Odd(versions('v'))\n")
    project.list("odd.py")

    done = project.run("-r")

    assert project.outcomes() == {"odd/v#1": "succeeded"}, done.stdout
    assert len(project.text("history")) < 10_000
    assert done.stderr == ""


def test_an_error_of_the_users_that_can_not_be_shown_is_told_all_the_same(project):
    body = """
    class Odd(Exception):
        def __str__(self): return 1 / 0
    raise Odd
    """
    project.model("odd.py", "v", body=body)
    project.list("odd.py")

    project.run("-r")

    assert "can't be shown: ZeroDivisionError" in project.outcomes()["odd/v#1"]


@pytest.mark.parametrize("count", ["3.0", "type('np', (), {'__int__': lambda self: 3})()"])
def test_a_step_count_may_be_any_number(project, count):
    text = f"class Odd(Model):\n  def get_trained_step_count(self): return {count}"
    project.script("odd.py", f"from _base import *\n{text}\nMODEL = Odd(versions('v'))\n")
    project.list("odd.py")

    project.run("-r")

    assert project.outcomes() == {"odd/v#1": "succeeded"}
    assert project.record("odd", "v")["steps"] == 3  # of 6


def test_a_helper_that_is_mended_lets_its_scripts_run(project):
    (project.models / "_helper.py").write_text("def f(:\n")
    project.model("held.py", "v", body="Path('began').touch(); wait_for_file('go')")
    project.script("user.py", "import _helper\nfrom _base import *\nMODEL = Model(versions('v'))\n")
    project.script("other.py", "import _new\nfrom _base import *\nMODEL = Model(versions('v'))\n")
    project.list("held.py", "user.py", "other.py")
    session = project.start("-r")
    wait_until((project.folder / "began").exists)

    (project.models / "_helper.py").write_text("x = 1\n")
    (project.models / "_new.py").write_text("x = 1\n")
    (project.folder / "go").touch()
    session.communicate(timeout=60)

    assert project.started() == ["held/v#1", "user/v#1", "other/v#1"]


def test_output_that_nobody_can_take_is_one_line(project):
    project.model("m.py", "v")
    project.list("m.py")

    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            project.command("status"), cwd=project.folder, stdout=full, stderr=subprocess.PIPE
        )

    assert done.returncode != 0
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_terminal_that_knows_only_ascii_gets_what_it_can_show(project):
    project.model("m.py", "größe")
    project.list("m.py")

    done = project.run("-r", PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert done.returncode == 0, done.stderr
    assert "m/gr??e#1 took" in done.stdout


def test_a_misspelt_heading_does_not_empty_the_list(project):
    project.model("m.py", "v")
    (project.folder / "models.config").write_text("[MLP]\n[WHITELISTED_MODEL]\nm.py\n")

    done = project.run("-r")

    assert done.returncode == 2
    assert "models.config:2: unknown section [WHITELISTED_MODEL]" in done.stderr
    assert "write [WHITELISTED_MODELS]" in done.stderr


def test_a_misspelt_models_dir_is_pointed_at(project):
    (project.folder / "mlp.config").write_text("[MLP]\nmodel_dir = models\n")

    done = project.run()

    assert done.returncode == 2
    assert "mlp.config:2: [MLP] has no models_dir, but model_dir" in done.stderr


def test_a_folder_of_a_project_can_not_become_one(project):
    init = project.run("init", "models")

    assert init.returncode == 2
    assert f"lies in the project {project.folder}" in init.stderr
    assert not (project.models / "mlp.config").exists()


def test_a_draft_that_is_not_there_is_no_missing_project(project):
    done = project.run("plan", "nofile")

    assert done.returncode == 2
    assert "nofile is no file; a draft is a copy of models.config" in done.stderr
