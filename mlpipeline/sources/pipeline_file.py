"""A pipeline file as it is written: steps of components, checked, with the lines where they stand.

Which versions that makes, and how they run, is not known here; nor is kfp.
"""

from __future__ import annotations

import os
import re

from mlpipeline.api.keys import AFTER
from mlpipeline.core.circles import circle
from mlpipeline.core.spelling import nearest
from mlpipeline.sources.arguments import Argument, Scope, Source, read_argument
from mlpipeline.sources.component import Component, component_of
from mlpipeline.sources.fields import (
    check_keys,
    list_of,
    pairs_of,
    text_of,
    whole_of,
    words_of,
)
from mlpipeline.sources.imports import STAMPS, TEXTS
from mlpipeline.sources.local_files import GONE
from mlpipeline.sources.pipeline_parameters import Parameter, parameters_of
from mlpipeline.sources.step_settings import SHARED, Settings
from mlpipeline.sources.yaml_file import FileError, Node, parse

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

STEPS = "steps"  # the key that tells a pipeline file from a command file
KEYS = ("name", "description", "parameters", "grid", STEPS, "vertex", "max_versions", *SHARED)
STEP_KEYS = ("component", "arguments", AFTER, "command", "vertex", *SHARED)
VERTEX_KEYS = (
    *("pipeline_root", "project", "location", "display_name", "service_account", "network"),
    *("labels", "staging_bucket", "encryption_key", "failure_policy"),
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_EXAMPLE = "steps: {train: {component: components/train.yaml}}"


class Step:
    """A step: its component, what it is given, and what it comes after. Frozen.

    ``arguments`` are by the key of the input. ``after`` has the steps whose outputs it reads, then
    those that it names; ``command`` replaces the component's on this machine, and ``path`` is the
    component's file, empty where it is written in place.
    """

    __slots__ = (
        *("after", "arguments", "command", "command_line", "component", "line", "name"),
        *("path", "settings"),
    )

    def __init__(
        self, name: str, component: Component, path: str, arguments: dict[str, Argument],
        after: tuple[str, ...], command: list[str], settings: Settings, line: int,
        command_line: int,
    ):  # fmt: skip
        self.name = name
        self.component = component
        self.path = path
        self.arguments = arguments
        self.after = after
        self.command = command
        self.settings = settings
        self.line = line
        self.command_line = command_line

    def sources(self) -> Iterator[Source]:
        """The pipeline's parameters and the outputs of steps that its arguments are made of."""
        for argument in self.arguments.values():
            yield from argument.sources()

    def __repr__(self) -> str:
        return f"<Step {self.name}>"


class PipelineFile:
    """What a pipeline file and its components say; raises FileError for what can't be meant.

    ``steps`` are by name, each behind those that it comes after, else in their order.
    """

    def __init__(self, content: bytes, folder: str):
        """``folder``: where the file lies, from which components' paths count."""
        document = parse(content)
        if document is None:
            raise FileError("it is empty", remedy=f"write {_EXAMPLE}")
        pairs = pairs_of(document, "the file", _EXAMPLE)
        check_keys(pairs, KEYS, "")
        if STEPS not in pairs or not pairs_of(pairs[STEPS], STEPS, _EXAMPLE):
            raise FileError("it has no steps", remedy=f"write {_EXAMPLE}")
        self.line = pairs[STEPS].line
        self.name = text_of(pairs.get("name"), "name")
        self.description = text_of(pairs.get("description"), "description")
        self.max_versions = whole_of(pairs.get("max_versions"), "max_versions")
        self.settings = Settings(pairs, self.line)
        self.parameters: dict[str, Parameter]
        self.parameters, self.grid = parameters_of(pairs.get("parameters"), pairs.get("grid"))
        self.grid_line = pairs["grid"].line if "grid" in pairs else self.line
        self.vertex = _vertex(pairs.get("vertex"))
        self.vertex_line = pairs["vertex"].line if "vertex" in pairs else self.line
        self.steps = self._steps(pairs[STEPS], folder)

    def _steps(self, node: Node, folder: str) -> dict[str, Step]:
        written = pairs_of(node, STEPS, _EXAMPLE)
        begun: dict[str, tuple[dict[str, Node], Component, str]] = {}
        for name, value in written.items():
            if not _NAME.fullmatch(name):
                raise FileError(
                    f"a step can't be called {name!r}",
                    value.line,
                    "letters, digits, _ and - will do, the first one a letter",
                )
            pairs = pairs_of(value, f"step {name}", "train: {component: components/train.yaml}")
            check_keys(pairs, STEP_KEYS, f"step {name}")
            begun[name] = (pairs, *_component(name, pairs.get("component"), value.line, folder))
        scope = Scope(self.parameters, {name: each[1] for name, each in begun.items()})
        steps = {name: self._step(name, *begun[name], scope, written[name].line) for name in begun}
        return _in_order(steps)

    def _step(
        self, name: str, pairs: dict[str, Node], component: Component, path: str, scope: Scope,
        line: int,
    ) -> Step:  # fmt: skip
        arguments: dict[str, Argument] = {}
        if "arguments" in pairs and not pairs["arguments"].is_empty:
            said = pairs_of(pairs["arguments"], "arguments", "arguments: {lr: '{lr}'}")
            for key, node in said.items():
                port = component.input(key)
                names = [each.name for each in component.inputs.values()]
                if port is None:
                    raise FileError(
                        f"the component of step {name} has no input {key!r}{nearest(key, names)}",
                        node.line,
                        f"its inputs are {', '.join(names) or 'none'}",
                    )
                if port.key in arguments:
                    raise FileError(f"step {name} is given {port.name} twice", node.line)
                arguments[port.key] = read_argument(node, port, name, scope)
        for port in component.inputs.values():
            if port.key not in arguments and not port.is_optional:
                raise FileError(
                    f"step {name} is given nothing for its input {port.name} ({port.type})",
                    pairs["arguments"].line if "arguments" in pairs else line,
                    f"write {port.name} under arguments",
                )
        after = [
            source.step
            for argument in arguments.values()
            for source in argument.sources()
            if source.step
        ]
        after += _after(pairs.get(AFTER), name, scope)
        return Step(
            name, component, path, arguments, tuple(dict.fromkeys(after)),
            words_of(pairs.get("command"), "command"), Settings(pairs, line, self.settings), line,
            pairs["command"].line if "command" in pairs else line,
        )  # fmt: skip

    def swept(self) -> dict[str, tuple[str, ...]]:
        """For each step, the parameters of the grid that it depends on: itself or by what it reads.

        What it only comes ``after`` does not count.
        """
        found: dict[str, set[str]] = {}
        for name, step in self.steps.items():
            own: set[str] = set()
            for source in step.sources():
                own |= found[source.step] if source.step else {source.name}
            found[name] = own
        return {name: tuple(key for key in self.grid if key in own) for name, own in found.items()}

    def paths(self) -> list[str]:
        """The component files that it is made of, each once."""
        return list(dict.fromkeys(step.path for step in self.steps.values() if step.path))


def load_pipeline_file(path: str) -> PipelineFile:
    """The pipeline in the file ``path``; raises FileError, and OSError.

    It is noted what was read, the components as well, as of scripts and what they import.
    """
    return PipelineFile(_read(path), os.path.dirname(os.path.abspath(path)))


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        stat = os.fstat(file.fileno())
        content = file.read()
    STAMPS[path], TEXTS[path] = (stat.st_mtime_ns, stat.st_size), content
    return content


def _component(name: str, node: Node | None, line: int, folder: str) -> tuple[Component, str]:
    """The component of a step, and the path of its file; raises FileError."""
    if node is None or node.is_empty:
        raise FileError(
            f"step {name} has no component", line, "write component: components/NAME.yaml"
        )
    if node.is_mapping:
        return Component(node), ""
    said = text_of(node, "component")
    path = os.path.normpath(os.path.join(folder, os.path.expanduser(said)))
    try:
        return component_of(_read(path)), path
    except FileError as error:
        raise FileError(f"in the component {said} of step {name}: {error}", node.line) from None
    except OSError as error:
        STAMPS[path] = GONE  # so that it is looked at anew when it is there
        raise FileError(
            f"the component {said} of step {name} can't be read: {error.strerror}",
            node.line,
            f"put it at {path}, or correct the path, which counts from the pipeline's file",
        ) from None


def _after(node: Node | None, name: str, scope: Scope) -> list[str]:
    if node is None or node.is_empty:
        return []
    names = [text_of(node, AFTER)] if node.is_scalar else list_of(node, AFTER)
    for each in names:
        if each not in scope.components:
            raise FileError(
                f"step {name} comes after {each!r}, which no step is called"
                f"{nearest(each, scope.components)}",
                node.line,
                f"the steps are {', '.join(scope.components)}",
            )
    return names


def _in_order(steps: Mapping[str, Step]) -> dict[str, Step]:
    """The steps, each behind those that it comes after; raises FileError for a circle."""
    done: dict[str, Step] = {}
    left = dict(steps)
    while left:
        ready = next((step for step in left.values() if all(a in done for a in step.after)), None)
        if ready is None:
            found = circle({name: step.after for name, step in left.items()})
            shown = " after ".join([*found, found[0]])
            raise FileError(
                f"step {found[0]} comes after itself: {shown}",
                steps[found[0]].line,
                "take one of them out of the circle",
            )
        done[ready.name] = left.pop(ready.name)
    return done


def _vertex(node: Node | None) -> dict[str, Any]:
    """What Vertex AI is to know: texts, and the mapping ``labels``."""
    if node is None or node.is_empty:
        return {}
    said: dict[str, Any] = {}
    pairs = pairs_of(node, "vertex", "vertex: {project: …, location: …}")
    check_keys(pairs, VERTEX_KEYS, "vertex")
    for key, value in pairs.items():
        if value.is_empty:
            continue
        if key == "labels":
            labels = pairs_of(value, "labels", "labels: {team: vision}")
            said[key] = {name: text_of(each, name) for name, each in labels.items()}
        else:
            said[key] = text_of(value, key)
    root = said.get("pipeline_root", "")
    if root and not root.startswith("gs://"):
        raise FileError(
            f"pipeline_root is {root!r}", pairs["pipeline_root"].line,
            "write a bucket's address: gs://BUCKET/FOLDER",
        )  # fmt: skip
    return said
