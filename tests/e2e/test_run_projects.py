"""`mlpipeline run`: projects of MLflow's form, through the queue, from folders and from git."""

import json
import re
import shlex
import shutil
import signal
import stat
import subprocess

import pytest
import yaml
from projects import COMMAND, Project, called, started, wait_until

MLPROJECT = """
name: demo
entry_points:
  main:
    parameters:
      steps: {type: string, default: all}
      hydra_options: {type: string, default: ''}
    command: "python main.py {steps} $(echo {hydra_options})"
  simple:
    parameters: {a: float}
    command: python main.py --a {a}
"""
MAIN = """
import os, sys, time
from pathlib import Path
print("given", sys.argv[1:], flush=True)
if Path("fails").exists() and Path("fails").read_text() in sys.argv:
    sys.exit(3)
if "wait" in sys.argv:
    Path("began").touch()
    while not Path("go on").exists(): time.sleep(0.005)
"""


def mlproject(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "MLproject").write_text(MLPROJECT)
    (folder / "main.py").write_text(MAIN)
    return folder


@pytest.fixture
def folder(tmp_path):
    return mlproject(tmp_path / "here")


@pytest.fixture
def run(folder):
    def run(*arguments, at=folder, **environment):
        return called([*COMMAND, "run", *arguments], at, **environment)

    return run


def of(folder):
    """The project that was made in a folder."""
    made = object.__new__(Project)
    made.folder, made.models = folder, folder / "models"
    made.outputs = made.models / "outputs"
    return made


def given(done):
    return [line for line in done.stdout.splitlines() if line.startswith("given")]


def test_a_folder_is_run_and_becomes_a_model_of_the_queue(run, folder):
    done = run(".")

    assert (done.returncode, given(done)) == (0, ["given ['all']"])
    assert "demo/main#1 succeeded" in done.stderr
    assert of(folder).outcomes() == {"demo/main#1": "succeeded"}
    assert yaml.safe_load((folder / "models" / "demo.yaml").read_text())["versions"] == [
        {"name": "main", "steps": "all", "hydra_options": ""}
    ]


def test_one_run_is_run_again_whenever_it_is_asked_for(run, folder):
    run("."), run(".")
    kept = run(".", "--rerun", "missing")

    assert list(of(folder).outcomes()) == ["demo/main#1", "demo/main#2"]
    assert (kept.returncode, given(kept)) == (0, [])
    assert "main of demo has run already" in kept.stderr


def test_parameters_that_are_not_named_there_are_passed_on(run, folder):
    done = run(".", "-P", "steps=a,b c", "-P", "lr=0.1", "-P", "text=it's {x}")

    assert given(done) == ["given ['a,b c', '--lr', '0.1', '--text', \"it's {x}\"]"]


def test_an_entry_point_or_a_script_may_be_named(run, folder):
    assert given(run(".", "-e", "simple", "-P", "a=1e-3")) == ["given ['--a', '1e-3']"]
    assert given(run(".", "-e", "main.py", "-P", "b=2")) == ["given ['--b', '2']"]
    assert set(of(folder).outcomes()) == {"demo-simple/a=1e-3#1", "demo-main/b=2#1"}


def test_hydra_options_with_m_are_a_version_a_job_and_what_is_missing_goes_on(run, folder):
    (folder / "fails").write_text("x.y=2")
    options = ("-P", "steps=s", "-P", "hydra_options=x.y=1,2,3 z=a -m", "-j", "2")
    first = run(".", *options)
    (folder / "fails").unlink()
    second = run(".", *options)

    assert (first.returncode, second.returncode) == (1, 0)
    assert "1 of 3 runs did not end well" in first.stderr
    assert sorted(given(first)) == [f"given ['s', 'x.y={n}', 'z=a']" for n in (1, 2, 3)]
    assert given(second) == ["given ['s', 'x.y=2', 'z=a']"]
    rows = json.loads(called([*COMMAND, "results", "--json"], folder).stdout)
    assert "x.y" in json.dumps(rows)


