"""``hydra/launcher=mlpipeline``: any Hydra app's sweep is a queue that goes on where it was."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hydra_apps import SWEEPER, App, said
from projects import wait_until

PRINTED = "print('lr', cfg.lr, HydraConfig.get().job.num); return cfg.lr * 2"


def job_files(folder: Path) -> dict[str, object]:
    return {
        path.name: yaml.safe_load(path.read_text()) for path in (folder / ".hydra").glob("*.yaml")
    }


def without_place(files: dict) -> dict:
    """``hydra.yaml`` but for the launcher, and for where and when the sweep was."""
    hydra = files["hydra.yaml"]["hydra"]
    hydra["sweep"].pop("dir")
    hydra["runtime"].pop("output_dir")
    hydra["runtime"]["choices"].pop("hydra/launcher")
    hydra.pop("launcher")
    hydra["overrides"].pop("hydra")
    return files


def folders(app: App) -> dict[int, Path]:
    """The newest folder of each job."""
    found = sorted((app.folder / "multirun").glob("*/*/*/"), key=lambda path: path.stat().st_mtime)
    return {int(path.name): path for path in found if path.name.isdigit()}


def test_a_job_is_as_one_of_hydras_own_launcher(app):
    app.write(PRINTED)
    swept = "lr=0.1,0.2", "db=mysql,pg", "+deep.er={a:1}", "hydra.job.chdir=true"

    done = app.launch(*swept)
    basic = app.basic(*swept, "hydra.sweep.dir=basic")

    assert done.returncode == basic.returncode == 0, done.stderr
    ours, theirs = said(done), said(basic)
    assert [line for line in ours if "project" not in line and "Launching" not in line] == [
        line for line in theirs if "Launching" not in line
    ]
    for number in range(4):
        assert without_place(job_files(folders(app)[number])) == without_place(
            job_files(app.folder / "basic" / str(number))
        )
        assert (folders(app)[number] / "app.log").exists()


def test_the_sweep_is_a_model_file_of_the_queue(app):
    app.launch("lr=0.1,0.2", "db=pg")

    (model,) = app.models
    file = yaml.safe_load((app.folder / "models" / f"{model}.yaml").read_text())
    assert file["command"] == ["{python}", "app.py"]
    assert [each["name"] for each in file["versions"]] == ["lr=0.1", "lr=0.2"]
    assert file["versions"][1]["overrides"] == ["lr=0.2", "db=pg"]
    results = json.loads(app.project.run("results", "--json").stdout)
    assert [row["results"] for row in results["runs"]] == [{"returned": 0.2}, {"returned": 0.4}]
    assert [row["parameters"]["db"] for row in results["runs"]] == ["pg", "pg"]


def test_a_failed_job_does_not_lose_the_others_and_the_same_command_runs_what_is_missing(app):
    app.write("if cfg.lr > 1:\n    raise ValueError('too large')\nreturn cfg.lr")

    failed = app.launch("lr=0.1,7,0.3")

    assert failed.returncode == 1
    assert "1 of 3 jobs did not run well:" in failed.stdout
    assert app.started() == ["lr=0.1", "lr=7", "lr=0.3"]
    first = folders(app)

    app.write("return cfg.lr")
    again = app.launch("lr=0.1,7,0.3")

    assert again.returncode == 0, again.stderr
    assert app.started() == ["lr=0.1", "lr=7", "lr=0.3", "lr=7"]
    assert "2 of them have run already" in again.stdout
    assert "hydra.launcher.rerun=changed runs those again" in again.stdout
    assert folders(app) == first


def test_what_is_done_runs_again_when_that_is_asked_for_beside_what_it_left(app):
    app.launch("lr=0.1,0.2")
    first = folders(app)
    stamps = [path.stat().st_mtime_ns for path in (first[0] / ".hydra").iterdir()]

    app.write("return cfg.lr * 3")
    changed = app.launch("lr=0.1,0.2", "hydra.launcher.rerun=changed")
    again = app.launch("lr=0.1,0.2", "hydra.launcher.rerun=all")

    assert changed.returncode == again.returncode == 0, again.stderr
    assert len(app.models) == 1
    assert app.started() == ["lr=0.1", "lr=0.2"] * 3
    assert len(list((app.folder / "multirun").glob("*/*/0*/.hydra"))) == 3
    assert stamps == [path.stat().st_mtime_ns for path in (first[0] / ".hydra").iterdir()]


def test_an_edited_config_runs_what_it_is_about_anew_in_another_folder(app):
    app.launch("db=mysql,pg")
    first = folders(app)

    app.config("db/pg", "name: pg\nport: 3")
    app.launch("db=mysql,pg")

    assert app.started() == ["db=mysql", "db=pg", "db=pg"]
    assert job_files(first[1])["config.yaml"]["db"]["port"] == 2
    assert folders(app)[1] != first[1]
    assert job_files(folders(app)[1])["config.yaml"]["db"]["port"] == 3


def test_jobs_that_would_share_a_folder_have_one_each(app):
    done = app.launch("lr=0.1,0.2", "hydra.sweep.dir=out", "hydra.sweep.subdir=same")

    assert done.returncode == 0, done.stderr
    lrs = [job_files(app.folder / "out" / name)["config.yaml"]["lr"] for name in ("same", "same-2")]
    assert lrs == [0.1, 0.2]


def test_a_sweeper_that_asks_for_results_gets_them_batch_by_batch(app):
    plugins = app.folder / "path" / "hydra_plugins"
    plugins.mkdir(parents=True)
    (plugins / "seeking.py").write_text(SWEEPER)
    app.write("return cfg.lr * 10")

    done = app.launch("db=pg", "hydra/sweeper=seeking", PYTHONPATH=str(plugins.parent))

    assert done.returncode == 0, done.stderr
    assert [line for line in said(done) if line.startswith("JOB")] == [
        "JOB 0 COMPLETED 1.0 10.0",
        "JOB 1 COMPLETED 0.5 5.0",
        "JOB 1 COMPLETED 0.5 5.0",
        "JOB 3 COMPLETED 0.25 2.5",
        "JOB 3 COMPLETED 0.25 2.5",
        "JOB 5 COMPLETED 0.125 1.25",
    ]
    assert app.started() == [
        "lr=1.0",
        "lr=0.5",
        "lr=0.25",
        "lr=0.125",
    ]  # what was known was not run


def test_jobs_may_be_left_to_the_queue(app):
    done = app.launch("lr=0.1,0.2", "hydra.launcher.wait=false", "hydra.launcher.priority=3")

    assert done.returncode == 0, done.stderr
    assert "`mlpipeline -r -u` runs what is listed" in done.stdout
    assert not list(app.project.outputs.glob("history-*"))
    assert app.project.run("-r", "-u").returncode == 0
    assert app.started() == ["lr=0.1", "lr=0.2"]
    assert "= 3" in (app.folder / "models.config").read_text()


def test_a_session_that_is_there_runs_them(app):
    app.launch("lr=9", "hydra.launcher.wait=false")
    app.write("wait_for_file('go') if cfg.lr == 9 else None\nprint('lr', cfg.lr)")
    session = app.project.start("-r", "-u", "--only", app.models[0])
    wait_until(lambda: list(app.project.outputs.glob("history-*")) and app.started())

    launch = app.start("lr=0.1,0.2")
    wait_until(lambda: len(app.for_models()) == 2, "the session is asked to run them, too")
    (app.folder / "go").touch()
    printed, complained = launch.communicate(timeout=60)
    session.communicate(timeout=60)

    assert launch.returncode == 0, complained
    assert "lr 0.1" in printed
    sessions = {e["session"] for e in app.project.history() if e["event"] == "starting"}
    assert len(sessions) == 1
    assert app.started() == ["main", "lr=0.1", "lr=0.2"]


@pytest.mark.parametrize("what", ["gone", "cut", "edited"])
def test_a_job_whose_config_is_not_at_hand_is_composed_by_the_app(app, what):
    app.launch("lr=0.1,0.2", "db=pg", "hydra.launcher.wait=false")
    (model,) = app.models
    (handover,) = (app.project.outputs / "handed-over" / model).iterdir()
    path = app.folder / "models" / f"{model}.yaml"
    if what == "gone":
        handover.unlink()
    elif what == "cut":
        handover.write_bytes(handover.read_bytes()[:1000])
    else:
        path.write_text(path.read_text().replace("overrides: [lr=0.2,", "overrides: [lr=0.5,"))

    done = app.project.run("-r", "-u")
    app.basic("lr=0.1,0.2" if what != "edited" else "lr=0.1,0.5", "db=pg", "hydra.sweep.dir=basic")

    assert done.returncode == 0, done.stderr
    for number in range(2):
        assert without_place(job_files(folders(app)[number])) == without_place(
            job_files(app.folder / "basic" / str(number))
        )


def test_a_job_that_is_executed_rather_than_forked_is_the_same(app):
    app.launch("lr=0.1", "hydra.launcher.wait=false")
    app.write(PRINTED)
    (app.folder / "mlp.config").write_text("[MLP]\nmodels_dir = models\nstart = cold\n")

    done = app.launch("lr=0.1")

    assert done.returncode == 0, done.stderr
    assert "lr 0.1 0" in done.stdout
    results = json.loads(app.project.run("results", "--json").stdout)
    assert [row["results"] for row in results["runs"]] == [{"returned": 0.2}]


def test_a_task_in_a_module_is_found_by_its_name(app):
    (app.folder / "app.py").rename(app.folder / "tasks.py")
    (app.folder / "app.py").write_text("from tasks import main\nmain()\n")
    (app.folder / "conf" / "__init__.py").touch()

    done = app.launch("lr=0.1,0.2")

    assert done.returncode == 0, done.stderr
    results = json.loads(app.project.run("results", "--json").stdout)
    assert [row["results"] for row in results["runs"]] == [{"returned": 0.2}, {"returned": 0.4}]


def test_an_app_that_is_a_module_is_run_as_one(app):
    done = app.call([sys.executable, "-m", "app", "-m", "lr=0.1", "hydra/launcher=mlpipeline"])

    assert done.returncode == 0, done.stderr
    assert (
        'command: ["{python}", -m, app]' in next((app.folder / "models").glob("*.yaml")).read_text()
    )


def test_stages_of_a_chain_come_one_after_another_and_a_failed_one_skips_the_rest(app):
    app.write("if cfg.lr == 2 and cfg.db.name == 'mysql':\n    raise ValueError('two')")

    done = app.launch("lr=1,2,3", "db=mysql,pg", "hydra.launcher.chain=lr")

    assert done.returncode == 1
    assert sorted(app.started()) == sorted(
        ["lr=1,db=mysql", "lr=1,db=pg", "lr=2,db=mysql", "lr=2,db=pg", "lr=3,db=pg"]
    )
    assert "2 of 6 jobs did not run well" in done.stdout
    assert "skipped" in done.stdout


def test_secrets_are_in_no_record(app):
    app.config("db/pg", "name: pg\nport: 2\npw: old")

    done = app.launch("db=pg", "db.pw=hushhush,quiet9999")

    assert done.returncode == 0, done.stderr
    outputs = app.project.outputs
    told = [
        path
        for path in outputs.rglob("*")
        if path.is_file()
        and path.suffix != ".pickle"
        and path.parent.name != "sources"
        and b"hushhush" in path.read_bytes()
    ]
    assert told == []
    assert all(path.stat().st_mode & 0o077 == 0 for path in (outputs / "handed-over").glob("*/*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["hydra.launcher.rerun=some"], "it must be one of missing, changed, all"),
        (["hydra.launcher.parallel=0"], "it must be a number of jobs, or auto"),
        (["hydra.launcher.project=nowhere"], "nowhere is not a folder"),
        (["hydra.launcher.chain=nothing"], "chain: nothing is not among the overrides"),
    ],
)
def test_a_setting_that_can_not_be_meant_is_an_error_in_one_line(app, arguments, words):
    done = app.launch("lr=0.1", *arguments)

    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_task_that_nobody_else_can_find_is_an_error(app):
    code = (
        "import sys, hydra; sys.argv = ['x', '-m', '+a=1', 'hydra/launcher=mlpipeline']\n"
        "def main(cfg): pass\n"
        "hydra.main(config_path=None, version_base=None)(main)()"
    )

    done = app.call([sys.executable, "-c", code])

    assert done.returncode == 1
    assert "the app has no script that could be run once more" in done.stderr


def test_the_nearest_project_above_takes_the_sweep(tmp_path):
    subprocess.run([sys.executable, "-m", "mlpipeline", "init"], cwd=tmp_path, check=True)
    (tmp_path / "sub").mkdir()
    app = App(tmp_path / "sub")

    done = app.launch("lr=0.1")

    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "models").glob("app-*.yaml")
    assert "cwd: sub" in file.read_text()
    assert list((tmp_path / "sub" / "multirun").glob("*/*/0/.hydra"))
    assert not (tmp_path / "sub" / "mlp.config").exists()


def test_where_a_folder_models_is_something_else_the_projects_is_another(app):
    (app.folder / "models").mkdir()

    assert app.launch("lr=0.1").returncode == 0
    assert list((app.folder / "mlp_models").glob("app-*.yaml"))


def test_where_jobs_run_side_by_side_each_shows_what_it_printed_when_it_has_ended(app):
    app.write("print('begin', cfg.lr); print('end', cfg.lr)")

    shown = app.launch("lr=1,2,3", "hydra.launcher.parallel=2").stdout.splitlines()

    for lr in (1, 2, 3):
        begin = shown.index(f"begin {lr}")
        assert shown[begin + 1] == f"end {lr}"
        assert f"#{lr - 1} succeeded" in shown[begin + 2]


def test_what_short_jobs_print_stands_below_their_own_lines(app):
    app.write("print('is', cfg.lr)")

    done = app.launch("lr=range(0,8)")

    lines = [line for line in said(done) if line.startswith(("\t#", "is"))]
    expected = [(f"\t#{number} : lr={number}", f"is {number}") for number in range(8)]
    assert lines == [line for pair in expected for line in pair]


def test_a_sweep_in_batches_that_goes_on_finds_each_job_where_it_was(app):
    app.write(
        "Path('seen').open('a').write(f'{HydraConfig.get().runtime.output_dir} {cfg.lr}\\n')\n"
        "assert Path('ok').exists() or cfg.lr != 3"
    )
    options = "lr=1,2,3,4", "hydra.sweeper.max_batch_size=2", "hydra.sweep.dir=out"
    app.launch(*options)
    (app.folder / "ok").touch()
    assert app.launch(*options).returncode == 0

    seen = [line.split() for line in (app.folder / "seen").read_text().splitlines()]
    assert [(Path(folder).name, lr) for folder, lr in seen] == [
        *(("0", "1"), ("1", "2"), ("2", "3"), ("3", "4")),
        ("2", "3"),
    ]


def test_sweeps_that_wait_for_their_turn_do_not_share_folders(app):
    app.write("Path('seen').open('a').write(f'{HydraConfig.get().runtime.output_dir}\\n')")
    for values in ("lr=1,2", "lr=3,4"):
        app.launch(values, "hydra.sweep.dir=out", "hydra.launcher.wait=false")
    app.call([sys.executable, "-m", "mlpipeline", "-r", "-u"])

    seen = [Path(line).name for line in (app.folder / "seen").read_text().split()]
    assert sorted(seen) == ["0", "0-2", "1", "1-2"]


def test_a_priority_that_the_list_has_stays(app):
    app.launch("lr=1")
    (path,) = app.folder.glob("models/app-*.yaml")
    lists = app.folder / "models.config"
    lists.write_text(lists.read_text() + f"[PRIORITIES]\n{path.name} = 5\n")
    app.launch("lr=1")
    assert f"{path.name} = 5" in lists.read_text()

    app.launch("lr=1", "hydra.launcher.priority=7")
    assert f"{path.name} = 7" in lists.read_text()


def test_jobs_whose_names_look_like_patterns_are_told_from_others(app):
    app.write("Path('seen').open('a').write(f'{cfg.lr}\\n')")
    app.launch("lr='*',a")
    app.launch("lr='*',a")
    assert (app.folder / "seen").read_text().split() == ["*", "a"]
    again = app.launch("lr='*',a", "hydra.launcher.rerun=all")
    assert again.returncode == 0, again.stderr
    assert (app.folder / "seen").read_text().split() == ["*", "a"] * 2


def test_a_model_file_with_secrets_is_for_its_owner(app):
    app.launch("+api_key=sk-123", "lr=1,2")
    (path,) = app.folder.glob("models/app-*.yaml")
    assert path.stat().st_mode & 0o077 == 0
    assert "sk-123" not in path.read_text().split("command:")[0]  # what it says of where it is from


def test_more_jobs_than_a_sweep_may_have_are_refused_before_anything_is_listed(app):
    assert app.launch("lr=1").returncode == 0
    for made in app.folder.glob("models/app-*.yaml"):
        made.unlink()
    (app.folder / "models.config").write_text("[WHITELISTED_MODELS]\n")
    (app.folder / "mlp.config").write_text("[MLP]\nmodels_dir = models\nmax_versions = 3\n")
    done = app.launch("lr=range(0,4)")
    assert done.returncode == 1
    assert "this sweep has 4 jobs, and max_versions is 3" in done.stderr
    assert not list(app.folder.glob("models/app-*.yaml"))
    assert app.launch("lr=range(0,3)").returncode == 0


def test_a_chain_that_can_not_be_is_refused_before_anything_is_listed(app):
    done = app.launch("lr=1,2", "hydra.launcher.chain=nokey")
    assert done.returncode == 1
    assert "chain: nokey is not among the overrides" in done.stderr
    assert not list(app.folder.glob("models/app-*.yaml"))
