"""Changing a list of models in its file: under a lock, at once, and only as it was meant."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from mlpipeline.errors import ConfigError, StorageError, short
from mlpipeline.state.files import storage, write_whole
from mlpipeline.state.layout import Layout
from mlpipeline.state.list_edits import Decision, edited, meant, same
from mlpipeline.state.lists import ListText, ModelList, read_list
from mlpipeline.state.lock import list_lock


class Revision(msgspec.Struct, frozen=True):
    """A list before and after a change."""

    before: ModelList
    after: ModelList
    done: str  # in words


def revise(layout: Layout, name: str, decide: Callable[[ModelList], Decision]) -> Revision:
    """Change the list ``name`` as ``decide`` says when it sees it.

    Two that do so at once take turns. Raises ConfigError for a list that can't be used, now or
    after the change, and StorageError when it can't be written; the file is then as it was.
    """
    path = layout.project / name
    with list_lock(layout.list_lock):
        text = ListText.read(path)
        before = read_list(text, layout.models_dir)
        decision = decide(before)
        if decision.change is None:
            return Revision(before, before, decision.done)
        expected = meant(before, decision.change)
        content = edited(text.content, before.section, decision.change)
        if content == text.content:
            return Revision(before, before, decision.done)
        content = _whole(content, text.content)
        after = _read_back(ListText(path, content, 0), layout.models_dir, expected)
        replace_text(path, content)
    return Revision(before, after, decision.done)


def _whole(content: str, before: str) -> str:
    """``content``, with a blank line behind it where it could be ``before``, cut short."""
    ends = "\r\n" if content.partition("\n")[0].endswith("\r") else "\n"
    while before.startswith(content):
        content += ends
    return content


def _read_back(text: ListText, models_dir: Path, expected: ModelList) -> ModelList:
    """The list that ``text`` is; raises ConfigError when it is not the ``expected`` one."""
    remedy = "nothing was written; a name in it may hold what divides a line: = : # or a comma"
    try:
        models = read_list(text, models_dir)
    except ConfigError as error:
        raise ConfigError(
            text.path, f"after this change, {error.problem}", remedy="nothing was written"
        ) from None
    if not same(models, expected):
        raise ConfigError(text.path, "after this change it would read otherwise", remedy=remedy)
    return models


def replace_text(path: Path, content: str) -> None:
    """Put ``content`` in the place of the file, or of what it links to, with its rights.

    Raises StorageError.
    """
    with storage(f"{short(path)} can't be written"):
        target = path.resolve()
        if not os.access(target, os.W_OK):
            raise StorageError(f"{short(path)} may not be written to; give yourself the right")
        stat = target.stat()
        mark = codecs.BOM_UTF8 if target.read_bytes().startswith(codecs.BOM_UTF8) else b""
        write_whole(
            target,
            mark + content.encode(),
            lasting=True,
            mode=stat.st_mode & 0o7777,
            owner=(stat.st_uid, stat.st_gid),
        )
