"""What a step of a pipeline is given: values, parameters of the pipeline, outputs of other steps.

In braces, as in command files: ``{lr}`` is a parameter, ``{prepare.dataset}`` an output;
``{{lr}}`` is literally ``{lr}``, and all other braces are themselves.
"""

from __future__ import annotations

import re

from mlpipeline.core.spelling import nearest
from mlpipeline.sources.port_types import STRING, as_text, compatible, fitting
from mlpipeline.sources.yaml_file import FileError, Node

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from mlpipeline.sources.component import Component, Port
    from mlpipeline.sources.pipeline_parameters import Parameter

_INNER = r"[A-Za-z_][\w-]*(?:\.[^\s{}'\":,][^{}'\":,]*)?"
_BRACES = re.compile(rf"\{{\{{({_INNER})\}}\}}|(?<!\$)\{{({_INNER})\}}")


class Source:
    """Where a value comes from: the output ``name`` (its key) of a ``step``, or, where ``step`` is
    empty, the parameter ``name`` of the pipeline.
    """

    __slots__ = ("name", "step")

    def __init__(self, step: str, name: str):
        self.step = step
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Source) and (self.step, self.name) == (other.step, other.name)

    def __hash__(self) -> int:
        return hash((self.step, self.name))

    def __repr__(self) -> str:
        return f"{{{self.step}.{self.name}}}" if self.step else f"{{{self.name}}}"


class Argument:
    """What an input of a step is given.

    It is a ``value`` (``parts`` is empty then), one source alone, whose type is the input's
    (``whole``), or texts with sources among them. Frozen.
    """

    __slots__ = ("line", "parts", "value")

    def __init__(self, line: int, value: Any = None, parts: Sequence[str | Source] = ()):
        self.line = line
        self.value = value
        self.parts = tuple(parts)

    @property
    def whole(self) -> Source | None:
        """The source that it is, where it is nothing else."""
        first = self.parts[0] if len(self.parts) == 1 else None
        return first if isinstance(first, Source) else None

    def sources(self) -> Iterator[Source]:
        """The sources that it is made of."""
        return (part for part in self.parts if isinstance(part, Source))

    def filled(self, meaning: Callable[[Source], Any]) -> Any:
        """The value, given what its sources stand for."""
        if not self.parts:
            return self.value
        if self.whole is not None:
            return meaning(self.whole)
        return "".join(
            part if isinstance(part, str) else as_text(meaning(part)) for part in self.parts
        )


class Scope:
    """What braces may name: the pipeline's parameters, and the steps with their components."""

    __slots__ = ("components", "parameters")

    def __init__(self, parameters: Mapping[str, Parameter], components: Mapping[str, Component]):
        self.parameters = parameters
        self.components = components

    def source(self, text: str, line: int, reader: str) -> tuple[Source, str, bool]:
        """What ``text`` names for the step ``reader``, its type, and whether that is a parameter's;
        raises FileError.
        """
        remedy = f"braces are kept where they are doubled: {{{{{text}}}}}"
        step, dot, name = text.partition(".")
        if not dot:
            parameter = self.parameters.get(text)
            if parameter is None:
                raise FileError(
                    f"step {reader} reads {{{text}}}, and the pipeline has no parameter {text}"
                    f"{nearest(text, self.parameters)}",
                    line,
                    f"an output is {{STEP.OUTPUT}}; {remedy}",
                )
            return Source("", text), parameter.type, True
        if step not in self.components:
            raise FileError(
                f"step {reader} reads {{{text}}}, and there is no step {step}"
                f"{nearest(step, self.components)}",
                line,
                remedy,
            )
        component = self.components[step]
        port = component.output(name)
        if port is None:
            names = [each.name for each in component.outputs.values()]
            raise FileError(
                f"step {reader} reads {{{text}}}, which nothing makes: {step} has no output {name}"
                f"{nearest(name, names)}",
                line,
                f"its outputs are {', '.join(names) or 'none'}",
            )
        return Source(step, port.key), port.type, port.is_parameter


def read_argument(node: Node, port: Port, step: str, scope: Scope) -> Argument:
    """What the step gives for the input ``port``; raises FileError."""
    line = node.line
    what = f"what step {step} is given for {port.name}"
    if node.is_scalar and isinstance(node.value(), str):
        if "\0" in node.text:
            raise FileError(f"{what} has a NUL character (\\0)", line)
        parts, types = _parts(node.text, line, step, scope)
        if types:
            _check_sources(parts, types, port, what, line)
            return Argument(line, parts=parts)
        value: Any = "".join(map(str, parts))
    else:
        value = node.value()
        _check_nested(value, step, scope, line)
    if not port.is_parameter:
        raise FileError(
            f"{what} must be a step's output: it is of the type {port.type}",
            line,
            f"write {port.name}: '{{STEP.OUTPUT}}'",
        )
    try:
        return Argument(line, fitting(value, port.type))
    except ValueError as error:
        raise FileError(f"{what} {error}", line) from None


def _parts(
    text: str, line: int, step: str, scope: Scope
) -> tuple[list[str | Source], list[tuple[Source, str, bool]]]:
    parts: list[str | Source] = []
    types = []
    at = 0
    for match in _BRACES.finditer(text):
        before = text[at : match.start()] + (f"{{{match[1]}}}" if match[1] else "")
        at = match.end()
        parts += [before] if before else []
        if match[2]:
            found = scope.source(match[2], line, step)
            types.append(found)
            parts.append(found[0])
    parts += [text[at:]] if at < len(text) else []
    return parts, types


def _check_sources(
    parts: Sequence[str | Source],
    types: Sequence[tuple[Source, str, bool]],
    port: Port,
    what: str,
    line: int,
) -> None:
    source, type_name, is_parameter = types[0]
    if len(parts) == 1:
        if not compatible(type_name, port.type):
            own = f"the {'output' if source.step else 'parameter'} {source}"
            remedy = ""
            if not source.step:
                remedy = f"write {source.name}: {{type: {port.type}, default: …}} under parameters"
                remedy = remedy if port.is_parameter else "write '{STEP.OUTPUT}'"
            raise FileError(f"{what} is {type_name} ({own}) and must be {port.type}", line, remedy)
        return
    for source, type_name, is_parameter in types:
        if not is_parameter:
            raise FileError(
                f"{what} has {source} in a text, which is a file or folder ({type_name})",
                line,
                "give it alone, and have the program add the rest",
            )
    if port.type != STRING:
        raise FileError(
            f"{what} is a text and must be {port.type}", line, f"write '{source}' alone"
        )


def _check_nested(value: Any, step: str, scope: Scope, line: int) -> None:
    """Raise FileError for braces within a list or mapping, where they would not be filled in."""
    inner = value.values() if isinstance(value, dict) else value
    if not isinstance(inner, str) and hasattr(inner, "__iter__"):
        for each in inner:
            _check_nested(each, step, scope, line)
    elif isinstance(value, str):
        for match in _BRACES.finditer(value):
            name = match[2] or ""
            if name in scope.parameters or name.partition(".")[0] in scope.components:
                raise FileError(
                    f"step {step} has {{{name}}} in a list or mapping, where nothing is filled in",
                    line,
                    "give it as an argument of its own",
                )
