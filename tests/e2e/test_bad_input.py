"""Bad input: one line that names file, line and remedy; never our traceback."""

import pytest

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
    "hang": ("import time\nwhile True: time.sleep(1)", "longer than inspect_timeout (1 s)"),
}


def test_unusable_scripts_are_told_apart_and_do_not_stop_the_others(project):
    project.configure(inspect_timeout=1)
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