def test_a_sweep_is_compared_by_what_differs_and_named_by_it(run, folder):
    done = run(".", "-P", "hydra_options=modeling.depth=10,15 lr.rate=0.5 -m")
    found = called([*COMMAND, "results", "--json", "--where", "modeling.depth > 12"], folder)

    assert done.returncode == 0, done.stderr
    (row,) = json.loads(found.stdout)["runs"]
    assert row["version"] == "depth=15"
    assert (row["parameters"]["modeling.depth"], row["parameters"]["lr.rate"]) == (15, 0.5)


def test_what_ran_by_a_longer_name_stays_done(run, folder):
    options = (".", "-P", "steps=s", "-P", "hydra_options=x.y=1,2 -m")
    run(*options, "--no-wait")
    (file,) = (folder / "models").glob("demo-*.yaml")
    file.write_text(re.sub(r"name: .?y=(\d).?,", r'name: "steps=s,x.y=\1",', file.read_text()))
    called([*COMMAND, "-r", "-u"], folder)
    again = run(*options)

    assert "steps=s,x.y=1 and steps=s,x.y=2" in again.stderr
    assert "have run already" in again.stderr
    assert sorted(of(folder).outcomes().values()) == ["succeeded"] * 2


def test_with_m_other_parameters_sweep_too(run, folder):
    done = run(".", "-m", "-e", "simple", "-P", "a=range(1,4)")

    assert sorted(given(done)) == [f"given ['--a', '{n}']" for n in (1, 2, 3)]


def test_what_failed_at_another_time_is_not_run_with_it(run, folder):
    (folder / "fails").write_text("bad")
    bad = run(".", "-P", "steps=bad")
    good = run(".", "-P", "steps=good")

    assert (bad.returncode, good.returncode) == (1, 0)
    assert "exited with status 3" in bad.stderr
    assert of(folder).started() == ["demo/steps=bad#1", "demo/steps=good#1"]


def test_a_failure_is_told_once_with_its_last_line_and_how_it_is_forgotten(run, folder):
    (folder / "main.py").write_text("import sys; sys.exit(f'no key in {sys.argv[1]}')")
    one = run(".", "-P", "steps=a b")
    many = run(".", "-m", "-P", "steps=c,d", "-j", "2")
    (forget,) = re.findall(r"`mlpipeline (remove .*)`", one.stderr)
    (forget_many,) = re.findall(r"`mlpipeline (remove .*)`", many.stderr)

    assert (one.returncode, many.returncode) == (1, 1)
    assert one.stderr.count("exited with status 1; last line: no key in a b") == 1
    assert one.stderr.count("exited with status 1") == 1
    assert many.stderr.count("exited with status 1") == 2
    assert many.stderr.count("mlpipeline logs") == 1
    assert "2 of 2 runs did not end well" in many.stderr
    for command in (forget, forget_many):
        done = called([*COMMAND, *shlex.split(command)], folder)
        assert done.returncode == 0, done.stderr
    assert called([*COMMAND, "-r", "-u"], folder).returncode == 0
    assert len(of(folder).outcomes()) == 3


def test_two_at_once_share_the_session_and_each_gets_its_own(run, folder):
    first = started([*COMMAND, "run", ".", "-P", "steps=wait"], folder)
    wait_until((folder / "began").exists)
    second = started([*COMMAND, "run", ".", "-P", "steps=b"], folder)
    file = folder / "models" / "demo.yaml"
    wait_until(lambda: "steps=b" in file.read_text())
    (folder / "go on").touch()
    said = first.communicate(timeout=60), second.communicate(timeout=60)

    assert (first.returncode, second.returncode) == (0, 0), said
    assert set(of(folder).outcomes().values()) == {"succeeded"}


def listed(folder):
    (line,) = (folder / "models.config").read_text().partition("demo.yaml =")[2].splitlines()
    return {each.strip() for each in line.split(",")}


def test_those_that_start_at_the_same_moment_do_not_unlist_one_another(run, folder):
    wanted = [f"steps={name}" for name in "abcd"]
    at_once = [started([*COMMAND, "run", ".", "-P", each], folder) for each in wanted]
    said = [each.communicate(timeout=120) for each in at_once]

    assert [each.returncode for each in at_once] == [0] * 4, said
    assert set(of(folder).outcomes()) == {f"demo/{each}#1" for each in wanted}


