"""What a session keeps for views: the list that it goes on with, and the edit that it refuses.

Both are remade by the next reading of a session; without them, views know less.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from mlpipeline.errors import ConfigError
from mlpipeline.state.files import NOT_A_RECORD, write_whole
from mlpipeline.state.lists import ListText, ModelList, read_list

STAYS = "the list before this edit stays in use"


class Refusal(msgspec.Struct, frozen=True):
    """A list, as its file has it, that says what can't be of a model, and why."""

    content: str
    problems: tuple[str, ...]


class ListInUse:
    """A file with the list that a session uses, and one beside it with an edit that it refuses."""

    def __init__(self, path: Path | None, list_path: Path, models_dir: Path):
        """``path``: of the former; None: nothing is kept. ``list_path``: of the list itself."""
        self._path = path
        self._refused = path.with_name(f"{path.name}-refused") if path else None
        self._list_path = list_path
        self._models_dir = models_dir

    def remember(self, text: ListText) -> None:
        """A session uses the list from now on."""
        if self._path and self._refused:
            with suppress(OSError):
                write_whole(self._path, text.content.encode())
            with suppress(OSError):
                self._refused.unlink(missing_ok=True)

    def refuse(self, text: ListText, problems: Sequence[str]) -> None:
        """A session goes on with the list before ``text``."""
        if self._refused:
            with suppress(OSError):
                refusal = Refusal(text.content, tuple(problems))
                write_whole(self._refused, msgspec.json.encode(refusal))

    def recall(self) -> ModelList | None:
        """The list that the last session used; None where that can't be told."""
        if self._path is None:
            return None
        try:
            content = self._path.read_text("utf-8")
            return read_list(ListText(self._list_path, content, 0.0), self._models_dir)
        except (OSError, UnicodeDecodeError, ConfigError):
            return None

    def refusal_of(self, text: ListText) -> tuple[str, ...]:
        """Why the last session does not use the list as it stands; empty where it may."""
        try:
            content = self._refused.read_bytes() if self._refused else b""
            refusal = msgspec.json.decode(content, type=Refusal)
        except (OSError, *NOT_A_RECORD):
            return ()
        if refusal.content != text.content:
            return ()
        return tuple(f"{problem} ({STAYS})" for problem in refusal.problems)
