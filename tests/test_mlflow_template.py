"""The example of MLflow's template: every command of its README, by mlflow and by mlpipeline."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from projects import COMMAND

pytest.importorskip("mlflow")

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "mlflow-template"
STEPS = ["download", "basic_cleaning", "segregate", "train_random_forest", "evaluate"]
SMALL = (
    *("-P", "steps=train_random_forest", "-P"),
    "hydra_options=modeling.max_tfidf_features=10,15,30 "
    "modeling.random_forest.max_features=range(1,100,2) -m",
)


@pytest.fixture
def example(tmp_path):
    return shutil.copytree(
        EXAMPLE,
        tmp_path / "example",
        ignore=shutil.ignore_patterns("outputs", "__pycache__", "artifacts", "mlruns", "*.db"),
    )


def called(command, folder):
    """mlflow takes seconds a step, and on a busy machine minutes."""
    own = str(Path(sys.executable).parent)  # whose `python` mlflow is to find
    env = {**os.environ, "PATH": os.pathsep.join((own, os.environ["PATH"]))}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900, env=env)


def mlpipeline(folder, *arguments):
    return called([*COMMAND, *arguments], folder)


def mlflow(folder, *arguments):
    return called([str(Path(sys.executable).parent / "mlflow"), *arguments], folder)


def steps_of(done):
    return [line.removeprefix("step ") for line in done.stdout.splitlines() if "step " in line]


def test_it_gives_the_same_by_mlflow_and_by_mlpipeline(example, tmp_path):
    other = shutil.copytree(example, tmp_path / "other")
    ours = mlpipeline(example, "run", ".")
    theirs = mlflow(other, "run", ".", "--env-manager=local")

    assert (ours.returncode, theirs.returncode) == (0, 0), ours.stderr + theirs.stderr
    assert steps_of(ours) == steps_of(theirs) == STEPS
    found = [
        {
            path.name: path.read_bytes() if path.suffix != ".pkl" else b""  # has sets in any order
            for path in (folder / "artifacts").iterdir()
        }
        for folder in (example, other)
    ]
    assert found[0] == found[1]
    assert json.loads(found[0]["metrics.json"])["accuracy"] > 0.3
    (run,) = json.loads(mlpipeline(example, "results", "--json").stdout)["runs"]
    assert {"oob_accuracy", "accuracy", "f1"} <= set(run["metrics"])


def test_steps_and_overrides_are_chosen_as_with_mlflow(example):
    both = mlpipeline(example, "run", ".", "-P", "steps=download,basic_cleaning")
    assert steps_of(both) == STEPS[:2]
    split = mlpipeline(
        *(example, "run", ".", "-P", "steps=segregate,train_model", "-P"),
        "hydra_options=modeling.random_forest.n_estimators=10",
    )
    assert (split.returncode, steps_of(split)) == (0, STEPS[2:4]), split.stderr
    model = pickle.loads((example / "artifacts" / "model.pkl").read_bytes())
    assert len(model[-1].estimators_) == 10


def test_the_sweep_is_150_versions(example):
    done = mlpipeline(example, "run", ".", *SMALL, "--no-wait")

    assert done.returncode == 0, done.stderr
    assert "150 runs to come" in done.stderr
    (path,) = (example / "models").glob("*.yaml")
    options = [each["hydra_options"] for each in yaml.safe_load(path.read_text())["versions"]]
    assert options[1] == "modeling.max_tfidf_features=10 modeling.random_forest.max_features=3"


def test_an_unknown_step_is_told_before_anything_runs(example):
    done = mlpipeline(example, "run", ".", "-P", "steps=download,evalute")

    assert done.returncode == 1
    assert "there is no step 'evalute' (did you mean evaluate?)" in done.stdout + done.stderr
    assert not (example / "artifacts").exists()


def test_it_is_run_from_a_git_address_at_a_tag(example, tmp_path):
    for arguments in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"],
        ["tag", "1.0.0"],
    ):
        subprocess.run(["git", *arguments], cwd=example, check=True)
    (example / "main.py").write_text("no python")
    there = tmp_path / "there"
    there.mkdir()

    done = mlpipeline(there, "run", example.as_uri(), "-v", "1.0.0", "-P", "steps=download")

    assert (done.returncode, steps_of(done)) == (0, STEPS[:1]), done.stderr
    assert list(there.glob("models/outputs/git/*/*/artifacts/raw_data.csv"))


def test_a_new_step_fits_in_as_its_readme_says(example):
    answers = ["basic\n", "run.py\n", "basic\n", "Cleans\n", "It cleans\n", "a, b,c\n"]
    done = subprocess.run(
        [str(Path(sys.executable).parent / "cookiecutter"), "cookie-mlflow-step", "-o", "src"],
        cwd=example,
        input="".join(answers),
        text=True,
        capture_output=True,
        env={**os.environ, "HOME": str(example)},
    )
    assert done.returncode == 0, done.stderr
    ours = mlpipeline(
        *(example, "new", "step", "basic2", "--no-input", "-P", "parameters=a, b,c"),
        *("--template", "cookie-mlflow-step"),
    )
    assert ours.returncode == 0, ours.stderr

    run = mlpipeline(example, "run", "src/basic", "-P", "a=1", "-P", "b=2", "-P", "c=3 4")
    assert run.returncode == 0, run.stderr
    for name in ("MLproject", "conda.yml", "run.py"):
        made = (example / "src" / "basic" / name).read_text()
        other = (example / "src" / "basic2" / name).read_text()
        assert ("parser" in made) == ("parser" in other)


def test_its_template_of_a_step_is_that_of_the_package():
    ours = ROOT / "mlpipeline" / "service" / "templates" / "step"
    copy = EXAMPLE / "cookie-mlflow-step"
    names = [path.relative_to(ours) for path in ours.rglob("*") if path.is_file()]

    assert names
    for name in names:
        assert (ours / name).read_text() == (copy / name).read_text()
