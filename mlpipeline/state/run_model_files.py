"""Command files as ``mlpipeline run`` writes them, and edits them: a row for each version.

What a person has added, comments too, stays: only the lines of the command and of the versions in
question are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import yaml

from mlpipeline.errors import ConfigError
from mlpipeline.state.command_files import end_of, loaded
from mlpipeline.state.yaml_flow import flow

HEAD = "# Made by `mlpipeline run`"
_NUMBER = re.compile(r"[-+]?(\d+|\d*\.\d+|\d+\.\d*)([eE][-+]?\d+)?")
_TRUTH = ("true", "false")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A version: its parameters, as they are written, and what it adds to the command."""

    name: str
    parameters: Mapping[str, str] = {}
    arguments: tuple[str, ...] = ()
    overrides: Mapping[str, str] = {}  # Hydra's, as further parameters, to be compared by

    @property
    def text(self) -> str:
        """It in one line of YAML."""
        pairs = [f"name: {flow(self.name)}"]
        pairs += [f"{flow(key)}: {_word(value)}" for key, value in self.parameters.items()]
        pairs += [f"{flow(key)}: {_word(value)}" for key, value in self.overrides.items()]
        if self.arguments:
            pairs.append(f"arguments: {flow(self.arguments)}")
        return f"{{{', '.join(pairs)}}}"


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What all versions in a file share."""

    said: str  # the address and entry point that it is for, without secrets
    command: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = {}

    @property
    def head(self) -> str:
        """The line by which the file is found again."""
        return f"{HEAD} {self.said if self.said.isprintable() else repr(self.said)}"

    @property
    def lines(self) -> dict[str, str]:
        """Each key with its line; without what there is nothing to say of."""
        found = {"command": f"command: {flow(self.command)}"}
        if self.cwd not in ("", "."):
            found["cwd"] = f"cwd: {flow(self.cwd)}"
        if self.env:
            pairs = (f"{key}: {flow(value)}" for key, value in self.env.items())
            found["env"] = f"env: {{{', '.join(pairs)}}}"
        return found


def is_for(text: str, shared: Shared) -> bool:
    """Whether a file was made for the same entry point."""
    return text.partition("\n")[0].rstrip("\r") == shared.head


def new_text(shared: Shared, rows: Sequence[Row]) -> str:
    """A new file."""
    lines = [
        shared.head,
        "# Edit it as you like: docs/commands.md says what it may hold.",
        *shared.lines.values(),
        "versions:",
        *(f"- {row.text}" for row in rows),
    ]
    return "".join(f"{line}\n" for line in lines)


def names_in(path: Any, text: str) -> list[str]:
    """The versions in a file; raises ConfigError."""
    _, versions = _nodes(path, text)
    return [_name(item) for item in versions.value] if versions is not None else []


def edited_text(path: Any, text: str, shared: Shared, rows: Sequence[Row]) -> str:
    """The file with the command as it is now, and ``rows`` in the place of those of their names,
    or at the end; raises ConfigError for one that can't be edited.
    """
    keys, versions = _nodes(path, text)
    lines = text.splitlines()
    if versions is None or versions.flow_style:
        raise _by_hand(path)
    changes: list[tuple[int, int, list[str]]] = []  # from, to, what is put there
    wanted = shared.lines
    for key in ("command", "cwd", "env"):
        node = keys.get(key)
        if node is not None:
            new = [wanted[key]] if key in wanted else []
            if key == "env" and key not in wanted:
                continue  # a person's own
            changes.append((node[0].start_mark.line, end_of(node[1]) + 1, new))
        elif key in wanted:
            at = keys["command"][0].start_mark.line if "command" in keys else len(lines)
            changes.append((at, at, [wanted[key]]))
    there = {_name(item): item for item in versions.value}
    indent = " " * versions.start_mark.column
    more = []
    for row in rows:
        line = f"{indent}- {row.text}"
        item = there.get(row.name)
        if item is None:
            more.append(line)
        else:
            changes.append((item.start_mark.line, end_of(item) + 1, [line]))
    end = end_of(versions) + 1
    changes.append((end, end, more))
    for start, stop, new in sorted(changes, key=lambda each: each[:2], reverse=True):
        lines[start:stop] = new
    changed = "".join(f"{line}\n" for line in lines)
    if loaded(changed) != _meant(path, text, shared, rows):
        raise _by_hand(path)
    return changed


def _meant(path: Any, text: str, shared: Shared, rows: Sequence[Row]) -> Any:
    """What the file is to say after the edit, which is all that it said but for what we know of."""
    said = loaded(text)
    new = {key: loaded(line)[key] for key, line in shared.lines.items()}
    for key in ("command", "cwd"):
        said.pop(key, None)
    versions = list(said["versions"])
    names = names_in(path, text)
    for row in rows:
        if row.name in names:
            versions[names.index(row.name)] = loaded(row.text)
        else:
            versions.append(loaded(row.text))
    return {**said, **new, "versions": versions}


def _nodes(path: Any, text: str) -> tuple[dict[str, tuple[yaml.Node, yaml.Node]], Any]:
    """The keys of a file, each with its value, and the list of its versions, if any."""
    try:
        document: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(
            path, "it is no YAML", line=mark.line + 1 if mark else None, remedy="mend it by hand"
        ) from None
    if not isinstance(document, yaml.MappingNode):
        raise _by_hand(path)
    keys = {str(key.value): (key, value) for key, value in document.value}
    versions = keys.get("versions", (None, None))[1]
    if not isinstance(versions, yaml.SequenceNode) or not versions.value:
        return keys, None
    return keys, versions


def _name(item: yaml.Node) -> str:
    pairs = item.value if isinstance(item, yaml.MappingNode) else ()
    return next((str(value.value) for key, value in pairs if key.value == "name"), "")


def _word(text: str) -> str:
    """A value that may be a number or a truth value."""
    return text if _NUMBER.fullmatch(text) or text in _TRUTH else flow(text)


def _by_hand(path: Any) -> ConfigError:
    return ConfigError(
        path,
        "it can't be added to: its versions are no list with a line for each",
        remedy="give it another name, and the same command makes a new one; nothing was written",
    )
