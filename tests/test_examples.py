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


COMMANDS = ROOT / "examples/hydra-commands"
GROUPS = [  # with the groups that a command of the README chooses
    *("preprocessing/dataset=dataset_1", "preprocessing/param=param_1", "modeling/model=model_1"),
    *("c/preprocessing_sub=foo", "c/modeling_sub=foo", "c/deployment_sub=foo"),
    "c=preprocessing,modeling,deployment",
]
FIRST = ("modeling/param=param_1", "deployment/cluster=cluster_1")
SECOND = ("modeling/param=param_2", "deployment/cluster=cluster_2")
CORRECTED = (*SECOND, "cluster.pw=pw_2")
PREPROCESSING = """\
========== Run preprocessing's 'foo' subcommand ==========
dataset:
{
  "name": "dataset_1",
  "path": "/path/of/dataset/1"
}
p_param:
{
  "name": "param_1",
  "output_path": "/path/of/output/path/1",
  "key_1_1": "value_1_1",
  "key_1_2": "value_1_2"
}
Do something here!
"""
MODELING = """\
========== Run modeling's 'foo' subcommand ==========
model:
{{
  "name": "model_1",
  "input_path": "/path/of/input/path/1",
  "output_path": "/path/of/output/path/1"
}}
m_param:
{{
  "name": "param_{0}",
  "hyperparam_key_{0}_1": "hyperparam_value_{0}_1",
  "hyperparam_key_{0}_2": "hyperparam_value_{0}_2"
}}
Do something here!
"""
DEPLOYMENT = """\
========== Run deployment's 'foo' subcommand ==========
cluster:
{{
  "name": "cluster_{0}",
  "url": "https://cluster/{0}/url",
  "id": "user_{0}",
  "pw": "{1}"
}}
Do something here!
"""


def printed(number, password):
    return PREPROCESSING + MODELING.format(number) + DEPLOYMENT.format(number, password)


def example(name, tmp_path):
    if not os.environ.get("MLPIPELINE_REQUIRE_ALL"):
        pytest.importorskip("hydra")
    ignored = shutil.ignore_patterns("outputs", "multirun", "data", "__pycache__", ".multirun")
    return shutil.copytree(ROOT / "examples" / name, tmp_path / name, ignore=ignored)


def python(folder, *arguments):
    """What `python ARGUMENTS` prints there; it must end well."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def of_jobs(shown):
    """What jobs printed, without Hydra's log."""
    return "".join(f"{line}\n" for line in shown.splitlines() if not line.startswith("["))


@pytest.mark.parametrize("launcher", [[], ["hydra/launcher=mlpipeline", "hydra.launcher.chain=c"]])
def test_the_commands_of_hydras_groups_print_their_settings(tmp_path, launcher):
    folder = example("hydra-commands", tmp_path)

    def sweep(settings):
        options = [*GROUPS, *settings, *launcher, "--multirun"]
        return of_jobs(python(folder, "-m", "when_ml_pipeline_meets_hydra", *options))

    assert sweep(FIRST) == printed(1, "pw_1")
    assert sweep(SECOND) == printed(2, "pw_3")
    assert sweep(CORRECTED) == printed(2, "pw_2")


def test_the_records_of_commands_have_no_passwords(tmp_path):
    folder = example("hydra-commands", tmp_path)
    options = [*GROUPS, *CORRECTED, "hydra/launcher=mlpipeline", "--multirun"]
    python(folder, "-m", "when_ml_pipeline_meets_hydra", *options)

    runs = list((folder / "models/outputs/runs").glob("*/*/1"))
    assert len(runs) == 3
    for path in (path for run in runs for path in run.rglob("*") if path.name != "console.log"):
        assert path.is_dir() or b"pw_2" not in path.read_bytes(), path
    for name in ("history", "output", "log"):
        (path,) = (folder / "models/outputs").glob(f"{name}-*")
        assert "pw_2" not in path.read_text()


def test_the_pipelines_of_commands_run_in_their_order(tmp_path):
    folder = example("hydra-commands", tmp_path)
    mlpipeline(folder, "-r", "-u")

    ended = [event["run"]["version"] for event in finished(folder / "models/outputs")]
    assert ended == [
        f"modeling/param=param_{number},c={command}"
        for number in (1, 2)
        for command in ("preprocessing", "modeling", "deployment")
    ]


@pytest.fixture(scope="module")
def hydra_digits(tmp_path_factory):
    folder = example("hydra-digits", tmp_path_factory.mktemp("example"))
    python(folder, "make_data.py")
    return folder


