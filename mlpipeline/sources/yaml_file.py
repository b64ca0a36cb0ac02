"""YAML as it stands in a file: values with their lines, and errors that say where they are.

Words mean what YAML 1.2 says: ``yes`` and ``12:30`` are text, ``1e-3`` is a number.
"""

from __future__ import annotations

import re

import yaml

from mlpipeline.errors import ModelError

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from typing import Any

MERGE = "tag:yaml.org,2002:merge"
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class FileError(ModelError):
    """A file can't be used; the message begins with the line, where that is known."""

    def __init__(self, problem: str, line: int | None = None, remedy: str = ""):
        where = f"line {line}: " if line else ""
        super().__init__(f"{where}{problem}" + (f"; {remedy}" if remedy else ""))


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Only composes nodes: which scalars are numbers is decided here, not by YAML 1.1."""

    yaml_implicit_resolvers = {"<": [(MERGE, re.compile("<<"))]}  # noqa: RUF012 - as PyYAML has it


def parse(content: bytes) -> Node | None:
    """The document in ``content``, None where there is none; raises FileError."""
    try:
        loader = _Loader(content)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        line = mark.line + 1 if mark else None
        raise FileError(
            f"it is no YAML: {problem}",
            line,
            "tabs and colons are the usual culprits" if mark else "save it as UTF-8",
        ) from None
    return None if node is None else Node(node)


def scalar(text: str) -> Any:
    """What a word means that stands in YAML without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        try:
            number = int(text, 0 if text[:2] in ("0o", "0x") else 10)
            str(number)  # as it is recorded; Python does neither for thousands of digits
        except ValueError:
            return text
        return number
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", "").lower())
    return text


class Node:
    """A value in the file; ``line`` counts from 1."""

    __slots__ = ("_node", "line")

    def __init__(self, node: yaml.Node, line: int | None = None):
        self._node = node
        self.line: int = node.start_mark.line + 1 if line is None else line

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self._node, yaml.SequenceNode)

    @property
    def is_mapping(self) -> bool:
        """Whether it has keys."""
        return isinstance(self._node, yaml.MappingNode)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing: a key without a value."""
        return self.is_scalar and self.value() is None

    @property
    def is_scalar(self) -> bool:
        """Whether it is one word, number or text."""
        return isinstance(self._node, yaml.ScalarNode)

    @property
    def text(self) -> str:
        """A scalar as it stands in the file, without its quotes."""
        return str(self._node.value)

    def items(self) -> list[Node]:
        """The items of a list."""
        return [Node(item) for item in self._node.value]

    def pairs(self, _parents: tuple[int, ...] = ()) -> dict[str, Node]:
        """The values of a mapping by their keys; raises FileError for a key that is there twice.

        What ``<<`` merges into it gives way to its own keys.
        """
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        parents = (*_parents, id(self._node))
        for key, value in self._node.value:
            line = key.start_mark.line + 1
            if key.tag == MERGE:
                for each in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if not isinstance(each, yaml.MappingNode):
                        raise FileError("<< merges mappings only", line)
                    if id(each) in parents:
                        raise FileError("an anchor (&) holds itself", line)
                    merged = {**Node(each).pairs(parents), **merged}
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise FileError("a key must be a word", line)
            name = str(key.value)
            if name in own:
                raise FileError(
                    f"the key {name} is there twice, first in line {own[name].line}",
                    line,
                    "remove one of the two",
                )
            own[name] = Node(value, line)
        return {**merged, **own} if merged else own

    def value(self, _parents: tuple[int, ...] = ()) -> Any:
        """It as None, bool, int, float, str, list or dict; raises FileError."""
        node = self._node
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.style else scalar(node.value)
        if id(node) in _parents:
            raise FileError("an anchor (&) holds itself", self.line)
        parents = (*_parents, id(node))
        if self.is_list:
            return [item.value(parents) for item in self.items()]
        return {key: value.value(parents) for key, value in self.pairs().items()}
