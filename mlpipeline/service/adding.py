"""Queueing any program: a command line becomes a command file, or a version in one."""

from __future__ import annotations

import itertools
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mlpipeline.api import words
from mlpipeline.api.names import ONLY
from mlpipeline.core.changes import changes
from mlpipeline.core.model_files import CODE, COMMAND, SUFFIXES, is_command_file, model_name
from mlpipeline.core.places import Place
from mlpipeline.errors import MlpipelineError, short
from mlpipeline.service import lists
from mlpipeline.service.lists import Desk, Edit
from mlpipeline.service.project import Project
from mlpipeline.state import command_files
from mlpipeline.state.command_files import Written
from mlpipeline.state.files import storage, write_whole
from mlpipeline.state.list_writing import replace_text
from mlpipeline.state.lock import list_lock

ANY_NUMBER = 1_000_000_000  # of versions, as max_versions has it
_VARIABLE = re.compile(r"[A-Za-z_]\w*=")


class CommandLine(msgspec.Struct, frozen=True, kw_only=True):
    """A command line, taken apart."""

    env: dict[str, str]  # NAME=value before it
    command: tuple[str, ...]  # the program, and its script
    arguments: tuple[str, ...]
    overrides: tuple[str, ...] | None  # of Hydra, where it is a sweep

    @classmethod
    def of(cls, line: Sequence[str]) -> CommandLine:
        """Raises MlpipelineError where there is no command."""
        rest, env = list(line), {}
        while rest and _VARIABLE.match(rest[0]):
            name, _, env[name] = rest.pop(0).partition("=")
        if not rest or not rest[0]:
            raise MlpipelineError("there is no command: mlpipeline add -- python train.py --lr 0.1")
        end = _end_of_command(rest)
        command, arguments = rest[:end], rest[end:]
        overrides = None
        sweeps = _multirun(arguments)
        if sweeps:
            arguments = [each for at, each in enumerate(arguments) if at not in sweeps]
            overrides = tuple(each for each in arguments if _is_override(each))
            command += [each for each in arguments if not _is_override(each)]
            arguments = []
        return cls(env=env, command=tuple(command), arguments=tuple(arguments), overrides=overrides)

    @property
    def model(self) -> str:
        """A name for the model: what is run, without folders and suffix."""
        if "-m" in self.command[1:-1]:
            return self.command[self.command.index("-m", 1) + 1].rpartition(".")[2]
        script = next((each for each in self.command if each.endswith(CODE)), self.command[0])
        stem = Path(script).stem or "command"
        return re.sub(r"[^\w.+-]", "-", stem).lstrip("_.-") or "command"


def add_command(
    project: Project,
    line: Sequence[str],
    *,
    name: str = "",
    cwd: Path | None = None,
    chain: str = "",
    asks: Mapping[str, float] = {},
    any_number: bool = False,
    place: Place | None = None,
    test: bool = False,
) -> Edit:
    """Have the command ``line`` run, from the folder ``cwd`` (default: the working directory).

    ``name`` is the model's, ``chain`` a key as in a command file, ``asks`` what it asks of the
    host. ``any_number``: a sweep may have more jobs than usual. Raises what ``lists.add`` does;
    what can't run here is not added.
    """
    taken_apart = CommandLine.of(line)
    shared: dict[str, Any] = {"chain": chain} if chain else {}
    if any_number:
        shared["max_versions"] = ANY_NUMBER
    desk = Desk(project, test=test)
    before = desk.standings()
    with list_lock(project.layout.list_lock):
        file = _Place(project, taken_apart, folder_text(cwd or Path.cwd(), project), chain)
        file.look(name)
        file.write(shared, dict(asks))
    try:
        problem = desk.problem(file.path)
        if problem and file.is_changed:
            raise MlpipelineError(file.in_its_words(problem))
        wanted = [file.version] if file.version and desk.narrows(file.path) else []
        edit = lists.add(project, file.path, wanted, place=place, test=test)
    except MlpipelineError as error:
        if not file.is_changed:
            raise
        with list_lock(project.layout.list_lock):
            left = file.undo()
        raise MlpipelineError(f"{error}; {left}") from None
    return msgspec.structs.replace(
        edit,
        done=file.done(edit),
        changed=file.is_changed or edit.changed,
        changes=changes(before, desk.standings()),
    )


