"""The exception that a Python program ended with, as its console has it."""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from typing import Any

LAST = 1 << 16  # bytes of the console that are looked at
BEGIN = "Traceback (most recent call last):\n"
_LAST_LINE = re.compile(r"([A-Za-z_][\w.]*)(?:: (.*))?", re.DOTALL)
_ERRNO = re.compile(r"\[Errno (\d+)\]")


def exception(console: str) -> dict[str, Any] | None:
    """A ``launch.Failure`` for the traceback that ends the file ``console``; None without one.

    The interpreter ends a traceback with the exception's type and its message, on lines that are
    not indented.
    """
    try:
        with open(console, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LAST))
            text = file.read().decode("utf-8", "replace").rstrip()
    except OSError:
        return None
    before, begin, rest = text.rpartition(BEGIN)
    lines = rest.split("\n")
    if not begin or (before and not before.endswith("\n")):
        return None
    at = next((n for n, line in enumerate(lines) if not line.startswith(" ")), len(lines))
    match = _LAST_LINE.fullmatch("\n".join(lines[at:]))
    if match is None:
        return None
    kind, message = match[1], match[2] or ""
    number = _ERRNO.match(message)
    return {
        "part": "command",
        "type": kind,
        "message": message,
        "traceback": f"{begin}{rest}\n",
        "bases": [],
        "errno": int(number[1]) if number else None,
    }
