"""Component files in the argument style of kfp's documentation, rewritten to Hydra's: `key=value`.

``--x, {inputValue: X}`` becomes ``x={{$.inputs.parameters['X']}}``, and likewise paths; the rest of
the file stays as it is, with its comments. What has been rewritten is left alone.
"""

from __future__ import annotations

import re

import yaml

from mlpipeline.sources.component import Component, component_of
from mlpipeline.sources.placeholders import ITEMS, written
from mlpipeline.sources.yaml_file import FileError

TYPE_CHECKING = False  # as in sources
if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = re.compile(r"--([A-Za-z][\w./@-]*)")
LONG_EQUALS = re.compile(r"--([A-Za-z][\w./@-]*)=(.*)", re.DOTALL)
PLACEHOLDER = re.compile(r"\{\{\s*\$.*?\}\}", re.DOTALL)
# Options that Hydra itself has; the first ones have a value.
HYDRAS_WITH_VALUE = (
    *("config-path", "config-name", "config-dir", "package", "cfg", "shell-completion"),
    "experimental-rerun",
)
HYDRAS = (*HYDRAS_WITH_VALUE, "help", "hydra-help", "version", "resolve", "run", "multirun", "info")
# What Hydra's grammar takes without quotes: hydra/grammar/OverrideLexer.g4
_BARE = re.compile(r"[\w./@:+-]+")


class Converted:
    """What became of a component file: its ``text``, how many words were rewritten (``count``), and
    what a person should know (``notes``, each with its line).
    """

    __slots__ = ("count", "notes", "text")

    def __init__(self, text: str, count: int, notes: list[str]):
        self.text = text
        self.count = count
        self.notes = notes


def convert(content: bytes) -> Converted:
    """The component file ``content`` with its arguments as Hydra takes them.

    Raises FileError for what is no component, before anything is done.
    """
    component = component_of(content)
    try:
        text = content.decode("utf-8-sig")
        document = yaml.compose(text, Loader=yaml.SafeLoader)  # whose marks count characters
    except (UnicodeDecodeError, yaml.YAMLError):
        raise FileError("it can't be rewritten as it is", remedy="save it as UTF-8") from None
    container = _under(_under(document, "implementation"), "container")
    edits: list[_Edit] = []
    notes: list[str] = []
    for key in ("command", "args"):
        node = _under(container, key)
        if isinstance(node, yaml.SequenceNode):
            _Rewriter(text, component, edits, notes, literals=key == "args").sequence(node)
    if edits and any(edit.anchored for edit in edits):
        raise FileError(
            "what is to be rewritten has an anchor (&) or stands for one (*)",
            remedy="write it out",
        )
    result = text
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        result = result[: edit.start] + edit.text + result[edit.end :]
    renamed = [
        f"line {port.line}: kfp itself calls {port.name} {port.key}: `mlpipeline pipeline compile` "
        "sees to that, kfp's own loader does not in such texts"
        for port in (*component.inputs.values(), *component.outputs.values())
        if port.name != port.key and edits
    ]
    after = component_of(result.encode())
    assert after.inputs.keys() == component.inputs.keys()
    return Converted(result, sum(edit.counts for edit in edits), notes + renamed)


class _Edit:
    __slots__ = ("anchored", "counts", "end", "start", "text")

    def __init__(self, start: int, end: int, text: str, *, counts: int = 0, anchored: bool = False):
        self.start = start
        self.end = end
        self.text = text
        self.counts = counts
        self.anchored = anchored


