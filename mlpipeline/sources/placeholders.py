"""Placeholders in a component's command: where a value, a path or an address is filled in.

Both of kfp's ways to write them are read: ``{inputValue: x}`` as an item of the list, and
``{{$.inputs.parameters['x']}}`` within a text.
"""

from __future__ import annotations

import re

from mlpipeline.core.spelling import nearest
from mlpipeline.sources.port_types import key_of
from mlpipeline.sources.yaml_file import FileError, Node

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from mlpipeline.sources.component import Port

    Element: TypeAlias = "Word | IfPresent"

# What a reference is to.
VALUE = "value"  # of an input that is a parameter
INPUT_PATH, INPUT_URI = "input path", "input uri"  # of an input that is an artifact
OUTPUT_PATH, OUTPUT_URI = "output path", "output uri"  # likewise of an output
OUTPUT_FILE = "output file"  # into which an output that is a parameter is written
KINDS = (VALUE, INPUT_PATH, INPUT_URI, OUTPUT_PATH, OUTPUT_URI, OUTPUT_FILE)
INPUTS = (VALUE, INPUT_PATH, INPUT_URI)

ITEMS = {
    "inputValue": VALUE,
    "inputPath": INPUT_PATH,
    "inputUri": INPUT_URI,
    "outputPath": OUTPUT_PATH,
    "outputUri": OUTPUT_URI,
}
_DOUBLED = re.compile(r"\{\{\s*\$(.*?)\}\}", re.DOTALL)
_NAME = r"""\[\s*(?:'([^']*)'|"([^"]*)")\s*\]"""
_IN_TEXT = {
    VALUE: re.compile(rf"\.inputs\.parameters{_NAME}\s*"),
    INPUT_PATH: re.compile(rf"\.inputs\.artifacts{_NAME}\.path\s*"),
    INPUT_URI: re.compile(rf"\.inputs\.artifacts{_NAME}\.uri\s*"),
    OUTPUT_PATH: re.compile(rf"\.outputs\.artifacts{_NAME}\.path\s*"),
    OUTPUT_URI: re.compile(rf"\.outputs\.artifacts{_NAME}\.uri\s*"),
    OUTPUT_FILE: re.compile(rf"\.outputs\.parameters{_NAME}\.output_file\s*"),
}
_WRITTEN = {
    VALUE: "{{{{$.inputs.parameters['{}']}}}}",
    INPUT_PATH: "{{{{$.inputs.artifacts['{}'].path}}}}",
    INPUT_URI: "{{{{$.inputs.artifacts['{}'].uri}}}}",
    OUTPUT_PATH: "{{{{$.outputs.artifacts['{}'].path}}}}",
    OUTPUT_URI: "{{{{$.outputs.artifacts['{}'].uri}}}}",
    OUTPUT_FILE: "{{{{$.outputs.parameters['{}'].output_file}}}}",
}
_ANY = "; it may have " + ", ".join(
    ("$.inputs.parameters['x']", "$.inputs.artifacts['x'].path", "$.outputs.artifacts['x'].path")
)


class Reference:
    """A placeholder: what kind it is (of KINDS), and the key of the port that it is of."""

    __slots__ = ("key", "kind")

    def __init__(self, kind: str, key: str):
        self.kind = kind
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and (self.kind, self.key) == (other.kind, other.key)

    def __hash__(self) -> int:
        return hash((self.kind, self.key))

    def __repr__(self) -> str:
        return written(self.kind, self.key)


class Word:
    """A word of the command: its parts are text and References (and, of {concat: …}, IfPresent)."""

    __slots__ = ("line", "parts")

    def __init__(self, parts: Sequence[str | Reference | IfPresent], line: int):
        self.parts = tuple(parts)
        self.line = line

    def plain(self) -> object:
        """It as JSON has it."""
        return [
            part if isinstance(part, str) else repr(part) if isinstance(part, Reference)
            else part.plain()
            for part in self.parts
        ]  # fmt: skip

    def filled(
        self, meaning: Callable[[Reference], str], given: Callable[[str], bool] = lambda key: True
    ) -> str:
        """The word with what its references stand for; ``given``: as in :func:`filled`."""
        return "".join(
            part
            if isinstance(part, str)
            else meaning(part)
            if isinstance(part, Reference)
            else "".join(filled([part], meaning, given))
            for part in self.parts
        )


class IfPresent:
    """{if: …}: words that are there when an optional input is given, and others when it is not."""

    __slots__ = ("key", "line", "otherwise", "then")

    def __init__(self, key: str, then: Sequence[Element], otherwise: Sequence[Element], line: int):
        self.key = key
        self.then = tuple(then)
        self.otherwise = tuple(otherwise)
        self.line = line

    def plain(self) -> object:
        """It as JSON has it."""
        return {
            "if": self.key,
            "then": [each.plain() for each in self.then],
            "else": [each.plain() for each in self.otherwise],
        }


def filled(
    elements: Sequence[Element],
    meaning: Callable[[Reference], str],
    given: Callable[[str], bool] = lambda key: True,
) -> list[str]:
    """The words of a command, with what references stand for.

    ``given``: whether the input of that key has a value, for {if: {cond: {isPresent: …}}}.
    """
    words: list[str] = []
    for each in elements:
        if isinstance(each, Word):
            words.append(each.filled(meaning, given))
        else:
            words += filled(each.then if given(each.key) else each.otherwise, meaning, given)
    return words


