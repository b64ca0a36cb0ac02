"""A real tracking server, asked over its REST API; and a gate before it that can be shut."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress

START = 120  # seconds that it may take on a busy machine


class Server:
    """``mlflow server`` with a database and artifacts of its own."""

    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._process = None

    def start(self):
        command = [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"),
            *("--port", str(self.port), "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{self._folder}/mlflow.db"),
            *("--artifacts-destination", str(self._folder / "artifacts")),
        ]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START
        while not self._is_up():
            assert time.monotonic() < deadline, (self._folder / "server.log").read_text()
            assert self._process.poll() is None, (self._folder / "server.log").read_text()
            time.sleep(0.05)

    def stop(self):
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _is_up(self):
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def ask(self, what, **query):
        text = urllib.parse.urlencode(query)
        with urllib.request.urlopen(f"{self.uri}/api/2.0/mlflow/{what}?{text}") as answer:
            return json.load(answer)

    def post(self, path, **content):
        request = urllib.request.Request(
            f"{self.uri}/api/2.0/mlflow/{path}",
            json.dumps(content).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def runs(self, experiment):
        """The runs of an experiment, oldest first."""
        try:
            found = self.ask("experiments/get-by-name", experiment_name=experiment)
        except urllib.error.HTTPError as error:
            assert error.code == 404, error.read()
            return []
        found = self.post(
            "runs/search",
            experiment_ids=[found["experiment"]["experiment_id"]],
            order_by=["start_time ASC"],
        )
        return [Run(self, run) for run in found.get("runs", [])]


class Run:
    """What the server has of a run."""

    def __init__(self, server, told):
        self._server = server
        info, data = told["info"], told["data"]
        self.id, self.name, self.status = info["run_id"], info["run_name"], info["status"]
        self.params = {each["key"]: each["value"] for each in data.get("params", [])}
        self.tags = {each["key"]: each["value"] for each in data.get("tags", [])}
        self.metrics = {each["key"]: each["value"] for each in data.get("metrics", [])}

    def curve(self, metric):
        """Step and value of each point, as `mlflow ui` draws them."""
        found = self._server.ask("metrics/get-history", run_id=self.id, metric_key=metric)
        points = [(int(each.get("step", 0)), each["value"]) for each in found.get("metrics", [])]
        return sorted(points, key=lambda point: point[0])

    def files(self, path=""):
        found = self._server.ask("artifacts/list", run_id=self.id, path=path)
        return [each["path"] for each in found.get("files", [])]


class Gate:
    """Listens before a server: lets all through, refuses, or takes what is said and is silent."""

    def __init__(self, port):
        self._behind = port
        self.mode = "open"
        self.visitors = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._held = []
        self._is_closed = False
        self.uri = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._is_closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for each in [self._listener, *self._held]:
            each.close()

    def _serve(self):
        while not self._is_closed:
            try:
                visitor, _ = self._listener.accept()
            except OSError:
                return
            self.visitors += 1
            self._held.append(visitor)
            threading.Thread(target=self._attend, args=(visitor,), daemon=True).start()

    def _attend(self, visitor):
        """Looks at the mode again for each thing that is said: connections are kept open."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._behind)) as server:
            while True:
                ready, _, _ = select.select([visitor, server], [], [], 0.05)
                if self.mode == "refuses":
                    visitor.close()
                    return
                for each in ready:
                    said = each.recv(1 << 16)
                    if not said:
                        visitor.close()
                        return
                    if self.mode == "open":
                        (server if each is visitor else visitor).sendall(said)
        visitor.close()
