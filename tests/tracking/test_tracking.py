"""Runs as the server of MLflow shows them, over its REST API."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pipelines
import pytest
import yaml
from projects import children, wait_until

OWN = """
import os
print("MLFLOW", os.environ.get("MLFLOW_RUN_ID"), os.environ.get("MLFLOW_EXPERIMENT_ID"))
"""


@pytest.fixture
def name(request):
    """Of a model, and so of an experiment, that no other test has."""
    return f"m{abs(hash(request.node.nodeid)) % 10**8}_{os.getpid()}"


def sent(project, model, version, attempt=1):
    """mlflow.json of a run; empty where there is none."""
    try:
        return json.loads((project.folder_of(model, version, attempt) / "mlflow.json").read_text())
    except OSError:
        return {}


def test_runs_are_there_with_their_curves_parameters_and_files(server, tracked, name):
    project = tracked(server.uri)
    body = """
        for step in range(1500):
            self.log_metrics({"loss": 1 / (step + 1), "odd(name": float("nan")}, step=step)
        Path("plot.txt").write_text("a plot")
        self.log_artifact("plot.txt", "plots")
        self.add_to_summary("It is nice.")
        if self.current_version.name == "bad":
            raise ValueError("no good")
    """
    project.model(f"{name}.py", "good", "bad", body=body)
    project.list(f"{name}.py")
    done = project.run("-r", "-u")
    assert done.returncode == 1
    assert "MLflow" not in done.stdout + done.stderr
    good, bad = sorted(server.runs(name), key=lambda run: run.name, reverse=True)
    assert (good.name, good.status) == ("good", "FINISHED")
    assert (bad.name, bad.status) == ("bad", "FAILED")
    assert good.curve("loss") == [(step, 1 / (step + 1)) for step in range(1500)]
    (odd,) = set(good.metrics) - {"loss", "train.size", "test.size"}
    assert odd.startswith("odd_name")
    assert len(good.curve(odd)) == 1500
    assert good.curve("test.size") == [(6, 4)]
    assert good.params["batch_size"] == "4"
    assert good.files("plots") == ["plots/plot.txt"]
    assert good.tags["mlflow.note.content"] == "It is nice."
    assert good.tags["mlpipeline.run"] == f"{name}/good#1"
    assert bad.tags["mlpipeline.reason"] == "ValueError: no good"
    assert (project.folder_of(name, "good") / "artifacts/plots/plot.txt").read_text() == "a plot"
    assert sent(project, name, "good")["done"]
    assert project.run("track").stdout == "nothing is missing in MLflow\n"


def test_a_folder_of_the_project_can_be_the_store(tracked, name):
    project = tracked("mlruns")
    body = """
        import mlflow
        with mlflow.start_run():
            mlflow.log_metric("own", 3.0, step=1)
        self.log_metrics({"loss": 1.0}, step=1)
    """
    project.model(f"{name}.py", "v", body=body)
    project.list(f"{name}.py")
    done = project.run("-r", "-u")
    assert done.returncode == 0, done.stdout + done.stderr
    noted = sent(project, name, "v")
    assert noted["done"]
    metrics = project.folder / "mlruns" / noted["experiment"] / noted["run"] / "metrics"
    assert {"loss", "own"} <= {path.name for path in metrics.iterdir()}


@pytest.mark.parametrize("preload", ["", "mlflow"])
def test_what_a_script_sends_itself_lands_in_the_same_run(server, tracked, name, preload):
    project = tracked(server.uri)
    config = project.folder / "mlp.config"
    config.write_text(config.read_text().replace("[MLP]", f"[MLP]\npreload = {preload}"))
    body = """
        import mlflow
        with mlflow.start_run():
            mlflow.log_metric("own", 3.0, step=1)
            mlflow.log_param("mine", "yes")
        self.log_metrics({"loss": 1.0}, step=1)
    """
    project.model(f"{name}.py", "v", body=body)
    project.list(f"{name}.py")
    done = project.run("-r", "-u")
    assert done.returncode == 0
    assert "cold" not in done.stdout + done.stderr
    (run,) = server.runs(name)
    assert (run.status, run.params["mine"]) == ("FINISHED", "yes")
    assert run.curve("own") == [(1, 3.0)]
    assert run.curve("loss") == [(1, 1.0)]


@pytest.mark.parametrize("start", ["warm", "cold"])
def test_scripts_and_programs_are_told_of_their_run(server, tracked, name, start):
    project = tracked(server.uri)
    config = project.folder / "mlp.config"
    text = "\n".join(x for x in config.read_text().splitlines() if not x.startswith("start"))
    config.write_text(text.replace("[MLP]", f"[MLP]\nstart = {start}") + "\n")
    project.model(f"{name}.py", "v", body=OWN)
    (project.folder / "program.py").write_text(OWN)
    (project.models / f"{name}c.yaml").write_text("command: python program.py\n")
    project.list(f"{name}.py", f"{name}c.yaml")
    assert project.run("-r", "-u").returncode == 0
    versions = [run.name for run in server.runs(f"{name}c")]
    for model, version in [(name, "v"), *((f"{name}c", each) for each in versions)]:
        (run,) = server.runs(model)
        console = (project.folder_of(model, version) / "console.log").read_text()
        assert f"MLFLOW {run.id} {sent(project, model, version)['experiment']}" in console
    assert versions


def test_in_test_mode_nothing_reaches_the_server(gate, tracked, name):
    project = tracked(gate.uri)
    body = """
        import mlflow
        with mlflow.start_run():
            mlflow.log_metric("own", 3.0)
        Path("x").write_text("")
        self.log_artifact("x")
        print("URI", os.environ["MLFLOW_TRACKING_URI"])
    """
    project.model(f"{name}.py", "v", body=body)
    project.list(f"{name}.py", test=True)
    done = project.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "URI file:///" in done.stdout
    assert gate.visitors == 0
    assert not list(project.folder.rglob("mlruns"))


@pytest.mark.parametrize(
    ("mode", "why"), [("refuses", "can't be reached"), ("hangs", "does not answer within 1 s")]
)
def test_a_server_that_is_no_use_holds_up_nothing_and_gets_all_later(
    server, gate, tracked, name, mode, why
):
    project = tracked(gate.uri.replace("//", "//me:secret@"), wait=0.5, timeout=1)
    gate.mode = mode
    body = 'self.log_metrics({"loss": 1.0}, step=1); print("ID", os.environ.get("MLFLOW_RUN_ID"))'
    project.model(f"{name}.py", "a", "b", "c", body=body)
    project.list(f"{name}.py")
    done = project.run("-r", "-u")
    assert done.returncode == 0
    log = [line for line in project.text("log").splitlines() if "MLflow" in line]
    later = "runs go on, and what is missing there is sent later"
    assert f"WARNING - MLflow: {gate.uri} {why}; {later}" in log[0]
    written = [path for path in project.outputs.rglob("*") if path.is_file()]
    secret = [path.name for path in written if b"secret" in path.read_bytes()]
    assert set(secret) <= {"spec.json"}  # which says what mlp.config says
    assert "3 runs not wholly sent yet" in log[-1]
    assert len(log) == 2
    assert "✗ 3 runs not wholly sent to MLflow" in project.run("doctor").stdout
    done = project.run("track")
    assert done.returncode == 1
    assert f"✗ {name}/a#1 missing" in done.stdout
    assert done.stderr.count("\n") == 1
    gate.mode = "open"
    done = project.run("track", "--json")
    assert done.returncode == 0
    assert {each["state"] for each in json.loads(done.stdout)["runs"]} == {"sent"}
    runs = server.runs(name)
    assert sorted(run.name for run in runs) == ["a", "b", "c"]
    assert all(run.curve("loss") == [(1, 1.0)] for run in runs)
    assert {run.status for run in runs} == {"FINISHED"}


def test_a_server_that_goes_and_comes_back_amid_a_run_gets_each_point_once(
    server, gate, tracked, name
):
    project = tracked(gate.uri, timeout=1)
    body = """
        for step in range(500):
            self.log_metrics({"loss": step}, step=step)
        wait_for_file("on")
        for step in range(500, 3000):
            self.log_metrics({"loss": step}, step=step)
        wait_for_file("off")
    """
    project.model(f"{name}.py", "v", body=body)
    project.list(f"{name}.py")
    session = project.start("-r", "-u")
    wait_until(lambda: sent(project, name, "v").get("offset"), "the first metrics are sent")
    gate.mode = "refuses"
    (project.folder / "on").touch()
    wait_until(lambda: "sent later" in project.text("log"), "the server is missed")
    gate.mode = "open"
    size = lambda: (project.folder_of(name, "v") / "metrics.jsonl").stat().st_size  # noqa: E731
    wait_until(lambda: sent(project, name, "v")["offset"] == size() > 45_000, "the rest is sent")
    (project.folder / "off").touch()
    session.communicate()
    assert session.returncode == 0
    (run,) = server.runs(name)
    assert run.status == "FINISHED"
    assert run.curve("loss") == [(step, step) for step in range(3000)]


def helper_of(session):
    """The pid of the process that sends."""

    def found():
        for pid in children(session.pid):
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"mlflow_helper" in words:
                return pid
        return None

    wait_until(found, "there is a helper")
    return found()


def test_a_killed_helper_is_replaced_and_nothing_is_lost_or_twice(server, tracked, name):
    project = tracked(server.uri)
    body = """
        for step in range(2000):
            self.log_metrics({"loss": step}, step=step)
        wait_for_file("on")
    """
    project.model(f"{name}.py", "v", body=body)
    project.list(f"{name}.py")
    session = project.start("-r", "-u")
    wait_until(lambda: sent(project, name, "v").get("run"), "the MLflow run is there")
    os.kill(helper_of(session), signal.SIGKILL)
    wait_until(lambda: "ended with SIGKILL" in project.text("log"), "that is noticed")
    (project.folder / "on").touch()
    session.communicate()
    assert session.returncode == 0
    project.run("track")
    (run,) = server.runs(name)
    assert run.status == "FINISHED"
    assert run.curve("loss") == [(step, step) for step in range(2000)]


def test_a_killed_session_is_taken_up_by_the_next_and_the_attempts_share_an_mlflow_run(
    server, tracked, name
):
    project = tracked(server.uri)
    body = """
        first = not Path("again").exists()
        Path("again").touch()
        self.log_metrics({"loss": 1.0}, step=1 if first else 2)
        if first:
            wait_for_file("never")
    """
    project.model(f"{name}.py", "v", body=body)
    project.list(f"{name}.py")
    session = project.start("-r", "-u")
    wait_until(lambda: sent(project, name, "v").get("run"), "the MLflow run is there")
    wait_until((project.folder / "again").exists)
    processes = json.loads((project.folder_of(name, "v") / "proc.json").read_text())
    session.kill()
    session.communicate()
    for each in ("supervisor", "worker"):
        subprocess.run(["kill", "-9", str(processes[each]["pid"])], check=False)
    assert project.run("-r", "-u").returncode == 0
    (run,) = server.runs(name)
    assert sent(project, name, "v")["run"] == sent(project, name, "v", 2)["run"] == run.id
    assert (run.status, run.tags["mlpipeline.attempt"]) == ("FINISHED", "2")
    assert run.curve("loss") == [(1, 1.0), (2, 1.0)]


def test_steps_of_a_pipeline_are_its_children(server, gate, tracked, name):
    project = tracked(gate.uri, wait=0, timeout=1)
    gate.mode = "refuses"
    project.model(f"{name}.py", "one", "two")
    project.list(f"{name}.py")
    project.run("-r", "-u")
    for version in ("one", "two"):
        path = project.folder_of(name, version) / "run.yaml"
        record = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump({**record, "step": version, "pipeline": "1234abcd"}))
    gate.mode = "open"
    assert project.run("track").returncode == 0
    runs = {run.name: run for run in server.runs(name)}
    parent = runs.pop(f"{name} 1234abcd")
    assert sorted(runs) == ["one", "two"]
    assert {run.tags["mlflow.parentRunId"] for run in runs.values()} == {parent.id}
    assert parent.status == "FINISHED"


def test_runs_from_before_there_was_a_server_are_sent_when_asked_for(
    server, tracked, project, name
):
    project.model(f"{name}.py", "v")
    project.list(f"{name}.py")
    assert project.run("-r", "-u").returncode == 0
    tracked(server.uri, experiment=f"{name}/all")
    assert project.run("track").stdout == "nothing is missing in MLflow\n"
    done = project.run("track", "--all")
    (run,) = server.runs(f"{name}/all")
    assert done.stdout == f"✓ {name}/v#1 sent: MLflow run {run.id}\n"
    assert (run.name, run.status) == (f"{name}/v", "FINISHED")


def test_without_mlflow_runs_go_on_and_the_extra_is_named(tracked, name, tmp_path):
    project = tracked("http://127.0.0.1:9")
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['mlflow'] = None\n")
    project.model(f"{name}.py", "v")
    project.list(f"{name}.py")
    without = {"PYTHONPATH": str(tmp_path)}
    done = project.run("-r", "-u", **without)
    assert done.returncode == 0
    assert "pip install 'mlpipeline[mlflow]'" in project.text("log")
    assert "pip install 'mlpipeline[mlflow]'" in project.run("doctor", **without).stdout
    done = project.run("track", **without)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "mlpipeline: mlflow is not installed: pip install 'mlpipeline[mlflow]'\n"


def test_track_without_a_server_says_what_to_write(project):
    done = project.run("track")
    assert (done.returncode, done.stdout) == (2, "")
    assert "add a section [MLFLOW] with a tracking_uri = …" in done.stderr


def test_attempts_that_the_server_missed_become_one_run_later(server, gate, tracked, name):
    project = tracked(gate.uri, wait=0, timeout=1)
    gate.mode = "refuses"
    body = """
        first = not Path("again").exists()
        Path("again").touch()
        self.log_metrics({"loss": 1.0}, step=1 if first else 2)
        if first:
            wait_for_file("never")
    """
    project.model(f"{name}.py", "v", body=body)
    project.list(f"{name}.py")
    session = project.start("-r", "-u")
    wait_until((project.folder / "again").exists)
    session.send_signal(signal.SIGINT)
    session.communicate()
    assert project.run("-r", "-u").returncode == 0
    assert server.runs(name) == []
    gate.mode = "open"
    done = project.run("track")
    assert [line.split()[1] for line in done.stdout.splitlines()] == [f"{name}/v#1", f"{name}/v#2"]
    (run,) = server.runs(name)
    assert (run.status, run.tags["mlpipeline.attempt"]) == ("FINISHED", "2")
    assert run.curve("loss") == [(1, 1.0), (2, 1.0)]


def test_the_steps_of_a_pipeline_are_children_of_one_run(server, tracked, name):
    project = pipelines.two_steps(tracked(server.uri))
    pipelines.flow(project, name)
    project.list(f"{name}.yaml")

    done = project.run("-r", "-u")

    assert done.returncode == 0, done.stderr
    runs = {run.name: run for run in server.runs(name)}
    steps = {"prepare", "train,lr=0.5", "train,lr=0.25"}
    (parent,) = (run for run in runs.values() if run.name not in steps)
    children = {name: run for name, run in runs.items() if run is not parent}
    assert set(children) == steps
    assert {run.tags["mlflow.parentRunId"] for run in children.values()} == {parent.id}
    assert {run.status for run in runs.values()} == {"FINISHED"}
    assert children["train,lr=0.5"].params["lr"] == "0.5"
    assert children["train,lr=0.5"].metrics == {"accuracy": 0.5}


def test_where_connections_are_refused_not_even_the_first_run_waits(tracked, name):
    with socket.socket() as taken:  # bound, and never listened at
        taken.bind(("127.0.0.1", 0))
        project = tracked(f"http://127.0.0.1:{taken.getsockname()[1]}", wait=1e6)
        project.model(f"{name}.py", "v")
        project.list(f"{name}.py")

        done = project.run("-r", "-u")

    assert done.returncode == 0, done.stderr
    assert "can't be reached; runs go on" in project.text("log")


def test_a_step_that_is_made_already_waits_for_no_mlflow_run(gate, tracked):
    project = pipelines.two_steps(tracked(gate.uri, wait=0, timeout=1e6), grid={"lr": [0.5]})
    gate.mode = "hangs"
    assert project.run("-r", "-u").returncode == 0
    config = project.folder / "mlp.config"
    config.write_text(config.read_text().replace("wait = 0", "wait = 1e6"))
    pipelines.flow(project, "again", grid={"lr": [0.5]})
    project.list("again.yaml")

    assert project.run("-r", "-u").returncode == 0

    assert project.outcomes()["again/prepare#1"] == "succeeded cached: made by flow/prepare#1"
