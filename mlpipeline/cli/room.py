"""How text and tables are made to fit the columns of a terminal."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence

from mlpipeline.core.wording import width

GAP = 2  # blanks between two columns of a table
LEAST = 20  # columns that words beside a name keep, where there are so many
SHORTEST = 12  # columns that are worth showing of a name, or of words
SEPARATOR = " · "  # between the parts of a line


def columns() -> int:
    """How wide the terminal is."""
    return shutil.get_terminal_size().columns


def shares(widths: Mapping[str, int], total: int, name: str) -> dict[str, int]:
    """How wide each column of a table may be, whose cells have ``widths``, in ``total``.

    Where they are too wide, words give way down to LEAST, then ``name``, then words are left out;
    words are the columns but ``name`` that are wider than LEAST.
    """
    words = {key: wide for key, wide in widths.items() if key != name and wide > LEAST}
    found = {key: wide for key, wide in widths.items() if key not in words}
    if words and name in found:
        found[name] = min(found[name], max(SHORTEST, total // 2))
    left = total - GAP * (len(widths) - 1) - sum(found.values())
    if left < LEAST * len(words) and name in found:
        left += found[name]
        found[name] = min(found[name], max(SHORTEST, left // 2, left - LEAST * len(words)))
        left -= found[name]
    if left < SHORTEST * len(words):
        left += GAP * len(words) + found.pop(name, 0)
        return {**found, name: max(SHORTEST, left)} if name in widths else found
    for number, key in enumerate(sorted(words, key=words.__getitem__)):
        found[key] = min(words[key], left // (len(words) - number))
        left -= found[key]
    return found


def wrapped(text: str, total: int, hang: int = 0) -> list[str]:
    """``text`` in lines of at most ``total`` columns, broken between words where they are not
    longer than that; all lines but the first are ``hang`` columns in. What stands in backquotes is
    a command to copy, and stays whole.
    """
    return _filled(re.findall(r"\s*(?:`[^`]*`|\S)+", text), total, " " * hang)


def parted(text: str, total: int) -> list[str]:
    """As :func:`wrapped`, but broken between the parts that SEPARATOR divides, or else after a
    comma, where that does.
    """
    first, *more = text.split(SEPARATOR)
    return [
        row
        for part in _filled([first, *(f"{SEPARATOR}{part}" for part in more)], total, "")
        for clause in _filled(re.split(r"(?<=,)(?= )", part), total, "")
        for row in wrapped(clause, total)
    ]


def _filled(pieces: Sequence[str], total: int, hang: str) -> list[str]:
    """Lines of as many ``pieces`` as fit; what separates them is left out where a line ends."""
    lines: list[str] = []
    for piece in pieces:
        if lines and width(lines[-1]) + width(piece) <= total:
            lines[-1] += piece
        else:
            lines.append(hang + piece.lstrip(SEPARATOR) if lines else piece)
    return lines
