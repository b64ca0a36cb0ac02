"""A folder of model scripts that are opened, for tests of what is known of them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from projects import BASE, wait_until

from mlpipeline.execution.known_scripts import KnownScripts
from mlpipeline.state.lists import Entry, ModelList

SCRIPT = """
import os
from _base import *
with open(os.path.join(os.path.dirname(__file__), "imports.txt"), "a") as file:
    file.write(os.path.basename(__file__) + " ")
{lines}
MODEL = Model(versions({names}))
"""


class Scripts:
    """A folder of model scripts, each of which notes that it was imported."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.memory = folder / "outputs" / "inspected"
        self.memory.parent.mkdir(parents=True)
        self.write("_base.py", BASE)
        self.opened: list[KnownScripts] = []
        self.news = threading.Event()

    def write(self, name: str, text: str, *, age: float = 3600.0) -> None:
        """A file that was saved ``age`` seconds ago."""
        path = self.folder / name
        path.write_text(text)
        at = path.stat().st_mtime - age
        os.utime(path, (at, at))

    def script(self, name: str, names: str, lines: str = "", **age: float) -> None:
        self.write(name, SCRIPT.format(names=names, lines=lines), **age)

    def imported(self, name: str) -> int:
        """How often the script has been imported."""
        notes = self.folder / "imports.txt"
        return notes.read_text().split().count(name) if notes.exists() else 0

    def inspector(self, *, session: bool, timeout: float = 60, **more) -> KnownScripts:
        made = KnownScripts(
            self.folder, self.folder, timeout, memory=self.memory, session=session, **more
        )
        made.wake = self.news.set
        self.opened.append(made)
        return made

    def list(self, *paths: str, **more) -> ModelList:
        entries = tuple(Entry(path=path) for path in paths)
        return ModelList(path=self.folder / "models.config", entries=entries, **more)

    def read(self, inspector: KnownScripts, *paths: str) -> dict[str, list[str]]:
        """What is listed, at once."""
        return versions(inspector.listed(self.list(*paths)))

    def settled(self, inspector: KnownScripts, *paths: str) -> dict[str, list[str]]:
        """What is listed when all scripts have been looked at."""
        wait_until(lambda: inspector.listed(self.list(*paths)).is_final)
        return self.read(inspector, *paths)


def versions(reading) -> dict[str, list[str]]:
    return {
        model.name: [version.name for version in model.versions] or [model.problem]
        for model in reading.models
    }
