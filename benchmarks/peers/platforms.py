"""Platforms that take seconds a run, and are measured on few runs: DVC, MLflow, submitit, Ray."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.peers.base import Job, Peer, Work, call
from benchmarks.rounds import Failed

PIPELINE = """
stages:
  work:
    cmd: {command} number=${{number}}
    params: [number]
    always_changed: true
"""
MLPROJECT = """
name: work
entry_points:
  main:
    parameters: {{number: {{type: string, default: "0"}}}}
    command: "{command} number={{number}}"
"""
SUBMITIT = """
import sys
import submitit

script, folder, runs = sys.argv[1:]

def work(number):
    sys.argv = [script, f"number={number}"]
    exec(compile(open(script).read(), script, "exec"), {"__name__": "__main__"})

executor = submitit.AutoExecutor(folder, cluster="local")
executor.update_parameters(timeout_min=5)
for number in range(int(runs)):
    executor.submit(work, number).result()
"""
RAY = """
import sys, time
from ray.job_submission import JobSubmissionClient

address, command, runs = sys.argv[1:]
client = JobSubmissionClient(address)
for number in range(int(runs)):
    job = client.submit_job(entrypoint=f"{command} number={number}")
    while not client.get_job_status(job).is_terminal():
        time.sleep(0.02)
"""


def _tool(job: Job, name: str) -> str:
    """A command that lies beside the peers' Python."""
    return str(Path(job.python).with_name(name))


def _command(job: Job) -> str:
    return shlex.join([job.python, str(job.script())])


@contextmanager
def _dvc(job: Job) -> Iterator[Work]:
    """``dvc exp run --queue`` for each, then the queue with one worker."""
    environment = job.environment(DVC_NO_ANALYTICS="1", PATH=_path_of(job))
    repository = job.folder / "repository"
    repository.mkdir()
    (repository / "dvc.yaml").write_text(PIPELINE.format(command=_command(job)))
    (repository / "params.yaml").write_text("number: -1\n")

    def here(*command: str) -> None:
        call(command, cwd=repository, env=environment)

    here("git", "init", "-q")
    here("git", "config", "user.name", "bench")
    here("git", "config", "user.email", "bench@localhost")
    here("dvc", "init", "-q")
    here("dvc", "config", "core.analytics", "false")
    here("git", "add", ".")
    here("git", "commit", "-qm", "the work")

    def work() -> None:
        for number in range(job.runs):
            here("dvc", "exp", "run", "-q", "--queue", "-S", f"number={number}")
        here("dvc", "exp", "run", "-q", "--run-all", "--jobs", "1")

    try:
        yield work
    finally:
        with suppress(subprocess.SubprocessError):
            here("dvc", "queue", "stop", "--kill")


@contextmanager
def _mlflow(job: Job) -> Iterator[Work]:
    """``mlflow run`` for each, in the environment that is there."""
    (job.folder / "MLproject").write_text(MLPROJECT.format(command=_command(job)))
    store = f"sqlite:///{job.folder}/mlflow.db"
    environment = job.environment(MLFLOW_TRACKING_URI=store, PATH=_path_of(job))
    project = [_tool(job, "mlflow"), "run", str(job.folder), "--env-manager", "local"]
    call([_tool(job, "mlflow"), "experiments", "search"], env=environment)  # makes the tables

    def work() -> None:
        for number in range(job.runs):
            call([*project, "-P", f"number={number}"], env=environment, cwd=job.folder)

    yield work


@contextmanager
def _submitit(job: Job) -> Iterator[Work]:
    """The local executor, one job after another."""
    driver = job.folder / "driver.py"
    driver.write_text(SUBMITIT)
    logs = str(job.folder / "logs")
    command = [job.python, str(driver), str(job.script()), logs, str(job.runs)]
    yield lambda: call(command, cwd=job.folder)


@contextmanager
def _ray(job: Job) -> Iterator[Work]:
    """Ray Jobs, one after another, on a head that is already up."""
    driver = job.folder / "driver.py"
    driver.write_text(RAY)
    environment = job.environment(RAY_USAGE_STATS_ENABLED="0", PATH=_path_of(job))
    port, dashboard = _free_port(), _free_port()
    head = subprocess.Popen(
        [
            *(_tool(job, "ray"), "start", "--head", "--block", "--disable-usage-stats"),
            *("--node-ip-address", "127.0.0.1", "--port", str(port), "--num-cpus", "1"),
            *("--dashboard-host", "127.0.0.1", "--dashboard-port", str(dashboard)),
            *("--temp-dir", str(job.folder / "ray")),
        ],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{dashboard}"
    command = [job.python, str(driver), address, _command(job)]
    try:
        _wait_for_port(dashboard, head)
        call([*command, "1"], env=environment)  # the first job also starts its agents
        (job.folder / "marks").unlink()
        yield lambda: call([*command, str(job.runs)], env=environment)
    finally:
        head.terminate()
        try:
            head.wait(30)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(head.pid, signal.SIGKILL)


def _path_of(job: Job) -> str:
    return f"{Path(job.python).parent}{os.pathsep}{os.environ['PATH']}"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise Failed("its server did not come up")


PLATFORMS = [
    Peer("submitit, local executor", _submitit, package="submitit", slow=True),
    Peer("mlflow run", _mlflow, package="mlflow", slow=True),
    Peer("dvc queue", _dvc, package="dvc", slow=True),
    Peer("Ray Jobs", _ray, package="ray", extras="[default]", slow=True),
]
