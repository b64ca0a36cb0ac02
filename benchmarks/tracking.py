"""What it costs a training loop to be tracked by MLflow, and when the numbers are there.

    python -m benchmarks.tracking [--metrics 10000] [--rounds 3]

The same loop logs a number at a time to the same `mlflow server` on this machine: as a run of the
queue, whose helper process sends it, and by `mlflow.log_metric` itself (a tenth of the numbers), in
its waiting form and with `synchronous=False`. In turns; the least of the rounds. The last columns:
seconds after the end of the loop until all has arrived, which the server is asked. Needs the extra
mlflow.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.figures import table

START = 120.0  # seconds that the server may take
LOOP = """
import json, sys, time
def loop(log, count):
    wall, cpu = time.perf_counter(), time.process_time()
    for step in range(count):
        log(step, 1 / (step + 1))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print("TOOK", json.dumps({"wall": wall, "cpu": cpu, "end": time.time()}), flush=True)
"""
OURS = """
sys_path = __import__("sys").path; sys_path.insert(0, {folder!r})
from loop import loop
from mlpipeline import DataLoader, Model, Versions

class Nothing(DataLoader):
    def get_train_input(self, mode=None, **kwargs): return None
    def get_test_input(self, **kwargs): return None
    def get_train_sample_count(self): return 1
    def get_test_sample_count(self): return 1

class Logs(Model):
    def train_model(self, input_fn, steps):
        loop(lambda step, value: self.log_metrics({{"loss": value}}, step=step), {count})

MODEL = Logs(Versions(dataloader=Nothing, batch_size=1, epoch_count=1))
MODEL.versions.add("v")
"""
THEIRS = """
import sys, time
from loop import loop
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
with mlflow.start_run() as run:
    waits = sys.argv[3] == "waits"
    log = lambda step, value: mlflow.log_metric("loss", value, step, synchronous=waits)
    loop(log, int(sys.argv[2]))
    mlflow.flush_async_logging() if not waits else None
    print("ARRIVED", time.time(), run.info.run_id, flush=True)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    count, tenth = options.metrics, max(1, options.metrics // 10)
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as uri:
        (Path(folder) / "loop.py").write_text(LOOP)
        (Path(folder) / "theirs.py").write_text(THEIRS)
        contestants = {
            "mlpipeline, with [MLFLOW]": lambda: _ours(Path(folder), uri, count),
            "mlflow.log_metric": lambda: _theirs(Path(folder), uri, tenth, "waits"),
            "the same, synchronous=False": lambda: _theirs(Path(folder), uri, tenth, "goes on"),
        }
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
        for _ in range(options.rounds):
            for name, contestant in contestants.items():
                rounds[name].append(contestant())
                print(name, rounds[name][-1], file=sys.stderr)
    print(f"{count} numbers, {tenth} for mlflow.log_metric; the least of {options.rounds} rounds")
    head = ["", "µs a call", "of it CPU", "there after (s)", "at worst"]
    rows = [
        [
            name,
            f"{1e6 * min(each['wall'] / each['count'] for each in found):.1f}",
            f"{1e6 * min(each['cpu'] / each['count'] for each in found):.1f}",
            f"{min(each['late'] for each in found):.2f}",
            f"{max(each['late'] for each in found):.2f}",
        ]
        for name, found in rounds.items()
    ]
    print(table(head, rows))


def _ours(folder: Path, uri: str, count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as made:
        project = Path(made)
        (project / "models").mkdir()
        (project / "mlp.config").write_text(
            f"[MLP]\nmodels_dir = models\n[MLFLOW]\ntracking_uri = {uri}\nexperiment = ours\n"
        )
        (project / "models.config").write_text("[WHITELISTED_MODELS]\nm.py\n")
        (project / "models" / "m.py").write_text(OURS.format(folder=str(folder), count=count))
        command = [sys.executable, "-m", "mlpipeline", "-r", "--watch"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(
            command, cwd=project, env=environment, stdout=subprocess.DEVNULL
        ) as session:
            try:
                run = project / "models/outputs/runs/m/v/1"
                sent: dict[str, Any] = {}
                while not sent.get("status"):
                    time.sleep(0.005)
                    sent = _read(run / "mlflow.json")
                arrived = time.time()
            finally:
                session.send_signal(signal.SIGINT)
        took = _took((run / "console.log").read_text())
        _check(uri, sent["run"], count)
        return {**took, "count": count, "late": arrived - took["end"]}


def _theirs(folder: Path, uri: str, count: int, how: str) -> dict[str, float]:
    command = [sys.executable, "theirs.py", uri, str(count), how]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    took = _took(done.stdout)
    line = next(line for line in done.stdout.splitlines() if line.startswith("ARRIVED "))
    _, arrived, run = line.split()
    _check(uri, run, count)
    return {**took, "count": count, "late": float(arrived) - took["end"]}


def _took(text: str) -> dict[str, float]:
    line = next(line for line in text.splitlines() if line.startswith("TOOK "))
    took: dict[str, float] = json.loads(line.removeprefix("TOOK "))
    return took


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found


def _check(uri: str, run: str, count: int) -> None:
    """All are there, once."""
    query = urllib.parse.urlencode({"run_id": run, "metric_key": "loss"})
    with urllib.request.urlopen(f"{uri}/api/2.0/mlflow/metrics/get-history?{query}") as answer:
        found = len(json.load(answer)["metrics"])
    if found != count:
        raise SystemExit(f"of {count} numbers, {found} are there")


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """The address of an `mlflow server` with a database of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    uri = f"http://127.0.0.1:{port}"
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port),
        *("--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + START
        while not _is_up(uri):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit((folder / "server.log").read_text())
            time.sleep(0.1)
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _is_up(uri: str) -> bool:
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=5):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    main()
