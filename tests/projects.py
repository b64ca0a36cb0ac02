"""A real project in a folder, driven by the installed command: what the end-to-end tests share."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

COMMAND = [sys.executable, "-m", "mlpipeline"]
START = os.environ.get("MLPIPELINE_TEST_START")  # "cold": how CI runs the faults once more
PATIENCE = 20  # seconds to wait for what takes milliseconds

BASE = """
import os, sys, time
from pathlib import Path
from mlpipeline import DataLoader, Model, Versions

class Data(DataLoader):
    def get_train_input(self, mode=None, **kwargs): return list(range(10))
    def get_test_input(self, **kwargs): return list(range(4))
    def get_train_sample_count(self): return 10
    def get_test_sample_count(self): return 4

def versions(*names, **defaults):
    made = Versions(dataloader=Data, batch_size=4, epoch_count=2, **defaults)
    for name in names:
        made.add(name, model_dir_suffix=name)
    return made

def wait_for_file(name):
    deadline = time.monotonic() + 20
    while not Path(name).exists():
        assert time.monotonic() < deadline, f"{name} does not come"
        time.sleep(0.005)
"""

MODEL = """
from _base import *

class Trained(Model):
    def train_model(self, input_fn, steps):
{body}

    def evaluate_model(self, input_fn, steps):
        return {{"size": len(input_fn)}}

MODEL = Trained(versions({names}))
"""


def children(pid: int) -> list[int]:
    """The processes that process ``pid`` has started, and that are there."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in found.split()]


def wait_until(condition: Callable[[], object], what: str = "") -> None:
    """Return when ``condition()`` is true; fail when it does not become so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what or condition}"
        time.sleep(0.005)


def called(command: Sequence[str], folder: Path, **environment: str) -> subprocess.CompletedProcess:
    """A command that was run to its end in ``folder``."""
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def started(command: Sequence[str], folder: Path, **environment: str) -> subprocess.Popen:
    """A command that goes on in ``folder``."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Project:
    """A project with a models folder; scripts may import what they like from ``_base``."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.models = folder / "models"
        self.outputs = self.models / "outputs"
        self.models.mkdir(parents=True)
        (self.models / "_base.py").write_text(BASE)
        self.configure()
        self.list()
        self.list(test=True)

    def configure(self, **settings: object) -> None:
        if START:
            settings = {"start": START, **settings}
        lines = [f"{key} = {value}" for key, value in {"models_dir": "models", **settings}.items()]
        (self.folder / "mlp.config").write_text("[MLP]\n" + "\n".join(lines) + "\n")

    def list(self, *lines: str, test: bool = False, blacklist: bool = False) -> None:
        section = "BLACKLISTED_MODELS" if blacklist else "WHITELISTED_MODELS"
        text = f"[MLP]\nuse_blacklist = {blacklist}\n[{section}]\n" + "\n".join(lines) + "\n"
        name = "models_test.config" if test else "models.config"
        temporary = self.folder / f".{name}"
        temporary.write_text(text)
        settled = time.time() - 10  # as a file that is moved here; no test waits for it to settle
        os.utime(temporary, (settled, settled))
        temporary.replace(self.folder / name)

    def script(self, name: str, text: str) -> None:
        path = self.models / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def model(self, name: str, *versions: str, body: str = "pass") -> None:
        """A model script whose training is ``body``."""
        body = textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
        self.script(name, MODEL.format(body=body, names=", ".join(map(repr, versions))))

    def command(self, *arguments: str) -> list[str]:
        return [*COMMAND, *arguments]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        return called(self.command(*arguments), self.folder, **environment)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen:
        return started(self.command(*arguments), self.folder, **environment)

    def history(self) -> list[dict]:
        (path,) = (each for each in self.outputs.glob("history-*") if ".damaged-" not in each.name)
        return [json.loads(line) for line in path.read_text().splitlines()]

    def started(self) -> list[str]:
        """The runs that started, in order."""
        return [_name(event["run"]) for event in self.history() if event["event"] == "starting"]

    def outcomes(self) -> dict[str, str]:
        """Each ended run with its outcome and reason."""
        return {
            _name(event["run"]): f"{event['outcome']} {event['reason']}".strip()
            for event in self.history()
            if event["event"] == "finished"
        }

    def folder_of(self, model: str, version: str, attempt: int = 1) -> Path:
        return self.outputs / "runs" / model / version / str(attempt)

    def record(self, model: str, version: str, attempt: int = 1) -> dict:
        return yaml.safe_load((self.folder_of(model, version, attempt) / "run.yaml").read_text())

    def text(self, kind: str) -> str:
        """The content of the log-, output- or history-<hostname>."""
        (path,) = self.outputs.glob(f"{kind}-*")
        return path.read_text()


def _name(run: dict) -> str:
    return f"{run['model']}/{run['version']}#{run['attempt']}"


def is_there(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def skip_without(right: str, command: list[str]) -> None:
    """Skip the test where ``command`` fails; CI says beforehand where it may."""
    there = shutil.which(command[0]) is not None
    if there and subprocess.run(command, capture_output=True).returncode == 0:
        return
    required = "MLPIPELINE_REQUIRE_ALL" in os.environ
    assert not required or "MLPIPELINE_UNPRIVILEGED" in os.environ, f"no right to {right}"
    pytest.skip(f"no right to {right}")


def offered(project, words, cwd=None):
    """What is offered after ``mlpipeline WORDS``, as any shell asks."""
    done = subprocess.run(
        COMMAND,
        cwd=cwd or project.folder,
        env={
            **os.environ,
            "_MLPIPELINE_COMPLETE": "bash_complete",
            "COMP_WORDS": f"mlpipeline {words}",
            "COMP_CWORD": str(len(f"mlpipeline {words}.".split()) - 1),
        },
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.split("\n") if line]


def lose_scheduler(project: Project, *, until: str) -> None:
    """Begin a run m/v that waits for the file ``until``, and kill the scheduler that started it."""
    project.model("m.py", "v", body=f"Path('began').touch(); wait_for_file('{until}')")
    project.list("m.py")
    session = project.start("-r", "-u")
    wait_until((project.folder / "began").exists)
    session.kill()
    session.communicate()
