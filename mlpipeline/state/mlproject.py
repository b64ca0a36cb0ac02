"""MLproject files, as ``mlflow run`` reads them: entry points, their parameters and commands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from mlpipeline.core.spelling import nearest
from mlpipeline.errors import ConfigError, MlpipelineError, short
from mlpipeline.state.files import storage

FILE = "mlproject"  # in any case of letters
MAIN = "main"
ENVIRONMENTS = ("conda_env", "python_env", "docker_env")
KEYS = ("name", *ENVIRONMENTS, "entry_points", "databricks_spark_job")
TYPES = ("string", "float", "path", "uri")
PARAMETER_KEYS = ("type", "default", "description")
RUNNERS = {".py": "python", ".sh": "bash"}  # of an entry point that is the name of a script


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter of an entry point."""

    name: str
    type: str = "string"  # one of TYPES
    default: str | None = None  # None: a value must be given


class EntryPoint(msgspec.Struct, frozen=True, kw_only=True):
    """An entry point: a command line for bash, with its parameters in braces."""

    name: str
    command: str
    parameters: Mapping[str, Parameter] = {}
    line: int | None = None  # of its command


class MLproject(msgspec.Struct, frozen=True, kw_only=True):
    """A project as its MLproject says; without such a file, only scripts can be run."""

    folder: Path
    path: Path | None  # of the file
    name: str = ""
    environment: str = ""  # one of ENVIRONMENTS; empty where it names none
    environment_file: str = ""  # as it is named there; empty for docker
    entries: Mapping[str, EntryPoint] = {}
    notes: tuple[str, ...] = ()  # what is odd in it, and passed over

    def entry(self, name: str) -> EntryPoint:
        """The entry point ``name``, or that of a script; raises MlpipelineError."""
        if name in self.entries:
            return self.entries[name]
        runner = RUNNERS.get(os.path.splitext(name)[1])  # noqa: PTH122
        if runner and (self.folder / name).is_file():
            return EntryPoint(name=name, command=f"{runner} {_quoted(name)}")
        if runner:
            raise MlpipelineError(f"there is no script {name} in {short(self.folder)}")
        if self.path is None:
            raise MlpipelineError(
                f"{short(self.folder)} has no MLproject file: make one, or name a script: "
                "-e main.py"
            )
        known = ", ".join(self.entries) or "none"
        raise ConfigError(
            self.path,
            f"there is no entry point {name}{nearest(name, self.entries)}",
            remedy=f"it has {known}; a script can be named, too: -e main.py",
        )


def read_mlproject(folder: Path) -> MLproject:
    """What the MLproject file in ``folder`` says; raises ConfigError, and StorageError."""
    with storage(f"{short(folder)} can't be read"):
        names = sorted(os.listdir(folder))  # noqa: PTH208
    path = next((folder / name for name in names if name.lower() == FILE), None)
    if path is None:
        return MLproject(folder=folder, path=None)
    with storage(f"{short(path)} can't be read"):
        content = path.read_bytes()
    return _Reader(path, content).project()


