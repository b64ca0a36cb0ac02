"""How a run's own processes write into the run's folder. Imports next to nothing."""

from __future__ import annotations

import json
import os
import time

TYPE_CHECKING = False  # as `typing` has it; importing typing would cost each run 10 ms
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def write_json(
    folder: str,
    name: str,
    content: Mapping[str, Any],
    *,
    durable: bool = False,
    exclusive: bool = False,
) -> None:
    """Put ``content`` at ``folder``/``name`` at once: a temporary file, then a rename.

    ``durable``: it is on the disk when this returns. ``exclusive``: raises FileExistsError, and
    changes nothing, when there is such a file already.
    """
    temporary = os.path.join(folder, f".{name}")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(content, file)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    if exclusive:
        os.link(temporary, os.path.join(folder, name))
        os.unlink(temporary)
    else:
        os.replace(temporary, os.path.join(folder, name))


def append_text(folder: str, name: str, text: str) -> None:
    """Add ``text`` to ``folder``/``name``."""
    with open(os.path.join(folder, name), "a", encoding="utf-8", errors="replace") as file:
        file.write(text)


def iso_now() -> str:
    """The time now, in ISO 8601 with the offset from UTC. (Importing datetime takes 2 ms.)"""
    now = time.time()
    local = time.localtime(now)
    offset = time.strftime("%z", local)
    microseconds = int(now % 1 * 1e6)
    return (
        f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}.{microseconds:06d}{offset[:3]}:{offset[3:]}"
    )