def test_what_is_done_and_asked_for_again_at_the_same_moment_runs_again(run, folder):
    wanted = [f"steps={name}" for name in "ab"]
    for each in wanted:
        run(".", "-P", each)
    at_once = [started([*COMMAND, "run", ".", "-P", each], folder) for each in wanted]
    said = [each.communicate(timeout=120) for each in at_once]

    assert [each.returncode for each in at_once] == [0, 0], said
    assert {f"demo/{each}#2" for each in wanted} < set(of(folder).outcomes())


def test_what_waits_for_a_session_stays_listed_and_what_is_done_does_not(run, folder):
    run(".", "-P", "steps=done")
    for name in "abc":
        run(".", "-P", f"steps={name}", "--no-wait")

    assert listed(folder) == {"steps=a", "steps=b", "steps=c"}


def test_ctrl_c_stops_the_run_and_the_same_command_goes_on(run, folder):
    process = started([*COMMAND, "run", ".", "-P", "steps=wait"], folder)
    wait_until((folder / "began").exists)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    (folder / "go on").touch()
    again = run(".", "-P", "steps=wait")

    assert (process.returncode, again.returncode) == (130, 0), said
    assert "1 run left: the same command goes on" in said
    assert list(of(folder).outcomes().values())[-1] == "succeeded"


def test_it_may_be_left_to_a_session(run, folder):
    done = run(".", "-P", "steps=x", "--no-wait")
    called([*COMMAND, "-r", "-u"], folder)

    assert "listed demo with 1 run to come" in done.stderr
    assert of(folder).outcomes() == {"demo/steps=x#1": "succeeded"}


def test_json_is_an_object_a_version(run):
    done = run(".", "--json", "-m", "-e", "simple", "-P", "a=1,2")

    found = json.loads(done.stdout)
    assert sorted((each["version"], each["state"], each["attempt"]) for each in found) == [
        ("a=1", "done", 1),
        ("a=2", "done", 1),
    ]


BAD = {
    ("nowhere",): "there is no folder nowhere",
    ("main.py",): "main.py is no folder",
    ("x.zip",): "unpack it",
    (".", "-e", "mian"): "there is no entry point mian (did you mean main?)",
    (".", "-e", "simple"): "needs a: give it with -P a=",
    (".", "-e", "simple", "-P", "a=x"): "a must be a number",
    (".", "-P", "steps"): "is no parameter; write -P name=value",
    (".", "-P", "a=1", "-P", "a=2"): "a is there twice",
    (".", "-v", "1.0"): "lies in no git repository, so there is no version 1.0",
    (".#nix",): "has no folder nix",
    (".#../x",): "leaves the project",
    (".", "-P", "hydra_options=password=x"): "would be in all records",
    (".", "-P", "hydra_options=a=range(1,100000) -m"): "max_versions",
    (".", "--env-manager", "conda"): "mlpipeline makes no conda environment",
}


@pytest.mark.parametrize("arguments", BAD)
def test_what_cant_be_run_is_told_and_nothing_is_made(run, folder, arguments):
    before = sorted(folder.iterdir())
    done = run(*arguments, GIT_CEILING_DIRECTORIES=str(folder.parent))

    assert done.returncode == 2
    assert BAD[arguments] in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert sorted(folder.iterdir()) == before


def test_what_cant_run_here_is_not_added_and_what_was_there_is_as_it_was(run, folder):
    path = folder / "MLproject"
    before = MLPROJECT + "  gone:\n    command: python gone.py\n"
    path.write_text(before)
    run(".")
    gone = run(".", "-e", "gone")
    model = folder / "models" / "demo-simple.yaml"
    run(".", "-e", "simple", "-P", "a=1")
    listed, was = (folder / "models.config").read_bytes(), model.read_bytes()
    path.write_text(before.replace("main.py --a", "lost.py --a"))
    lost = run(".", "-e", "simple", "-P", "a=2")

    assert [gone.returncode, lost.returncode] == [2, 2]
    assert "gone.py in" in gone.stderr
    assert "nothing was added" in gone.stderr
    assert "line 3" not in gone.stderr  # of a file that is gone again
    assert not (folder / "models" / "demo-gone.yaml").exists()
    assert ((folder / "models.config").read_bytes(), model.read_bytes()) == (listed, was)
    assert called([*COMMAND, "-r", "-u"], folder).returncode == 0