def test_the_digits_of_hydra_are_learned_by_the_app_alone(hydra_digits):
    assert "[Epoch: 2/2] Test Accuracy: 0.9" in python(
        hydra_digits, "main.py", "params.epoch_count=2", "hydra.run.dir=alone"
    )
    curve = (hydra_digits / "alone/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in curve] == [1, 2]
    config = yaml.safe_load((hydra_digits / "alone/.hydra/config.yaml").read_text())
    assert config["paths"]["data"] == "${hydra:runtime.cwd}/data/raw"


def test_the_digits_of_hydra_are_learned_in_the_queue(hydra_digits):
    assert "4 succeeded" in mlpipeline(hydra_digits)
    (hydra_digits / "models.config").write_text(
        "[WHITELISTED_MODELS]\ndigits.py = model=linear,mlp params.epoch_count=2\nmain.yaml\n"
    )
    assert "8 succeeded" in mlpipeline(hydra_digits, "-r", "-u")

    runs = hydra_digits / "models/outputs/runs"
    for run in runs.glob("digits/*/1"):
        config = yaml.safe_load((run / ".hydra/config.yaml").read_text())
        assert config["params"]["epoch_count"] == 2
        assert len((run / "metrics.jsonl").read_text().splitlines()) >= 2
    records = [yaml.safe_load(path.read_text()) for path in runs.glob("*/*/1/run.yaml")]
    assert len(records) == 8
    assert {record["outcome"] for record in records} == {"succeeded"}


PIPELINE_RUNS = ["data_prepare", "train,lr=0.5", "train,lr=0.05"]
ODD = "a, b=c #1 'é' {x}"


def test_the_pipeline_of_components_runs_here_and_prepares_its_data_once(tmp_path):
    folder = example("vertex-mnist", tmp_path)
    path = folder / "configs" / "pipeline.yaml"
    path.write_text(path.read_text().replace("project: demo", f"project: {json.dumps(ODD)}", 1))

    mlpipeline(folder, "-r", "-u", "-q")
    events = {event["run"]["version"]: event for event in finished(folder / "configs" / "outputs")}

    assert list(events) == PIPELINE_RUNS
    assert events["train,lr=0.5"]["results"]["accuracy"] > 0.9
    assert f"{ODD}: 1437 images" in mlpipeline(folder, "logs", "pipeline/data_prepare")
    assert mlpipeline(folder, "-r", "-u", "-q") == ""
    assert len(finished(folder / "configs" / "outputs")) == len(PIPELINE_RUNS)


def test_the_pipeline_of_components_can_be_rehearsed(tmp_path):
    mlpipeline(example("vertex-mnist", tmp_path), "-q")


def test_the_pipeline_of_components_is_compiled_for_vertex(tmp_path):
    if not os.environ.get("MLPIPELINE_REQUIRE_ALL"):
        pytest.importorskip("kfp")
    folder = example("vertex-mnist", tmp_path)
    out = folder / "pipeline.json"

    mlpipeline(folder, "pipeline", "compile", str(folder / "configs/pipeline.yaml"), "-o", str(out))
    spec = json.loads(out.read_text())

    containers = {
        name: each["container"] for name, each in spec["deploymentSpec"]["executors"].items()
    }
    assert set(spec["root"]["dag"]["tasks"]) == {"data-prepare", "train"}
    assert containers["exec-train"]["resources"]["cpuLimit"] == 4
    assert containers["exec-train"]["resources"]["accelerator"]["type"] == "NVIDIA_TESLA_T4"
    assert containers["exec-data-prepare"]["args"][0] == (
        "project='{{$.inputs.parameters['project']}}'"
    )
    for component in ("data_prepare", "train"):
        dockerfile = (folder / "components" / component / "Dockerfile").read_text()
        assert "COPY . ." in dockerfile
        assert (folder / "components" / component / "main.py").is_file()


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_the_makefile_says_what_it_needs(tmp_path):
    folder = example("vertex-mnist", tmp_path)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("make", "sed", "sh", "echo"):
        (tools / name).symlink_to(shutil.which(name))

    def make(target):
        return subprocess.run(
            [tools / "make", target],
            cwd=folder,
            capture_output=True,
            text=True,
            env={"PATH": str(tools)},
        )

    assert "make compile                  needs pip install 'mlpipeline[vertex]'" in (
        make("help").stdout
    )
    for target in ("push-data-prepare-image", "push-train-image"):
        pushed = make(target)
        assert pushed.returncode != 0
        assert "docker is needed to build and push images" in pushed.stderr
