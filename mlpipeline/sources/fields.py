"""What stands in a model file's keys: words, texts, variables, numbers. Each is checked, and an
error says in which line it is.
"""

from __future__ import annotations

from mlpipeline.api import words
from mlpipeline.core.spelling import nearest
from mlpipeline.sources.yaml_file import FileError, Node

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STARTS = ("warm", "cold")
NAMED = 10  # keys in an error


def pairs_of(node: Node, what: str, example: str) -> dict[str, Node]:
    """The values of a mapping by their keys; raises FileError for what is none."""
    if not node.is_mapping:
        raise FileError(f"{what} must have keys", node.line, f"write {example}")
    return node.pairs()


def check_keys(pairs: Mapping[str, Node], known: Sequence[str], what: str) -> None:
    """Raise FileError for a key that is not ``known``; ``what`` is empty for the file itself."""
    for key, value in pairs.items():
        if key not in known:
            raise FileError(
                f"{f'{what} has the ' if what else ''}unknown key {key}{nearest(key, known)}",
                value.line,
                f"it may have {', '.join(known)}" if len(known) <= NAMED else "",
            )


def flag_of(node: Node | None, what: str) -> bool | None:
    """True or false, None where nothing is said; raises FileError."""
    value = None if node is None else node.value()
    if value is not None and not isinstance(value, bool):
        assert node is not None
        raise FileError(f"{what} must be true or false", node.line)
    return value


def items_of(node: Node | None, what: str) -> list[Node]:
    """The items of a list, none where nothing is said; raises FileError for what is none."""
    if node is None or node.is_empty:
        return []
    if not node.is_list:
        raise FileError(f"{what} must be a list", node.line, "begin each item with a dash: - ")
    return node.items()


def list_of(node: Node | None, what: str) -> list[str]:
    """A list of words as they stand there; raises FileError."""
    items = items_of(node, what)
    for item in items:
        if not item.is_scalar:
            raise FileError(
                f"{what} must hold words", item.line, "put what has colons or brackets in quotes"
            )
    return [without_nul(item, what).text for item in items]


def words_of(node: Node | None, what: str) -> list[str]:
    """A list of words, or a line that is split into some; raises FileError."""
    if node is None or not node.is_scalar:
        return list_of(node, what)
    if node.is_empty:
        return []
    without_nul(node, what)
    try:
        return words.split(node.text)
    except words.NeedsShell as error:
        line = node.text.replace("'", "''")
        raise FileError(
            f"{what} has {error}, and no shell runs",
            node.line,
            f"put it in single quotes where it is meant so, or let a shell run: "
            f"{what}: [bash, -c, '{line}']",
        ) from None
    except ValueError as error:
        raise FileError(f"{what} can't be split: {error}", node.line, "end the quotes") from None


def without_nul(node: Node, what: str) -> Node:
    """The scalar, which a program can be given; raises FileError."""
    if "\0" in node.text:
        raise FileError(
            f"{what} has a NUL character (\\0)", node.line, "no program can be given one"
        )
    return node


def text_of(node: Node | None, what: str) -> str:
    """One word or text, empty where nothing is said; raises FileError."""
    if node is None or node.is_empty:
        return ""
    if not node.is_scalar:
        raise FileError(f"{what} must be one word", node.line)
    return node.text


def env_of(node: Node | None) -> dict[str, str]:
    """Variables of an environment; raises FileError."""
    if node is None or node.is_empty:
        return {}
    pairs = pairs_of(node, "env", "env: {NAME: value}")
    for name, value in pairs.items():
        if not name or "=" in name or "\0" in name:
            raise FileError(f"no variable can be called {name!r}", value.line)
        if not value.is_scalar:
            raise FileError(f"env's {name} must be a text", value.line)
        without_nul(value, f"env's {name}")
    return {name: value.text for name, value in pairs.items()}


def modules_of(node: Node | None) -> list[str]:
    """The names of modules, in a list or with commas between them; raises FileError."""
    if node is not None and node.is_scalar:
        names = [name.strip() for name in node.text.split(",") if name.strip()]
    else:
        names = list_of(node, "preload")
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            assert node is not None
            raise FileError(
                f"preload names {name!r}, which is no module",
                node.line,
                "write the names of modules: preload: [torch, sklearn]",
            )
    return names


def is_cold(node: Node | None) -> bool:
    """Whether runs begin as new processes: ``start: cold``; raises FileError."""
    text = text_of(node, "start") or STARTS[0]
    if text not in STARTS:
        assert node is not None
        raise FileError(f"start is {text!r}", node.line, "write start: cold, or leave it out")
    return text == STARTS[1]


def whole_of(node: Node | None, what: str) -> int | None:
    """A whole number above 0, None where nothing is said; raises FileError."""
    value = None if node is None else node.value()
    if value is None:
        return None
    assert node is not None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise FileError(f"{what} must be a whole number above 0", node.line)
    return value