def test_environments_are_not_made_and_that_is_said(run, folder):
    (folder / "conda.yml").touch()
    path = folder / "MLproject"
    path.write_text("conda_env: conda.yml\n" + MLPROJECT)
    conda, again = run("."), run(".")
    path.write_text("docker_env: {image: x}\n" + MLPROJECT)
    docker, local = run("."), run(".", "--env-manager", "local")

    assert (conda.returncode, docker.returncode, local.returncode) == (0, 2, 0)
    assert "conda_env: conda.yml is not set up" in conda.stderr
    assert "is not set up" not in again.stderr  # once is enough
    assert "mlpipeline starts no containers" in docker.stderr
    assert "--env-manager local" in docker.stderr


def test_a_secret_is_in_no_record(run, folder):
    (folder / "MLproject").write_text(
        "name: s\nentry_points:\n  main:\n    parameters: {api_key: string}\n"
        "    command: test $(printf %s {api_key} | wc -c) = 7\n"
    )
    done = run(".", "-P", "api_key=hunter2")

    assert done.returncode == 0, done.stderr
    written = folder / "models" / "s.yaml"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert "hunter2" not in done.stdout + done.stderr
    outputs = folder / "models" / "outputs"
    for path in outputs.rglob("*"):
        if path.is_file() and path.parent != outputs / "sources":  # where the model file is kept
            assert b"hunter2" not in path.read_bytes(), path


def test_a_secret_that_mlproject_does_not_name_is_for_nobody_elses_eyes(run, folder):
    file = folder / "models" / "demo.yaml"
    run(".", "-P", "steps=x", "--no-wait")
    before = stat.S_IMODE(file.stat().st_mode)
    run(".", "-P", "api_key=hunter2", "--no-wait")

    assert "hunter2" in file.read_text()
    assert (before, stat.S_IMODE(file.stat().st_mode)) == (0o644, 0o600)


def test_home_is_not_made_a_project(run, folder, tmp_path):
    home = tmp_path / "home"
    home.mkdir()

    done = run(str(folder), at=home, HOME=str(home))

    assert (done.returncode, list(home.iterdir())) == (2, [])
    assert "shall not be made one" in done.stderr


# ------------------------------------------------------------------------------- git


@pytest.fixture
def origin(tmp_path):
    """A repository whose tag 1.0.0 prints one, and whose newest commit two."""
    origin = mlproject(tmp_path / "origin")
    mlproject(origin / "src" / "sub")
    for text in ("one", "two"):
        (origin / "main.py").write_text(f"print('given {text}')")
        (origin / "src" / "sub" / "main.py").write_text("import os; print('given', os.getcwd())")
        git(origin, "init", "-q") if text == "one" else None
        git(origin, "add", ".")
        git(origin, "commit", "-qm", text)
        if text == "one":
            git(origin, "tag", "1.0.0")
    (origin / "main.py").write_text("print('given an edit')")
    return origin


