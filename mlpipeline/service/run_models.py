"""The model file that ``mlpipeline run`` makes or edits, and takes back where it can't run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mlpipeline.api import words
from mlpipeline.core.model_files import COMMAND, SUFFIXES
from mlpipeline.errors import ConfigError, short
from mlpipeline.service.project import Project
from mlpipeline.state.files import storage, write_whole
from mlpipeline.state.list_writing import replace_text
from mlpipeline.state.lock import list_lock
from mlpipeline.state.run_model_files import Row, Shared, edited_text, is_for, names_in, new_text


class RunModel:
    """The model of an entry point: its file, which was made for it before, or is new.

    Made and written with the list's lock.
    """

    def __init__(self, project: Project, model: str, shared: Shared):
        self._lock = project.layout.list_lock
        self._shared = shared
        self.name, self.path = _file(project, model, shared)
        self.is_new = not self.path.exists()
        self._before = "" if self.is_new else _text(self.path)
        self._written = ""

    def there(self) -> list[str]:
        """The names of all its versions, as it stood; raises ConfigError."""
        return [] if self.is_new else names_in(self.path, self._before)

    def write(self, rows: Sequence[Row]) -> list[str]:
        """Make the file, or edit it; returns the names of all its versions.

        Raises ConfigError for a file that can't be edited, and StorageError.
        """
        path = self.path
        self.is_new = not path.exists()  # a person may have edited it meanwhile
        self._before = "" if self.is_new else _text(path)
        is_private = any(_is_secret(row) for row in rows)
        if self.is_new:
            text = new_text(self._shared, rows)
            with storage(f"{short(path)} can't be written"):
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, text.encode(), mode=0o600 if is_private else None)
        else:
            text = edited_text(path, self._before, self._shared, rows)
            if is_private:  # before it has them
                with storage(f"{short(path)} can't be protected"):
                    path.chmod(0o600)
            if text != self._before:
                replace_text(path, text)
        self._written = text
        return names_in(path, text)

    def undo(self) -> str:
        """Have the file as it was, unless somebody has changed it since; what became of it, in
        words. Takes the list's lock. Raises StorageError.
        """
        with list_lock(self._lock):
            is_there = self.path.exists()
            if is_there and _text(self.path) != self._written:
                return f"{short(self.path)} has been changed meanwhile and still has what was added"
            if self.is_new:
                with storage(f"{short(self.path)} can't be put back"):
                    self.path.unlink(missing_ok=True)
            elif is_there and self._before != self._written:
                replace_text(self.path, self._before)
        return "nothing was added"

    def in_its_words(self, problem: str) -> str:
        """``problem``, which is the file's, as it is told: a file that is new is gone again."""
        if self.is_new:
            problem = re.sub(r"^line \d+: ", "", problem.removeprefix(f"{self.path.name}: "))
        return problem


def _file(project: Project, model: str, shared: Shared) -> tuple[str, Path]:
    """The model's name and file: the one that was made for this, or a new one."""
    folder = project.layout.models_dir
    number = 1
    while True:
        name = model if number == 1 else f"{model}-{number}"
        taken = [each for each in SUFFIXES if (folder / f"{name}{each}").exists()]
        path = folder / f"{name}{COMMAND[0]}"
        if not taken or (path.exists() and is_for(_text(path), shared)):
            return name, path
        number += 1


def _is_secret(row: Row) -> bool:
    """Whether a version has what nobody else should see: a parameter, or what is passed on."""
    pairs = [*row.parameters.items(), *row.overrides.items()]
    extras = iter(row.arguments)
    pairs += [(key.removeprefix("--"), value) for key, value in zip(extras, extras, strict=True)]
    return any(words.is_secret(key, value) for key, value in pairs)


def _text(path: Path) -> str:
    try:
        with storage(f"{short(path)} can't be read"):
            return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(path, "it is not UTF-8", remedy="save it as UTF-8") from None