class _Reader:
    """One file. Words mean what PyYAML says, so that defaults are what mlflow makes of them."""

    def __init__(self, path: Path, content: bytes):
        self._path = path
        self._notes: list[str] = []
        try:
            text = content.decode()
            self._document: Any = yaml.safe_load(text)
            self._lines = _lines(yaml.compose(text, Loader=yaml.SafeLoader))
        except UnicodeDecodeError:
            raise ConfigError(path, "it is not UTF-8", remedy="save it as UTF-8") from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            raise ConfigError(
                path,
                f"it is no YAML: {getattr(error, 'problem', None) or error}",
                line=mark.line + 1 if mark else None,
                remedy="tabs and colons are the usual culprits",
            ) from None

    def project(self) -> MLproject:
        said = self._mapping(self._document, ())
        for key in said:
            if key not in KEYS:
                self._note(f"the unknown key {key}{nearest(str(key), KEYS)} is passed over", (key,))
        if "databricks_spark_job" in said:
            raise self._wrong(
                "databricks_spark_job runs on Databricks only",
                ("databricks_spark_job",),
                "use mlflow run for that",
            )
        environments = [key for key in ENVIRONMENTS if said.get(key) is not None]
        if len(environments) > 1:
            raise self._wrong(
                f"it has {' and '.join(environments)}", (environments[1],), "leave one of them"
            )
        environment = environments[0] if environments else ""
        entries = self._mapping(said.get("entry_points"), ("entry_points",))
        name = said.get("name")
        return MLproject(
            folder=self._path.parent,
            path=self._path,
            name="" if name is None else str(name),
            environment=environment,
            environment_file=self._environment_file(environment, said),
            entries={str(key): self._entry(str(key), each) for key, each in entries.items()},
            notes=tuple(self._notes),
        )

    def _environment_file(self, environment: str, said: Mapping[Any, Any]) -> str:
        if environment in ("", "docker_env"):
            return ""
        name = said[environment]
        if not isinstance(name, str) or not (self._path.parent / name).is_file():
            raise self._wrong(
                f"{environment} names {name}, and there is no such file",
                (environment,),
                "correct it, or leave it out",
            )
        return name

    def _entry(self, name: str, said: Any) -> EntryPoint:
        place: tuple[Any, ...] = ("entry_points", name)
        pairs = self._mapping(said, place)
        for key in pairs:
            if key not in ("parameters", "command"):
                near = nearest(str(key), ("parameters", "command"))
                self._note(f"the unknown key {key}{near} of {name} is passed over", (*place, key))
        command = pairs.get("command")
        if not isinstance(command, str) or not command.strip():
            raise self._wrong(
                f"entry point {name} has no command", place, 'write command: "python main.py"'
            )
        if "\0" in command:
            raise self._wrong(f"the command of {name} has a NUL character", place)
        place = (*place, "parameters")
        parameters = self._mapping(pairs.get("parameters"), place)
        return EntryPoint(
            name=name,
            command=command,
            parameters={
                str(key): self._parameter(str(key), each, (*place, key))
                for key, each in parameters.items()
            },
            line=self._lines.get(("entry_points", name, "command")),
        )

    def _parameter(self, name: str, said: Any, place: tuple[Any, ...]) -> Parameter:
        """Either its type alone, or a mapping with type and default."""
        pairs = {"type": said} if isinstance(said, str) else self._mapping(said, place)
        kind = pairs.get("type", "string")
        for key in pairs:
            if key not in PARAMETER_KEYS:
                near = nearest(str(key), PARAMETER_KEYS)
                self._note(f"the unknown key {key}{near} of {name} is passed over", place)
        if kind not in TYPES:
            near = nearest(str(kind), TYPES) or f" (there are {', '.join(TYPES)})"
            self._note(f"the unknown type {kind}{near} of {name} is taken for string", place)
            kind = "string"
        default = pairs.get("default")
        return Parameter(name=name, type=kind, default=None if default is None else str(default))

    def _mapping(self, said: Any, place: tuple[Any, ...]) -> Mapping[Any, Any]:
        if said is None:
            return {}
        if not isinstance(said, dict):
            raise self._wrong(f"{place[-1] if place else 'the file'} must have keys", place)
        return said

    def _note(self, text: str, place: tuple[Any, ...]) -> None:
        """mlflow takes such files, so they are no errors."""
        self._notes.append(str(self._wrong(text, place)))

    def _wrong(self, problem: str, place: tuple[Any, ...], remedy: str = "") -> ConfigError:
        line = next(
            (
                self._lines[place[:end]]
                for end in range(len(place), 0, -1)
                if place[:end] in self._lines
            ),
            None,
        )
        return ConfigError(self._path, problem, line=line, remedy=remedy)


def _lines(node: yaml.Node | None, place: tuple[Any, ...] = ()) -> dict[tuple[Any, ...], int]:
    """Where each key stands, from 1, by the keys that lead to it; four levels are enough here."""
    found: dict[tuple[Any, ...], int] = {}
    if isinstance(node, yaml.MappingNode) and len(place) < 4:
        for key, value in node.value:
            below = (*place, getattr(key, "value", None))
            found[below] = key.start_mark.line + 1
            found |= _lines(value, below)
    return found


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word).replace("{", "{{").replace("}", "}}")