class _Place:
    """The file that a command line belongs in, and what became of it."""

    def __init__(self, project: Project, line: CommandLine, folder: str, chain: str):
        self._models_dir = project.layout.models_dir
        self._line = line
        self._folder = folder
        self._chain = chain
        self._there: Written | None = None  # what the file says that has the command already
        self._arguments = [words.escaped(each) for each in line.arguments]
        self._env = {name: words.escaped(value) for name, value in line.env.items()}
        self.path = ""  # in models_dir
        self.version = ""  # the name of the one that the line is; empty for a sweep
        self.is_changed = False
        self._written = b""  # the file with it

    def look(self, name: str) -> None:
        """Find the file; ``name`` is the model's, where somebody wants one. Raises
        MlpipelineError.
        """
        base = model_name(os.path.normpath(name)) if name else self._line.model
        if base.startswith(("_", ".", "/")) or "/_" in base or "/." in base:
            raise MlpipelineError(f"no model can be called {name}; begin it with a letter")
        for number in itertools.count(1):
            model = base if number == 1 else f"{base}-{number}"
            taken = [
                f"{model}{each}"
                for each in SUFFIXES
                if (self._models_dir / f"{model}{each}").exists()
            ]
            self.path = taken[0] if taken else f"{model}{COMMAND[0]}"
            if not taken or self._fits(self._models_dir / taken[0]):
                return
            if name:
                raise MlpipelineError(
                    f"{short(self._models_dir / taken[0])} is there, and has another command; "
                    "choose another --name"
                )

    def write(self, shared: Mapping[str, Any], asks: Mapping[str, float]) -> None:
        """Make the file, or add the version, unless it has that; raises StorageError."""
        line, there = self._line, self._there
        own = {
            **({"arguments": self._arguments} if self._arguments else {}),
            **({"env": self._env} if self._env else {}),
            **asks,
        }
        if line.overrides is not None:
            if there is None:
                self._make({**shared, "overrides": list(line.overrides), **own}, None)
            return
        taken = _names(there) if there else {}
        known = (self._arguments, self._env)
        self.version = next((name for name, said in taken.items() if said == known), "")
        if self.version:
            return
        name = words.version_name(line.arguments) or ONLY
        numbered = (name if n == 1 else f"{name}-{n}" for n in itertools.count(1))
        self.version = next(each for each in numbered if each not in taken)
        version = {"name": self.version, **own}
        if there is None:
            self._make(shared, version)
            return
        only = [] if there.versions or there.has_others else [{"name": ONLY}]
        path = self._models_dir / self.path
        replace_text(path, command_files.with_versions(path, there, [*only, version]))
        self._note_written(path)

    def undo(self) -> str:
        """Have the file as it was, unless somebody has changed it since; what became of it, in
        words. Raises StorageError.
        """
        path = self._models_dir / self.path
        with storage(f"{short(path)} can't be put back"):
            is_there = path.exists()
            if is_there and path.read_bytes() != self._written:
                return f"{short(path)} has been changed meanwhile and still has what was added"
            if self._there is None:
                path.unlink(missing_ok=True)
        if self._there is not None and is_there:
            replace_text(path, self._there.text)
        return "nothing was added"

    def in_its_words(self, problem: str) -> str:
        """``problem``, which is the file's, as it is told: a file that is new is gone again."""
        if self._there is None:
            problem = re.sub(r"^line \d+: ", "", problem.removeprefix(f"{self.path}: "))
        line = shlex.join(words.masked([*self._line.command, *self._line.arguments]))
        return f"{line}: {problem}"

    def done(self, edit: Edit) -> str:
        """What was done, in words."""
        beside = f"{self.version} of " if self.version else ""
        if not self.is_changed:
            return edit.done if edit.changed else f"has {beside}{self.path} already"
        if self._there is None:
            return f"added {self.path}, which is new" + (f", with {self.version}" if beside else "")
        return f"added {beside}{self.path}"

    def _make(self, shared: Mapping[str, Any], version: Mapping[str, Any] | None) -> None:
        path = self._models_dir / self.path
        where = {"cwd": words.escaped(self._folder)} if self._folder else {}
        command = [words.escaped(each) for each in self._line.command]
        text = command_files.new(command, shared={**where, **shared}, version=version)
        with storage(f"{short(path)} can't be written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text.encode())
        self._note_written(path)

    def _note_written(self, path: Path) -> None:
        self.is_changed = True
        with storage(f"{short(path)} can't be read"):
            self._written = path.read_bytes()

    def _fits(self, path: Path) -> bool:
        """Whether the file has this command, so that the line is a version of it."""
        if not is_command_file(path.name):
            return False
        there = command_files.read(path)
        command = [words.escaped(each) for each in self._line.command]
        same = _split(there.command) == command and there.chain == self._chain
        if not same or there.cwd != words.escaped(self._folder):
            return False
        if there.overrides != (self._line.overrides or ()):
            return False
        self._there = there
        return True


def folder_text(folder: Path, project: Project) -> str:
    """A folder as a command file has it: relative to the project, where it lies below that."""
    whole = Path(os.path.normpath(Path.cwd() / folder))
    home = project.layout.project
    if whole == home:
        return ""
    return whole.relative_to(home).as_posix() if whole.is_relative_to(home) else str(whole)


def _end_of_command(line: Sequence[str]) -> int:
    """How many words of a line are the program and its script."""
    for position, word in enumerate(line):
        if word == "-m" and 0 < position < len(line) - 1:
            following = line[position + 1]
            if following.startswith("-") or _is_override(following):
                break  # it is Hydra's, or nobody knows whose
            return position + 2  # a module
        if word.endswith(CODE):  # the file of a script ends what its versions share
            return position + 1
        if position and word.startswith("--") and "=" not in word:
            break  # what follows may be its value
    return 1


def _multirun(arguments: Sequence[str]) -> set[int]:
    """Which of the arguments say that it is a sweep of Hydra's; none where ``-m`` is another's.

    ``--multirun`` is Hydra's alone. A ``-m`` is, where there are overrides, unless what follows it
    may be its value: ``-m resnet``.
    """
    has_overrides = any(map(_is_override, arguments))
    found = set()
    for at, (each, following) in enumerate(zip(arguments, [*arguments, "-"][1:], strict=True)):
        has_value = not following.startswith("-") and not _is_override(following)
        if each == "--multirun" or (each == "-m" and has_overrides and not has_value):
            found.add(at)
    return found


def _is_override(text: str) -> bool:
    return not text.startswith("-") and ("=" in text or text.startswith("~"))


def _names(there: Written) -> dict[str, tuple[list[str], dict[str, str]]]:
    """The versions in a file that are written out, each with its arguments and variables."""
    if not there.versions and not there.has_others:
        return {ONLY: ([], {})}
    found: dict[str, tuple[list[str], dict[str, str]]] = {}
    for each in there.versions:
        arguments = _split(each.get("arguments") or [])
        name = str(each.get("name") or words.version_name(arguments) or ONLY)
        env = each.get("env") or {}
        found[name] = arguments, dict(env) if isinstance(env, dict) else {}
    return found


def _split(said: object) -> list[str]:
    """The words of a command, however it is written; none where it can't be told."""
    if isinstance(said, list):
        return [str(each) for each in said]
    try:
        return words.split(str(said))
    except ValueError:
        return []
