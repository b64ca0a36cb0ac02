"""Commands are listed, rehearsed, run, resumed, compared and retried just like scripts."""

import json
import sys
from hashlib import sha256

import pytest
import yaml
from projects import wait_until

from mlpipeline.api import saying

PYTHON = sys.executable
TRAIN = """
import os, sys, mlpipeline
lr = float(sys.argv[sys.argv.index("--lr") + 1])
print("mode", os.environ["MLPIPELINE_MODE"], sys.argv[1:])
for step in range(3):
    print(f"loss: {lr / (step + 1)}")
    mlpipeline.log_metrics({"accuracy": step / 2})
if lr > 1:
    raise ValueError("too high")
"""


def command(project, name, **keys):
    (project.models / f"{name}.yaml").write_text(yaml.safe_dump(keys, sort_keys=False))


def program(project, name, text):
    (project.folder / name).write_text(text)


def console(project, model, version, attempt=1):
    return (project.folder_of(model, version, attempt) / "console.log").read_text()


@pytest.fixture
def trained(project):
    """A project with a program that is run with two learning rates, one of them too high."""
    program(project, "train.py", TRAIN)
    command(
        project,
        "train",
        command=[PYTHON, "train.py"],
        metrics={"loss": "loss: ([0-9.]+)"},
        versions=[
            {"name": "low", "arguments": "--lr 0.75"},
            {"name": "high", "arguments": "--lr 3"},
        ],
    )
    project.list("train.yaml")
    project.list("train.yaml", test=True)
    return project


@pytest.mark.parametrize("start", ["warm", "cold"])
def test_a_command_is_run_and_its_metrics_are_recorded(trained, start):
    with (trained.models / "train.yaml").open("a") as file:
        file.write(f"start: {start}\n")

    done = trained.run("-r", "-u")

    assert done.returncode == 1
    assert trained.outcomes() == {
        "train/low#1": "succeeded",
        "train/high#1": "failed ValueError: too high",
    }
    (low, _) = json.loads(trained.run("results", "--json").stdout)["runs"]
    assert low["parameters"]["lr"] == 0.75
    assert (low["metrics"]["loss"]["last"], low["metrics"]["loss"]["count"]) == (0.25, 3)
    assert low["metrics"]["accuracy"]["last"] == 1.0
    assert "batch_size" not in low["parameters"]
    assert "dataloader" not in low["parameters"]


def test_what_is_done_is_not_run_again_and_a_changed_program_is_told_of(trained):
    trained.run("-r", "-u")
    program(trained, "train.py", TRAIN.replace("lr > 1", "lr > 9"))

    again = trained.run("-r", "-u")
    status = trained.run("status", "--all").stdout
    trained.run("retry", "--changed")
    trained.run("-r", "-u")

    assert again.returncode == 0
    assert trained.started() == ["train/low#1", "train/high#1", "train/high#2", "train/low#2"]
    assert "script changed" in status


def test_a_module_that_is_edited_is_a_changed_script_too(trained):
    program(trained, "helper.py", "X = 1\n")
    program(trained, "train.py", "import helper\n" + TRAIN)
    trained.run("-r", "-u")
    before = trained.run("status", "--all").stdout
    program(trained, "helper.py", "X = 2\n")

    edited = trained.run("status", "--all").stdout
    trained.run("retry", "--changed")
    trained.run("-r", "-u")

    assert "script changed" not in before
    assert "script changed" in edited
    assert "train/low#2" in trained.started()


def test_what_was_done_before_modules_were_looked_at_is_done_still(trained):
    program(trained, "helper.py", "X = 1\n")
    program(trained, "train.py", "import helper\n" + TRAIN)
    trained.run("-r", "-u")
    code = (trained.folder / "train.py").read_bytes()
    earlier = sha256(repr([("../train.py", sha256(code).hexdigest())]).encode()).hexdigest()
    (history,) = trained.outputs.glob("history-*")
    lines = [json.loads(line) for line in history.read_text().splitlines()]
    noted = {line["script"] for line in lines if "script" in line}
    history.write_text(history.read_text().replace(noted.pop(), earlier))

    same = trained.run("status", "--all").stdout
    program(trained, "train.py", "import helper\n\n" + TRAIN)
    edited = trained.run("status", "--all").stdout

    assert not noted
    assert "script changed" not in same
    assert "script changed" in edited


