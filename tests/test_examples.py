"""The examples, driven by the installed command as a newcomer would drive them."""

import configparser
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
CONFIGS = ("mlp.config", "models.config", "models_test.config")
SAMPLE_VERSIONS = ["sample_model/slow", "sample_model/fast"]
DIGITS_VERSIONS = [
    "sgd/learning_rate=0.3",
    "sgd/learning_rate=0.1",
    "sgd/learning_rate=0.01",
    "mlp/small",
    "mlp/deep",
]


def mlpipeline(project, *options):
    """What `mlpipeline -C project options` prints; it must end well, and complain of nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "mlpipeline", "-C", str(project), *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def copied(folder, target):
    return shutil.copytree(folder, target, ignore=shutil.ignore_patterns("outputs", "__pycache__"))


def finished(outputs):
    """The events of all ended runs in the history, in their order."""
    (history,) = outputs.glob("history-*")
    events = [json.loads(line) for line in history.read_text().splitlines()]
    return [event for event in events if event["event"] == "finished"]


def section(config, name):
    parser = configparser.ConfigParser(allow_no_value=True)
    parser.read(config, encoding="utf-8")
    return parser[name]


def named(event):
    return "{model}/{version}".format(**event["run"])


@pytest.fixture
def sample_project(tmp_path):
    return copied(ROOT / "examples/sample-project", tmp_path / "sample-project")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The root of a clone, as far as its project goes: the config files and the digits example."""
    if not os.environ.get("MLPIPELINE_REQUIRE_ALL"):
        pytest.importorskip("sklearn")
    clone = tmp_path_factory.mktemp("clone")
    for name in CONFIGS:
        shutil.copy(ROOT / name, clone)
    copied(ROOT / "examples/digits", clone / "examples/digits")
    return clone


@pytest.fixture(scope="module")
def trained_root(root):
    mlpipeline(root, "-r", "-u")
    return root


def test_the_sample_project_runs_its_versions_and_then_has_nothing_to_do(sample_project):
    assert "2 succeeded" in mlpipeline(sample_project, "-r", "-u")
    ended = finished(sample_project / "models/outputs")
    assert [named(event) for event in ended] == SAMPLE_VERSIONS
    assert "nothing to do" in mlpipeline(sample_project, "-r", "-u")
    assert finished(sample_project / "models/outputs") == ended


def test_the_sample_project_can_be_rehearsed(sample_project):
    assert "2 succeeded" in mlpipeline(sample_project)
    assert not (sample_project / "models/outputs/model_ckpts").exists()


@pytest.mark.parametrize("project", [ROOT, ROOT / "examples/sample-project"])
def test_the_config_files_list_every_model_script_there_is(project):
    models_dir = project / section(project / "mlp.config", "MLP")["models_dir"]
    scripts = {path.name for path in models_dir.glob("*.py") if not path.name.startswith("_")}
    assert scripts
    for name in ("models.config", "models_test.config"):
        assert set(section(project / name, "WHITELISTED_MODELS")) == scripts


def test_each_digits_script_can_be_rehearsed(root):
    chosen = "sgd.py = learning_rate=0.1\nmlp.py = small\n"  # all five would take 10 seconds
    (root / "models_test.config").write_text(f"[WHITELISTED_MODELS]\n{chosen}")
    assert "2 succeeded" in mlpipeline(root)


def test_every_version_of_the_digits_learns_them(trained_root):
    outputs = trained_root / "examples/digits/models/outputs"
    ended = finished(outputs)
    assert sorted(map(named, ended)) == sorted(DIGITS_VERSIONS)
    assert {event["outcome"] for event in ended} == {"succeeded"}
    records = [yaml.safe_load(path.read_text()) for path in outputs.glob("runs/*/*/1/run.yaml")]
    accuracy = {
        f"{record['model']}/{record['version']}": record["results"]["test"]["accuracy"]
        for record in records
    }
    assert sorted(accuracy) == sorted(DIGITS_VERSIONS)
    assert min(accuracy.values()) > 0.9, accuracy


def test_training_the_digits_prints_no_warnings(trained_root):
    consoles = list(trained_root.glob("examples/digits/models/outputs/runs/*/*/1/console.log"))
    assert [path.read_text() for path in consoles] == [""] * len(DIGITS_VERSIONS)


def test_trained_digits_leave_nothing_to_do(trained_root):
    before = finished(trained_root / "examples/digits/models/outputs")
    assert "nothing to do" in mlpipeline(trained_root, "-r", "-u")
    assert finished(trained_root / "examples/digits/models/outputs") == before
