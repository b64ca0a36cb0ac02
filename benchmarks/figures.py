"""Figures for people: medians, spreads, ratios and tables. Pure."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Sequence

WIDTH = 100  # columns


def shown(value: float) -> str:
    """Three digits or so: 0.123, 1.23, 12.3, 123."""
    digits = 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f}"


def median(values: Sequence[float]) -> str:
    return shown(statistics.median(values))


def spread(values: Sequence[float]) -> str:
    """From the least to the most."""
    return f"{shown(min(values))} to {shown(max(values))}"


def ratio(values: Sequence[float], to: Sequence[float]) -> str:
    """How many times the median of ``to`` the median of ``values`` is; a dash when not known."""
    if not to or not statistics.median(to):
        return "–"
    return f"{statistics.median(values) / statistics.median(to):.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of aligned columns, the first to the left, the others to the right.

    Raises ValueError for a row that is not as long as ``head``. Lines are cut at WIDTH.
    """
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = (
        "  ".join([first.ljust(widths[0]), *map(str.rjust, rest, widths[1:])]).rstrip()
        for first, *rest in lines
    )
    return "\n".join(text if len(text) <= WIDTH else text[: WIDTH - 1] + "…" for text in texts)


def wrapped(text: str) -> str:
    """Lines of at most WIDTH."""
    return textwrap.fill(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
