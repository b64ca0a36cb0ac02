"""Command files as commands write them: a new one, and another version in one that is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import yaml

from mlpipeline.errors import ConfigError, MlpipelineError, short
from mlpipeline.state.files import storage
from mlpipeline.state.yaml_flow import flow

HEAD = "# Made by `mlpipeline add`. Edit it as you like: docs/commands.md says what it may hold.\n"


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What a command file says, as far as another version depends on it."""

    text: str
    command: Any = None
    cwd: str = ""
    chain: str = ""
    overrides: tuple[str, ...] = ()  # shared by all, a sweep
    versions: tuple[dict[str, Any], ...] = ()
    has_others: bool = False  # versions that are not listed one by one, but a grid's or a sweep's


def read(path: Any) -> Written:
    """What the file at ``path`` says; raises ConfigError, and StorageError."""
    with storage(f"{short(path)} can't be read"):
        content = path.read_bytes()
    try:
        text = content.decode()
        document = yaml.load(text, _Loader)
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(
            path, "it is no YAML", line=mark.line + 1 if mark else None, remedy="mend it by hand"
        ) from None
    if not isinstance(document, dict):
        raise ConfigError(path, "it has no keys", remedy="mend it by hand")
    versions = document.get("versions") or []
    if not isinstance(versions, list) or not all(isinstance(each, dict) for each in versions):
        raise ConfigError(path, "its versions are no list", remedy="mend it by hand")
    overrides = document.get("overrides") or []
    return Written(
        text=text,
        command=document.get("command"),
        cwd=str(document.get("cwd") or ""),
        chain=str(document.get("chain") or ""),
        overrides=tuple(map(str, overrides)) if isinstance(overrides, list) else (str(overrides),),
        versions=tuple(versions),
        has_others=bool(document.get("grid") or overrides),
    )


def new(
    command: Sequence[str],
    *,
    shared: Mapping[str, Any],
    version: Mapping[str, Any] | None,
) -> str:
    """The text of a command file; ``shared`` are further keys, ``version`` the only one so far."""
    lines = [f"{key}: {flow(value)}" for key, value in {"command": list(command), **shared}.items()]
    if version is not None:
        lines += ["versions:", f"  - {flow(version)}"]
    return HEAD + "\n".join(lines) + "\n"


def with_versions(path: Any, written: Written, added: Sequence[Mapping[str, Any]]) -> str:
    """The file's text with further versions at the end of its list; all else stays as it is.

    Raises MlpipelineError where that can't be done by adding lines.
    """
    text = written.text if written.text.endswith("\n") else written.text + "\n"
    lines = text.splitlines(keepends=True)
    node = _versions_node(text)
    if node is None:
        at, indent = len(lines), "  "
        lines.append("versions:\n")
        at += 1
    elif node.flow_style or not node.value:
        raise _by_hand(path)
    else:
        at, indent = end_of(node) + 1, " " * node.start_mark.column
    ends = "\r\n" if lines[0].endswith("\r\n") else "\n"
    lines[at:at] = [f"{indent}- {flow(version)}{ends}" for version in added]
    changed = "".join(lines)
    before = loaded(written.text)
    before["versions"] = [*(before.get("versions") or []), *(loaded(flow(each)) for each in added)]
    if loaded(changed) != before:
        raise _by_hand(path)
    return changed


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """All words as they are written."""

    yaml_implicit_resolvers: dict[str, Any] = {  # noqa: RUF012 - as PyYAML has it
        key: [(tag, pattern) for tag, pattern in pairs if tag.endswith((":null", ":merge"))]
        for key, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def loaded(text: str) -> Any:
    """What a YAML text says, with all words as they are written; None for what is no YAML."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError:
        return None


def _versions_node(text: str) -> Any:
    document: Any = yaml.compose(text, Loader=_Loader)
    for key, value in document.value:
        if key.value == "versions" and isinstance(value, yaml.SequenceNode):
            return value
    return None


def end_of(node: Any) -> int:
    """The number of the last line of a node, from 0, without what follows it."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style:
        mark = node.end_mark
        line: int = mark.line
        return line - 1 if mark.column == 0 and line > node.start_mark.line else line
    last = node.value[-1]
    return end_of(last[1] if isinstance(last, tuple) else last)


def _by_hand(path: Any) -> MlpipelineError:
    return MlpipelineError(
        f"{short(path)} can't be added to: its versions are no list with a line for each; "
        "nothing was written, add it by hand"
    )