def test_two_runs_are_compared(trained):
    trained.run("-r", "-u")

    different = trained.run("diff", "train/low", "train/high").stdout

    assert "0.75" in different
    assert "--lr 3" in different


def test_a_rehearsal_has_its_own_arguments_and_records_nothing(trained):
    with (trained.models / "train.yaml").open("a") as file:
        file.write("test: {arguments: [--quick]}\n")

    done = trained.run()

    assert done.returncode == 1
    assert "mode test ['--lr', '0.75', '--quick']" in done.stdout
    assert "ValueError: too high" in done.stdout + done.stderr
    assert not list(trained.outputs.glob("history-*"))


def test_what_still_runs_after_the_seconds_of_a_rehearsal_has_passed(project):
    command(project, "m", command=["sleep", "1000"], test={"seconds": 0.2})
    project.list("m.yaml", test=True)

    done = project.run()

    assert done.returncode == 0
    assert "1 succeeded" in done.stdout


def test_a_program_knows_its_run(project):
    command(
        project,
        "m",
        command=["sh", "-c", "env | grep ^MLPIPELINE_; echo $MINE; pwd", "{model_dir}"],
        cwd="{model_dir}",
        env={"MINE": "{version} of {lr}"},
        versions=[{"name": "v", "lr": 0.1}],
    )
    (project.outputs / "model_ckpts" / "m-v").mkdir(parents=True)
    project.list("m.yaml")

    project.run("-r")

    folder = project.folder_of("m", "v")
    model_dir = project.outputs / "model_ckpts" / "m-v"
    said = set(console(project, "m", "v").splitlines())
    assert said >= {
        f"MLPIPELINE_RUN={folder}",
        f"MLPIPELINE_MODEL_DIR={model_dir}",
        "MLPIPELINE_MODE=train",
        "MLPIPELINE_MODEL=m",
        "MLPIPELINE_VERSION=v",
        "MLPIPELINE_ATTEMPT=1",
        "v of 0.1",
        str(model_dir),
    }


SAVING = """
import os, signal, sys, time
from pathlib import Path
saved = Path(os.environ["MLPIPELINE_MODEL_DIR"], "saved")
def save(*_):
    saved.touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print(sys.argv[1:], saved.exists(), flush=True)
Path("began").touch()
while not saved.exists():
    time.sleep(0.005)
"""


@pytest.mark.parametrize("start", ["warm", "cold"])
def test_a_program_that_is_stopped_may_save_and_is_resumed(project, start):
    program(project, "m.py", SAVING)
    command(project, "m", command=[PYTHON, "m.py"], resume="--resume", start=start)
    project.list("m.yaml")
    session = project.start("-r", "-u")
    wait_until((project.folder / "began").exists)

    project.run("stop")
    session.communicate(timeout=20)
    project.run("-r", "-u")

    assert project.outcomes() == {"m/main#1": "interrupted asked to stop", "m/main#2": "succeeded"}
    assert console(project, "m", "main", 1) == "[] False\n"
    assert project.record("m", "main", 1)["exit"] == {"status": 1}
    assert console(project, "m", "main", 2) == "['--resume'] True\n"


def test_a_program_that_diverges_is_ended(project):
    project.configure(stop_on_nan=True, grace=5)
    command(
        project,
        "m",
        command=["sh", "-c", "echo loss: nan; sleep 1000"],
        metrics={"loss": "loss: (.*)"},
    )
    project.list("m.yaml")

    project.run("-r")

    assert project.outcomes() == {"m/main#1": "diverged loss is nan at step 1"}


SAYS_MORE = """
import os, signal, mlpipeline
def more(*_):
    mlpipeline.log_metrics({"acc": 0.5}, step=7)
    raise SystemExit
signal.signal(signal.SIGTERM, more)
print("loss: nan", flush=True)
while True:
    signal.pause()
"""