class _Rewriter:
    """Finds what is to be rewritten in one list of words."""

    def __init__(
        self, text: str, component: Component, edits: list[_Edit], notes: list[str], *,
        literals: bool,
    ):  # fmt: skip
        """``literals``: options with values of their own are rewritten, too; in a command they may
        be those of Python or of what starts the program.
        """
        self._text = text
        self._component = component
        self._edits = edits
        self._notes = notes
        self._literals = literals

    def sequence(self, node: yaml.SequenceNode) -> None:
        items = list(node.value)
        at = 0
        while at < len(items):
            item = items[at]
            following = items[at + 1] if at + 1 < len(items) else None
            at += 1 + self._item(item, following, flow=bool(node.flow_style))

    def _item(self, item: yaml.Node, following: yaml.Node | None, *, flow: bool) -> int:
        """Rewrite one item; returns how many after it went into it."""
        if isinstance(item, yaml.MappingNode):
            self._mapping(item)
            return 0
        if not isinstance(item, yaml.ScalarNode):
            return 0
        said = str(item.value)
        option, equals = LONG.fullmatch(said), LONG_EQUALS.fullmatch(said)
        if equals and (PLACEHOLDER.search(equals[2]) or self._literals):
            if equals[1] not in HYDRAS:
                self._replace(item, item, f"{equals[1]}={_quoted(equals[2])}", flow=flow)
            return 0
        if not option or option[1] in HYDRAS:
            self._note_alone(item)
            has_value = option is not None and option[1] in HYDRAS_WITH_VALUE
            return int(self._literals and has_value)
        value = self._value(following)
        if value is not None:
            assert following is not None
            self._replace(item, following, f"{option[1]}={value}", flow=flow)
            return 1
        if not self._literals:
            return 0
        if isinstance(following, yaml.ScalarNode) and _is_value(following):
            self._replace(item, following, f"{option[1]}={_quoted(following.value)}", flow=flow)
            return 1
        if _key(following) == "if" or (_key(following) == "concat" and not self._joined(following)):
            self._note(item, f"{said} is followed by {_key(following)}, which is left as it is")
            return 0
        self._replace(item, item, f"{option[1]}=true", flow=flow)
        self._note(item, f"{said} has no value, and became {option[1]}=true")
        return 0

    def _value(self, node: yaml.Node | None) -> str | None:
        """The text for a placeholder that is an item; None for what is none."""
        if isinstance(node, yaml.ScalarNode) and PLACEHOLDER.match(str(node.value)):
            return str(node.value)
        key = _key(node)
        if key == "concat":
            joined = self._joined(node)
            return None if joined is None or joined.startswith("--") else joined
        if key not in ITEMS:
            return None
        assert isinstance(node, yaml.MappingNode)
        name = str(node.value[0][1].value)
        kind = ITEMS[key]
        port = self._component.output(name) if key.startswith("output") else None
        if key == "outputPath" and port is not None and port.is_parameter:
            return written("output file", name)
        return written(kind, name)

    def _mapping(self, node: yaml.MappingNode) -> None:
        key = _key(node)
        if key in ITEMS:
            self._note(node, f"{{{key}: …}} has no --name before it, and Hydra wants NAME=VALUE")
        elif key == "concat":
            self._concat(node)
        elif key == "if":
            for name, value in node.value[0][1].value:
                if name.value in ("then", "else") and isinstance(value, yaml.SequenceNode):
                    self.sequence(value)

    def _concat(self, node: yaml.MappingNode) -> None:
        """``{concat: [--x=, {inputValue: x}]}`` is one text."""
        equals = LONG_EQUALS.fullmatch(self._joined(node) or "")
        if equals:
            self._replace(node, node, f"{equals[1]}={equals[2]}", flow=True)

    def _joined(self, node: yaml.Node | None) -> str | None:
        """The one text that a concat is; None where that depends on what is given."""
        assert isinstance(node, yaml.MappingNode)
        parts = []
        for item in node.value[0][1].value:
            value = str(item.value) if isinstance(item, yaml.ScalarNode) else self._value(item)
            if value is None:
                return None
            parts.append(value)
        return "".join(parts)

    def _replace(self, first: yaml.Node, last: yaml.Node, new: str, *, flow: bool) -> None:
        text = self._text
        start, end = first.start_mark.index, _end(text, last)
        written_ = _double_quoted(new)
        anchored = text[start] in "&*" or text[last.start_mark.index] in "&*"
        if first is last:
            self._edits.append(_Edit(start, end, written_, counts=1, anchored=anchored))
            return
        between = text[_end(text, first) : last.start_mark.index]
        comments = [line.strip() for line in _comments(between)]
        newline = "\r\n" if "\r\n" in text else "\n"
        if flow:
            indent = " " * first.start_mark.column
            lead = "".join(f"{comment}{newline}{indent}" for comment in comments)
            if lead and text[start - 1] not in " \n":
                lead = " " + lead
            self._edits.append(_Edit(start, end, lead + written_, counts=1, anchored=anchored))
            return
        # In a block each item has its own lines: what is said behind the last one goes behind the
        # first, unless something is said there; and comments of lines of their own stay there.
        begin = text.rindex("\n", 0, last.start_mark.index) + 1
        stop = text.find("\n", end)
        stop = len(text) if stop < 0 else stop + 1
        tail = text[end:stop].rstrip()
        tail = tail if tail.strip().startswith("#") else ""
        kept = ""
        if tail and text[_end(text, first) :].partition("\n")[0].strip():
            tail, kept = "", f"{' ' * first.start_mark.column}{tail.strip()}{newline}"
        self._edits += [
            _Edit(start, _end(text, first), written_ + tail, counts=1, anchored=anchored),
            _Edit(begin, stop, kept),
        ]

    def _note_alone(self, item: yaml.ScalarNode) -> None:
        said = str(item.value)
        if PLACEHOLDER.match(said):
            self._note(item, f"{said} has no NAME= before it, which Hydra wants")
        elif re.fullmatch(r"-[A-Za-z]\w*", said) and self._literals:
            self._note(item, f"{said} is left as it is: Hydra knows no such option but its own")

    def _note(self, node: yaml.Node, said: str) -> None:
        self._notes.append(f"line {node.start_mark.line + 1}: {said}")


def _under(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return value  # type: ignore[no-any-return]
    return None


def _key(node: yaml.Node | None) -> str:
    """The one key of a mapping; empty for others."""
    if isinstance(node, yaml.MappingNode) and len(node.value) == 1:
        return str(node.value[0][0].value)
    return ""


def _is_value(node: yaml.ScalarNode) -> bool:
    """Whether an option takes the word behind it."""
    said = str(node.value)
    is_number = re.fullmatch(r"-?\.?\d.*", said)
    return bool(is_number) or not (said.startswith("-") or re.match(r"[\w.]+=", said))


def _quoted(value: str) -> str:
    """A value as Hydra's grammar takes it; placeholders are filled in later, and stay bare."""
    if PLACEHOLDER.search(value) or _BARE.fullmatch(value):
        return value
    escaped = re.sub(r"(\\*)'", lambda match: match[1] * 2 + "\\'", value)
    trailing = len(escaped) - len(escaped.rstrip("\\"))
    backslashes = "\\" * trailing
    return f"'{escaped}{backslashes}'"


def _double_quoted(text: str) -> str:
    """A text as YAML has it in double quotes."""
    inner = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return '"' + inner.replace("\n", "\\n") + '"'


def _end(text: str, node: yaml.Node) -> int:
    """Where a node ends, without what PyYAML counts to a block mapping after it."""
    end: int = node.end_mark.index
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return _end(text, node.value[-1][1])
    return end


def _comments(between: str) -> Iterator[str]:
    for line in between.split("\n"):
        _, sign, comment = line.partition("#")
        if sign:
            yield f"#{comment}"
