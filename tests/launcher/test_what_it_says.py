"""What ``hydra/launcher=mlpipeline`` says: once, with names, and before a person has waited."""

import shlex
import subprocess
import sys

import pytest
from hydra_apps import LAUNCHER, SWEEPER, App, said

HINT = "HYDRA_FULL_ERROR"
RAISES = "if cfg.lr > 1:\n    raise ValueError('too large')\nreturn cfg.lr"


@pytest.fixture
def seeking(app):
    """The folder of a sweeper that asks for results."""
    plugins = app.folder / "path" / "hydra_plugins"
    plugins.mkdir(parents=True)
    (plugins / "seeking.py").write_text(SWEEPER)
    return plugins.parent


def test_a_failed_jobs_traceback_is_shown_once_and_is_the_tasks_own(app):
    app.write(RAISES)

    done = app.launch("lr=0.1,7")

    both = done.stdout + done.stderr
    assert done.returncode == 1
    assert both.count("Traceback") == 1
    assert "raise ValueError('too large')" in both
    assert "hydra_plugins" not in both
    assert "#1 app-" in done.stdout
    assert done.stderr == (
        "mlpipeline: not all jobs ran well; the same command runs what is missing again\n"
    )


def test_all_frames_are_there_for_who_asks_for_them(app):
    app.write(RAISES)

    done = app.launch("lr=7", HYDRA_FULL_ERROR="1")

    assert done.returncode == 1
    assert "hydra_plugins" in done.stderr
    assert "ValueError: too large" in done.stderr


def test_a_sweeper_that_asks_for_results_gets_what_the_task_raised_where_it_raised_it(app, seeking):
    app.write("if cfg.lr < 1:\n    raise ValueError('too small')\nreturn cfg.lr")

    done = app.launch("hydra/sweeper=seeking", PYTHONPATH=str(seeking))

    assert done.returncode == 1
    _, _, shown = done.stderr.partition("Error executing job with overrides: ['lr=0.5']\n")
    frames = [line for line in shown.splitlines() if line.startswith("  File ")]
    assert [line.partition(", line")[0] for line in frames] == [f'  File "{app.folder / "app.py"}"']
    assert "    raise ValueError('too small')\nValueError: too small" in shown


def test_a_sweeper_that_asks_for_results_is_told_of_a_job_that_died(app, seeking):
    app.write("if cfg.lr < 1:\n    os._exit(9)\nreturn cfg.lr")

    done = app.launch("hydra/sweeper=seeking", PYTHONPATH=str(seeking))

    assert done.returncode == 1
    assert "job #1 (app-" in done.stderr
    assert "exited with status 9; what it printed is in models/outputs/" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [["hydra.launcher.rerun=x"], ["hydra.launcher.name=a/b"], ["+i=range(1,20000)"]]
)
def test_after_an_error_of_ours_there_is_no_hint_at_hydras_frames(app, arguments):
    done = app.launch("lr=1", *arguments)

    assert done.returncode == 1
    assert done.stderr.startswith("mlpipeline: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_sweep_of_ten_million_jobs_is_refused_before_anything_is_expanded(app):
    # Expanded, it takes minutes and gigabytes.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
    script = app.folder / "app.py"
    script.write_text(limit + script.read_text())

    done = app.launch("+i=range(10000000)", "lr=1,2")
    endless = app.launch("+i=range(0,inf)")

    assert done.stderr == (
        "mlpipeline: this sweep has 20,000,000 jobs, and max_versions is 10,000: if that is meant, "
        "raise max_versions in mlp.config; nothing was listed\n"
    )
    assert "more jobs than can be counted" in endless.stderr
    assert not (app.folder / "mlp.config").exists()


def test_what_another_sweeper_does_with_its_arguments_is_its_own_affair(app, seeking):
    done = app.launch(
        "+hydra.launcher.parallel=2",
        "hydra/sweeper=seeking",
        "+i=range(0,20000)",
        PYTHONPATH=str(seeking),
    )

    assert "max_versions" not in done.stderr


def test_jobs_that_are_the_same_are_told(app):
    done = app.launch("lr=1,2,1,1")

    assert done.returncode == 0, done.stderr
    assert "2 of them are the same as another one: what is the same is run once for all" in (
        done.stdout
    )
    assert app.started() == ["lr=1", "lr=2"]


def test_a_module_that_can_not_be_preloaded_is_told_once(app):
    done = app.launch(
        "lr=1,2", "hydra.launcher.preload=[nomodule,json]", "hydra.sweeper.max_batch_size=1"
    )

    assert done.returncode == 0, done.stderr
    (line,) = [line for line in said(done) if "nomodule" in line]
    assert line.endswith(" has no nomodule; jobs go on without")


def test_an_app_in_a_package_is_called_by_its_modules_path(app):
    package = app.folder / "digits"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in ("app.py", "conf"):
        (app.folder / name).rename(package / name)

    app.call([sys.executable, "-m", "digits.app", "-m", "lr=1", LAUNCHER])

    (model,) = app.models
    assert model.startswith("digits-app-")


def test_a_sweep_may_be_given_a_name(app):
    app.launch("lr=1,2", "hydra.launcher.name=lrs")
    again = app.launch("lr=1,2", "hydra.launcher.name=lrs")

    (model,) = app.models
    assert model.startswith("lrs-")
    assert "2 of them have run already" in again.stdout


def test_what_it_says_how_to_follow_works_where_it_is_said(tmp_path):
    subprocess.run([sys.executable, "-m", "mlpipeline", "init"], cwd=tmp_path, check=True)
    (tmp_path / "sub").mkdir()
    app = App(tmp_path / "sub")

    done = app.launch("lr=1", "hydra.launcher.wait=false")

    (line,) = [line for line in said(done) if line.endswith("shows them")]
    words = shlex.split(line.split("`")[1])
    shown = app.call([sys.executable, "-m", *words])
    assert shown.returncode == 0, shown.stderr
    assert app.models == []
    assert "app-" in shown.stdout


UNSHARED = """
import threading
return {"lr": cfg.lr, "lock": threading.Lock(), "names": ["a"]}
"""


def test_of_a_returned_dict_what_can_be_kept_is_and_the_rest_is_told(app, seeking):
    app.write(UNSHARED)

    done = app.launch("hydra/sweeper=seeking", PYTHONPATH=str(seeking))

    assert done.returncode == 0, done.stderr
    assert "JOB 0 COMPLETED 1.0 {'lr': 1.0, 'names': ['a']}" in done.stdout
    assert "lock of what the task returned can't be handed on to the sweeper: TypeError" in (
        done.stdout
    )


HERE_ONLY = """
import sys, types
module = types.ModuleType("of_the_job_only")
sys.modules[module.__name__] = module
module.Result = type("Result", (), {"__module__": module.__name__})
return {"lr": cfg.lr, "result": module.Result()}
"""


def test_what_can_not_be_read_by_the_app_is_told_and_the_rest_is_there(app, seeking):
    app.write(HERE_ONLY)

    done = app.launch("hydra/sweeper=seeking", PYTHONPATH=str(seeking))

    assert done.returncode == 0, done.stderr
    assert "JOB 0 COMPLETED 1.0 {'lr': 1.0}" in done.stdout
    assert (
        "1 item of what the task returned can't be handed on to the sweeper: ModuleNotFoundError"
    ) in done.stdout