def git(folder, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_a_git_address_is_run_at_a_version_and_the_commit_is_recorded(run, origin, tmp_path):
    here = tmp_path / "there"
    here.mkdir()
    tagged = run(origin.as_uri(), "-v", "1.0.0", at=here)
    newest = run(origin.as_uri(), at=here)
    inner = run(f"{origin.as_uri()}#src/sub", "-v", "main", at=here)
    mine = run("../origin", "-v", "1.0.0", at=here)
    edited = run("../origin", at=here)

    assert [given(each) for each in (tagged, newest, mine, edited)] == [
        ["given one"],
        ["given two"],
        ["given one"],
        ["given an edit"],
    ]
    assert given(inner)[0].endswith("/src/sub")
    commit = git(origin, "rev-parse", "1.0.0")
    record = of(here).record("demo@1.0.0", "main")
    assert record["parameters"]["commit"] == commit
    assert record["parameters"]["source"] == origin.as_uri()
    assert git(origin, "status", "--porcelain") == "M main.py"


def test_a_folder_in_a_repository_is_run_at_a_version_too(run, origin):
    done = run(".", "-v", "1.0.0", at=origin / "src" / "sub")

    assert given(done)[0].endswith("/src/sub")
    assert "outputs/git" in given(done)[0]


def test_a_version_that_is_not_there_is_told_and_nothing_is_listed(run, origin, tmp_path):
    here = tmp_path / "there"
    here.mkdir()
    done = run(origin.as_uri(), "-v", "2.0.0", at=here)

    assert done.returncode == 2
    assert "has no tag, branch or commit 2.0.0; its newest tags are 1.0.0" in done.stderr
    assert not list(here.iterdir())


def test_what_cant_be_fetched_or_has_no_such_entry_point_makes_no_project(run, origin, tmp_path):
    here = tmp_path / "there"
    here.mkdir()
    nobody = run((tmp_path / "none").as_uri(), at=here)
    wrong = run(origin.as_uri(), "-e", "mian", at=here)

    assert (nobody.returncode, wrong.returncode) == (2, 2)
    assert "can't be fetched" in nobody.stderr
    assert "there is no entry point mian" in wrong.stderr
    assert not list(here.iterdir())


def test_two_at_once_that_fetch_share_a_project_and_a_mirror(origin, tmp_path):
    here = tmp_path / "there"
    here.mkdir()
    command = [*COMMAND, "run", origin.as_uri()]
    at_once = [started([*command, "-v", each], here) for each in ("1.0.0", "main")]
    said = [each.communicate(timeout=120) for each in at_once]

    assert [each.returncode for each in at_once] == [0, 0], said
    assert sum(err.count("fetching") for _, err in said) == 1
    assert not (here / "mlp_models").exists()


def test_runs_that_edit_what_is_in_git_share_a_worktree_and_go_on_with_a_sweep(
    run, origin, tmp_path
):
    (origin / "main.py").write_text(
        "import sys, pathlib; pathlib.Path('file').write_text('edited'); print('given', sys.argv)"
    )
    (origin / "file").write_text("as it was")
    git(origin, "add", ".")
    git(origin, "commit", "-qm", "three")
    here = tmp_path / "there"
    here.mkdir()
    sweep = (origin.as_uri(), "-e", "simple", "-m", "-P", "a=1,2")
    first, second = run(*sweep, at=here), run(*sweep, at=here)
    trees = {each.parent for each in (here / "models/outputs/git").glob("*/*/MLproject")}

    assert (len(given(first)), len(given(second))) == (2, 0), second.stderr
    assert len(trees) == 1


def test_a_version_of_a_commit_is_the_same_in_any_worktree_of_it(run, origin, tmp_path):
    here = tmp_path / "there"
    here.mkdir()
    sweep = (origin.as_uri(), "-e", "simple", "-m", "-P", "a=1,2")
    run(*sweep, at=here)
    (file,) = (here / "models").glob("*.yaml")
    commit = git(origin, "rev-parse", "HEAD")[:12]
    text = file.read_text().replace(commit + "\n", commit + "-2\n")
    assert text != file.read_text()
    (tree,) = (here / "models/outputs/git").glob(f"*/{commit}")
    shutil.copytree(tree, tree.with_name(f"{commit}-2"))
    file.write_text(text)
    done = called([*COMMAND, "-r", "-u"], here)

    assert done.returncode == 0, done.stderr
    assert [each for each in of(here).started() if each.endswith("#2")] == []


def test_a_session_that_works_takes_it(run, folder):
    run(".", "-P", "steps=x")
    session = started([*COMMAND, "-r", "-u", "--watch", "--quiet"], folder)
    wait_until(lambda: list((folder / "models" / "outputs").glob("scheduler-*.pid")))
    done = run(".", "-P", "steps=y")
    session.send_signal(signal.SIGTERM)
    session.communicate(timeout=60)

    assert (done.returncode, given(done)) == (0, ["given ['y']"]), done.stderr