def test_what_a_program_that_diverges_says_at_its_end_is_recorded(project):
    project.configure(stop_on_nan=True)
    program(project, "p.py", SAYS_MORE)
    command(project, "m", command=[PYTHON, "p.py"], metrics={"loss": "loss: (.*)"})
    project.list("m.yaml")

    project.run("-r")

    assert project.outcomes() == {"m/main#1": "diverged loss is nan at step 1"}
    folder = project.folder_of("m", "main")
    assert '"acc":0.5' in (folder / "metrics.jsonl").read_text().replace(" ", "")
    assert not (folder / saying.FILE).exists()


def test_secrets_are_in_no_record(project):
    command(
        project,
        "m",
        command=["true", "--token", "hidden1"],
        env={"API_KEY": "hidden2"},
        versions=[{"arguments": ["db.pw=hidden3"]}, {"password": "hidden4"}],
    )
    project.list("m.yaml")

    project.run("-r")

    kept = [
        path
        for path in project.outputs.rglob("*")
        if path.is_file() and "sources" not in path.parts and b"hidden" in path.read_bytes()
    ]
    assert kept == []
    assert project.text("history").count('"succeeded"') == 2


def test_a_file_that_can_not_be_used_is_told_and_the_queue_goes_on(project):
    command(project, "good", command=["true"])
    (project.models / "bad.yaml").write_text("command: a | b\n")
    project.list("bad.yaml", "good.yaml")

    done = project.run("-r")

    assert project.outcomes() == {"good/main#1": "succeeded"}
    assert "bad.yaml: line 1: command has |, and no shell runs" in done.stderr


def test_a_program_that_is_not_there_is_told_before_and_looked_for_again(project):
    command(project, "m", command=["./tool.sh"])
    project.list("m.yaml")

    before = project.run("status", "--all").stdout
    (project.folder / "tool.sh").write_text("#!/bin/sh\nexit 0\n")
    (project.folder / "tool.sh").chmod(0o755)
    project.run("-r")

    assert "there is no program" in before
    assert project.outcomes() == {"m/main#1": "succeeded"}


def test_a_parameter_that_no_program_can_be_given_is_told(project):
    command(project, "m", command=["true", "{p}"], versions=[{"name": "a", "p": "x\0y"}])
    project.list("m.yaml")

    project.run("-r")

    (said,) = project.outcomes().values()
    assert said.startswith("failed ")
    assert said.endswith("can't be run with these arguments and variables: embedded null byte")


def test_two_listed_files_may_not_have_one_name(project):
    project.model("m.py", "v")
    command(project, "m", command=["true"])
    project.list("m.py", "m.yaml")

    done = project.run("-r")

    assert done.returncode == 2
    assert (
        "models.config:5: m.yaml would share its name, and so its records, with m.py in line 4"
        in (done.stderr)
    )


def test_with_a_blacklist_a_yaml_file_is_a_model_where_it_has_a_command(project):
    command(project, "m", command=["true"])
    command(project, "black", command=["true"])
    (project.models / "config.yaml").write_text("lr: 0.1\ndeep:\n  command: x\n")
    project.list("black.yaml", blacklist=True)

    project.run("-r")

    assert project.outcomes() == {"m/main#1": "succeeded"}


def test_modules_that_a_file_names_are_there_when_its_program_begins(project):
    program(project, "m.py", "import sys; print('colorsys' in sys.modules)")
    command(project, "m", command=[PYTHON, "m.py"], preload=["colorsys", "no_such_module"])
    project.list("m.yaml")

    project.run("-r")

    assert console(project, "m", "main") == "True\n"


def test_logging_metrics_outside_the_queue_does_nothing(tmp_path):
    import subprocess

    done = subprocess.run(
        [PYTHON, "-c", "import mlpipeline; mlpipeline.log_metrics({'loss': 1})"],
        cwd=tmp_path,
        capture_output=True,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert list(tmp_path.iterdir()) == []
