"""What a list of models says beside a model file, as the file meets it while it is loaded.

Whoever loads a file sets ``now`` before; whatever has versions by Hydra's overrides asks it, and
notes what came of it and which files were read.
"""

from __future__ import annotations

import os
import re

from mlpipeline.api.sweeps import MOST

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class Listed:
    """A listed line, and what a model file made of it."""

    def __init__(
        self,
        text: str = "",
        *,
        most: int | None = MOST,
        are_names: Callable[[str, Collection[str]], bool] = lambda text, names: False,
        used: str = "",
        wanted: str = "",
    ):
        """``text`` stands behind the file's name: the names of versions, or overrides.

        ``most``: jobs that a sweep may have; None: any number. ``are_names`` says whether the text
        is made of such names only. ``used``: in a run, overrides that were found to be such before,
        and ``wanted`` the version that runs.
        """
        self.text = text or used
        self.most = most
        self.wanted = wanted
        self._are_names = are_names
        self.takes_overrides = False  # whether some versions are made of overrides
        self.used = used  # the text, where it was taken for overrides
        self.largest = 0  # jobs in a sweep
        self.files: dict[str, tuple[int, int]] = {}  # mtime (ns) and size of what else was read

    def overrides(self, names: Callable[[], Collection[str]]) -> list[str]:
        """The overrides that the list adds; none where it names versions of ``names()``."""
        self.takes_overrides = True
        pieces = split(self.text)
        if not pieces or not all(map(looks_like_override, pieces)):
            return []
        if not self.used and self._are_names(self.text, names()):
            return []
        self.used = self.text
        return pieces

    def note_files(self, folder: str) -> None:
        """All configs below ``folder`` were read, and it is looked at which there are."""
        if folder in self.files:
            return
        seen = set()  # links may lead in a circle
        for place, folders, names in os.walk(folder, followlinks=True):
            folders[:] = [
                each
                for each in folders
                if is_group(each) and os.path.realpath(f"{place}/{each}") not in seen
            ]
            seen |= {os.path.realpath(f"{place}/{each}") for each in folders}
            for path in (place, *(f"{place}/{each}" for each in names if is_config(each))):
                try:
                    stat = os.stat(path)
                except OSError:
                    continue
                self.files[path] = stat.st_mtime_ns, stat.st_size


now = Listed()


def is_config(name: str) -> bool:
    """Whether a file may be one of Hydra's configs by its name."""
    return name.endswith((".yaml", ".yml")) and not name.startswith(".")


def is_group(name: str) -> bool:
    """Whether a folder may hold such files: none that a run or Python makes."""
    return name not in ("outputs", "multirun", "__pycache__") and not name.startswith(".")


def content_of(path: str) -> bytes:
    """What a file holds; of a folder, which configs and groups there are. Raises OSError."""
    if not os.path.isdir(path):
        with open(path, "rb") as file:
            return file.read()
    with os.scandir(path) as entries:
        names = [
            each.name for each in entries if (is_group if each.is_dir() else is_config)(each.name)
        ]
    return "\n".join(sorted(names)).encode("utf-8", "surrogateescape")


def looks_like_override(text: str) -> bool:
    """Whether one piece of a listed line can be an override: ``key=value`` or ``~key``."""
    return text.startswith("~") or "=" in text.lstrip("=")


def split(text: str) -> list[str]:
    """The overrides in a listed line: apart at blanks that no quotes or brackets surround."""
    pieces = [""]
    quote, depth, is_escaped = "", 0, False
    for character in text:
        if is_escaped:
            is_escaped = False
        elif character == "\\":
            is_escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character.isspace() and depth <= 0:
            pieces.append("")
            continue
        pieces[-1] += character
    return [piece for piece in pieces if piece]


def quoted(text: str) -> str:
    """A text as Hydra's grammar quotes it: a value of an override that may hold anything."""
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    tail = len(escaped) - len(escaped.rstrip("\\"))
    return f"'{escaped}{tail * chr(92)}'"
