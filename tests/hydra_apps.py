"""Hydra apps in a folder, launched as people launch them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

from projects import Project, called, started

LAUNCHER = "hydra/launcher=mlpipeline"

APP = """
import logging, os, time
from pathlib import Path
import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

log = logging.getLogger(__name__)

def wait_for_file(name):
    deadline = time.monotonic() + 60
    while not Path(name).exists():
        assert time.monotonic() < deadline, f"{{name}} does not come"
        time.sleep(0.005)

@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(cfg):
{body}

if __name__ == "__main__":
    main()
"""

CONFIG = """
defaults:
- db: mysql
- _self_
lr: 0.1
steps: 3
"""

# Of a sweeper that asks for results.
SWEEPER = """
from hydra.plugins.sweeper import Sweeper
from hydra.core.config_store import ConfigStore
from dataclasses import dataclass

@dataclass
class Conf:
    _target_: str = "hydra_plugins.seeking.Seeking"

ConfigStore.instance().store(group="hydra/sweeper", name="seeking", node=Conf)

class Seeking(Sweeper):
    def setup(self, *, hydra_context, task_function, config):
        from hydra.core.plugins import Plugins
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments):
        lr, first = 1.0, 0
        for _ in range(3):
            batch = [[*arguments, f"lr={lr}"], [*arguments, f"lr={lr / 2}"]]
            returned = self.launcher.launch(batch, initial_job_idx=first)
            for each in returned:
                number = each.hydra_cfg.hydra.job.num
                print("JOB", number, each.status.name, each.cfg.lr, each.return_value)
            first, lr = first + 2, lr / 2
"""


class App:
    """An app in a project's folder."""

    def __init__(self, folder: Path, body: str = "return cfg.lr * 2", *, name: str = "app"):
        self.folder = folder
        self.name = name
        self.write(body)
        self.config("config", CONFIG)
        self.config("db/mysql", "name: mysql\nport: 1")
        self.config("db/pg", "name: pg\nport: 2")

    def write(self, body: str) -> None:
        text = APP.format(body=textwrap.indent(textwrap.dedent(body).strip(), "    "))
        (self.folder / f"{self.name}.py").write_text(text)

    def config(self, name: str, text: str) -> None:
        path = self.folder / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def command(self, *arguments: str, launcher: str = LAUNCHER) -> list[str]:
        return [sys.executable, f"{self.name}.py", "-m", *arguments, *([launcher] * bool(launcher))]

    def launch(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        """A whole sweep through the launcher."""
        return self.call(self.command(*arguments), **environment)

    def basic(self, *arguments: str) -> subprocess.CompletedProcess:
        """The same with Hydra's own launcher."""
        return self.call(self.command(*arguments, launcher=""))

    def call(self, command: list[str], **environment: str) -> subprocess.CompletedProcess:
        return called(command, self.folder, **environment)

    def start(self, *arguments: str) -> subprocess.Popen:
        return started(self.command(*arguments), self.folder)

    @property
    def models(self) -> list[str]:
        """The sweeps that were put into the queue, by name."""
        return sorted(path.stem for path in (self.folder / "models").glob("*.yaml"))

    @property
    def project(self) -> Project:
        """The project that the launcher has made here."""
        project = Project.__new__(Project)
        project.folder = self.folder
        project.models = self.folder / "models"
        project.outputs = project.models / "outputs"
        return project

    def for_models(self) -> list[str]:
        """The models that the newest session is for."""
        (path,) = self.project.outputs.glob("session-*.json")
        return json.loads(path.read_text())["only"]

    def started(self) -> list[str]:
        """The versions whose runs started, in order, each as often as it did."""
        return [re.sub(r"^[^/]*/|#\d+$", "", name) for name in self.project.started()]


def said(done: subprocess.CompletedProcess) -> list[str]:
    """What the launcher said and jobs printed, without times and loggers."""
    return [
        re.sub(r"^\[[^]]*\]\[[\w.]+\](\[\w+\])? (- )?", "", line)
        for line in done.stdout.splitlines()
    ]
