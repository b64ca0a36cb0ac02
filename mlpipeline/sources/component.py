"""Components: what a step of a pipeline runs, as Kubeflow Pipelines has them in a file.

The format is that of https://www.kubeflow.org/docs/components/pipelines/reference/component-spec/,
with the placeholders of both versions: ``{inputValue: x}`` and ``{{$.inputs.parameters['x']}}``.
Which values they stand for is said when a step runs or is compiled.
"""

from __future__ import annotations

import json

from mlpipeline.sources import placeholders
from mlpipeline.sources.fields import check_keys, flag_of, items_of, pairs_of, text_of
from mlpipeline.sources.placeholders import IfPresent, Word
from mlpipeline.sources.port_types import fitting, key_of, type_of
from mlpipeline.sources.yaml_file import FileError, Node, parse

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mlpipeline.sources.placeholders import Element

KEYS = ("name", "description", "metadata", "inputs", "outputs", "implementation")
PORT_KEYS = ("name", "type", "description", "default", "optional", "annotations")
CONTAINER_KEYS = ("image", "command", "args", "env")
_EXAMPLE = "implementation: {container: {image: …, command: [python3, main.py], args: [...]}}"


class Port:
    """An input or output: its type is one of ``port_types``, its key the name as kfp spells it."""

    __slots__ = ("default", "is_optional", "is_parameter", "key", "line", "name", "type")

    def __init__(self, node: Node, what: str):
        """Raises FileError."""
        pairs = pairs_of(node, f"an {what}", "- {name: dataset, type: Dataset}")
        check_keys(pairs, PORT_KEYS, f"the {what}")
        self.line = node.line
        self.name = text_of(pairs.get("name"), "name")
        self.key = key_of(self.name)
        if not self.key:
            raise FileError(
                f"the {what} has the name {self.name!r}"
                if self.name
                else f"the {what} has no name",
                self.line,
                "give it one of letters and digits: - name: dataset",
            )
        # As kfp has it: what has no type, or one that it does not know, is a file or a folder.
        self.type, self.is_parameter = type_of(pairs["type"].value() if "type" in pairs else None)
        default = pairs.get("default")
        self.is_optional = default is not None or bool(flag_of(pairs.get("optional"), "optional"))
        self.default: Any = None  # of the type; also where there is none
        if default is not None and not default.is_empty:
            if what == "output" or not self.is_parameter:
                raise FileError(
                    f"{self.name} is {_a(self.type)}, which has no default",
                    default.line,
                    "only inputs that are parameters have one",
                )
            try:
                self.default = fitting(default.value(), self.type, from_text=True)
            except ValueError as error:
                raise FileError(f"the default of {self.name} {error}", default.line) from None

    def __repr__(self) -> str:
        return f"<Port {self.name}: {self.type}>"