def references(elements: Sequence[Element]) -> Iterator[Reference]:
    """All references, also those that depend on whether an input is given."""
    for each in elements:
        parts = each.parts if isinstance(each, Word) else (*each.then, *each.otherwise)
        for part in parts:
            if isinstance(part, Reference):
                yield part
            elif not isinstance(part, str):
                yield from references([part])


def written(kind: str, name: str) -> str:
    """A placeholder as it stands in a text."""
    return _WRITTEN[kind].format(name)


def read(node: Node, inputs: Mapping[str, Port], outputs: Mapping[str, Port]) -> Element:
    """An item of a command; raises FileError for what can't be filled in."""
    return _Reader(inputs, outputs).element(node)


class _Reader:
    def __init__(self, inputs: Mapping[str, Port], outputs: Mapping[str, Port]):
        self._inputs, self._outputs = inputs, outputs

    def element(self, node: Node) -> Element:
        if node.is_scalar:
            return Word(list(self._parts(node.text, node.line)), node.line)
        if node.is_list:
            raise FileError("a list stands in the command's list", node.line, "take it apart")
        pairs = node.pairs()
        if len(pairs) != 1:
            raise FileError(
                f"a placeholder must have one key, and has {', '.join(pairs) or 'none'}", node.line
            )
        ((key, value),) = pairs.items()
        if key in ITEMS:
            return Word([self._reference(ITEMS[key], _name(value, key), node.line)], node.line)
        if key == "concat":
            return self._concat(value)
        if key == "if":
            return self._if(value)
        known = (*ITEMS, "concat", "if")
        raise FileError(
            f"the placeholder {key} can't be used here{nearest(key, known)}",
            node.line,
            f"these can: {', '.join(known)}",
        )

    def _concat(self, node: Node) -> Word:
        if not node.is_list:
            raise FileError("concat must have a list", node.line, "concat: [--x=, {inputValue: x}]")
        parts: list[str | Reference | IfPresent] = []
        for item in node.items():
            element = self.element(item)
            if isinstance(element, Word):
                parts += element.parts
            elif len(element.then) > 1 or len(element.otherwise) > 1:
                raise FileError(
                    "an if within concat has several words", item.line, "make them one, or two ifs"
                )
            else:
                parts.append(element)
        return Word(parts, node.line)

    def _if(self, node: Node) -> IfPresent:
        example = "if: {cond: {isPresent: x}, then: [--x, {inputValue: x}]}"
        pairs = node.pairs() if node.is_mapping else {}
        cond = pairs["cond"].pairs() if "cond" in pairs and pairs["cond"].is_mapping else {}
        if (
            list(cond) != ["isPresent"]
            or "then" not in pairs
            or not {*pairs} <= {*("cond", "then", "else")}
        ):
            raise FileError("an if must ask whether an input isPresent", node.line, example)
        name = _name(cond["isPresent"], "isPresent")
        key = self._port(name, self._inputs, "input", node.line).key
        return IfPresent(
            key, self._branch(pairs["then"]), self._branch(pairs.get("else")), node.line
        )

    def _branch(self, node: Node | None) -> list[Element]:
        if node is None or node.is_empty:
            return []
        return [self.element(each) for each in (node.items() if node.is_list else [node])]

    def _parts(self, text: str, line: int) -> Iterator[str | Reference]:
        at = 0
        if "\0" in text:
            raise FileError("the command has a NUL character (\\0)", line)
        for match in _DOUBLED.finditer(text):
            if match.start() > at:
                yield text[at : match.start()]
            at = match.end()
            yield self._in_text(match[1], match[0], line)
        if at < len(text) or not text:
            yield text[at:]

    def _in_text(self, path: str, whole: str, line: int) -> Reference:
        for kind, pattern in _IN_TEXT.items():
            match = pattern.fullmatch(path)
            if match:
                return self._reference(kind, match[1] or match[2] or "", line)
        raise FileError(f"{whole} can't be used here{_ANY}", line, "or pass it as an input")

    def _reference(self, kind: str, name: str, line: int) -> Reference:
        is_input = kind in INPUTS
        ports, what = (self._inputs, "input") if is_input else (self._outputs, "output")
        port = self._port(name, ports, what, line)
        if kind == OUTPUT_PATH and port.is_parameter:
            kind = OUTPUT_FILE  # as kfp has it
        takes = {VALUE: True, OUTPUT_FILE: True}.get(kind, False)
        if port.is_parameter is not takes:
            right = (VALUE if port.is_parameter else INPUT_PATH) if is_input else (
                OUTPUT_FILE if port.is_parameter else OUTPUT_PATH
            )  # fmt: skip
            raise FileError(
                f"the {what} {port.name} is of the type {port.type}, "
                + ("which has a value and no path" if port.is_parameter else "a file or folder"),
                line,
                f"write {written(right, port.name)}",
            )
        return Reference(kind, port.key)

    def _port(self, name: str, ports: Mapping[str, Port], what: str, line: int) -> Port:
        port = ports.get(key_of(name))
        if port is None:
            names = [each.name for each in ports.values()]
            raise FileError(
                f"there is no {what} {name!r}{nearest(name, names)}",
                line,
                f"the {what}s are {', '.join(names)}" if names else f"list it under {what}s",
            )
        return port


def _name(node: Node, what: str) -> str:
    if not node.is_scalar or not node.text:
        raise FileError(f"{what} must name an input or output", node.line)
    return node.text