class Component:
    """What a step runs, and what goes in and comes out. Frozen; equal ones have one ``plain()``.

    ``command`` and ``args`` are lists of Word and IfPresent; ``env`` has Words.
    """

    __slots__ = (
        "args",
        "command",
        "description",
        "env",
        "image",
        "inputs",
        "line",
        "name",
        "outputs",
    )

    def __init__(self, document: Node):
        """Raises FileError."""
        pairs = pairs_of(document, "a component", _EXAMPLE)
        if "pipelineInfo" in pairs:
            raise FileError(
                "this is a compiled component or pipeline",
                pairs["pipelineInfo"].line,
                f"write a component's own file: {_EXAMPLE}",
            )
        check_keys(pairs, KEYS, "a component")
        self.line = document.line
        self.name = text_of(pairs.get("name"), "name")
        self.description = text_of(pairs.get("description"), "description")
        self.inputs = _ports(pairs.get("inputs"), "input")
        self.outputs = _ports(pairs.get("outputs"), "output")
        for key, port in self.outputs.items():
            if key in self.inputs:
                raise FileError(
                    f"{port.name} is an input and an output", port.line, "rename one of the two"
                )
        container, line = _container(pairs.get("implementation"), self.line)
        self.image = text_of(container.get("image"), "image").strip()
        if not self.image:
            line = container["image"].line if "image" in container else line
            raise FileError(
                "it has no image", line, "write image: REGISTRY/NAME:TAG under container"
            )
        self.command = self._elements(container.get("command"), "command")
        if not self.command:
            raise FileError(
                "it has no command",
                container["command"].line if "command" in container else line,
                "write what the image is to run: command: [python3, main.py]",
            )
        self.args = self._elements(container.get("args"), "args")
        self.env: dict[str, Word] = {}
        if "env" in container and not container["env"].is_empty:
            for name, value in pairs_of(container["env"], "env", "env: {NAME: value}").items():
                read = placeholders.read(value, self.inputs, self.outputs)
                if isinstance(read, IfPresent):
                    raise FileError(f"env's {name} must be a text", value.line)
                self.env[name] = read

    def _elements(self, node: Node | None, what: str) -> list[Element]:
        if node is not None and node.is_scalar and not node.is_empty:
            raise FileError(
                f"{what} must be a list",
                node.line,
                f"write {what}: [{', '.join(node.text.split())}]",
            )
        return [placeholders.read(each, self.inputs, self.outputs) for each in items_of(node, what)]

    def input(self, name: str) -> Port | None:
        """The input of that name, in kfp's spelling or its own; None where there is none."""
        return self.inputs.get(key_of(name))

    def output(self, name: str) -> Port | None:
        """The output of that name, likewise."""
        return self.outputs.get(key_of(name))

    def plain(self) -> dict[str, Any]:
        """All that says what it does, as JSON has it, for digests; names for people are not."""
        return {
            "image": self.image,
            "command": [each.plain() for each in self.command],
            "args": [each.plain() for each in self.args],
            "env": {name: word.plain() for name, word in self.env.items()},
            "inputs": {key: [port.type, port.default] for key, port in self.inputs.items()},
            "outputs": {key: port.type for key, port in self.outputs.items()},
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Component) and self.plain() == other.plain()

    def __hash__(self) -> int:
        return hash(json.dumps(self.plain(), sort_keys=True))


def component_of(content: bytes) -> Component:
    """The component in a file's ``content``; raises FileError."""
    document = parse(content)
    if document is None:
        raise FileError("it is empty", remedy=f"write a component: {_EXAMPLE}")
    return Component(document)


def _ports(node: Node | None, what: str) -> dict[str, Port]:
    """The ports by their keys, in their order."""
    ports: dict[str, Port] = {}
    for item in items_of(node, f"{what}s"):
        port = Port(item, what)
        if port.key in ports:
            other = ports[port.key]
            same = (
                "" if other.name == port.name else f" ({other.name} and {port.name} are one to kfp)"
            )
            raise FileError(
                f"the {what} {port.name} is there twice, first in line {other.line}{same}",
                port.line,
                "rename one of the two",
            )
        ports[port.key] = port
    return ports


def _container(node: Node | None, line: int) -> tuple[Mapping[str, Node], int]:
    """What the container says, and its line."""
    if node is None or node.is_empty:
        raise FileError("it has no implementation", line, f"write {_EXAMPLE}")
    pairs = pairs_of(node, "implementation", _EXAMPLE)
    if "graph" in pairs:
        raise FileError(
            "its implementation is a graph of others",
            pairs["graph"].line,
            "make each a step of the pipeline",
        )
    check_keys(pairs, ("container",), "implementation")
    if "container" not in pairs:
        raise FileError("it has no container", node.line, f"write {_EXAMPLE}")
    container = pairs_of(pairs["container"], "container", _EXAMPLE)
    if "fileOutputs" in container:
        raise FileError(
            "fileOutputs is not known on Vertex AI",
            container["fileOutputs"].line,
            "have the program write where {outputPath: NAME} says",
        )
    check_keys(container, CONTAINER_KEYS, "container")
    return container, pairs["container"].line


def _a(type_name: str) -> str:
    return f"{'an' if type_name[0] in 'AEIOU' else 'a'} {type_name}"
