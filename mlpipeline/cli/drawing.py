"""Curves as text for a terminal. The one place that knows plotext."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import click
import plotext

from mlpipeline.core.curves import Point, thinned
from mlpipeline.core.wording import shown
from mlpipeline.core.wording import width as wide

COLOURS = (39, 208, 40, 201, 196, 226, 51, 250)  # of the 256 that terminals have
LETTERS = "abcdefghijklmnopqrstuvwxyz"  # mark the curves where there are no colours
POINTS_A_COLUMN = 6  # that are drawn of each curve
TICKS = 5
# plotext's frame
TO_ASCII = str.maketrans("─│┌┐└┘├┤┬┴┼", "-|+++++++++")


class Line:
    """A curve of at least one point, by the name that the legend says."""

    def __init__(self, name: str, points: Sequence[Point], note: str = ""):
        self.name = name
        self.points = points
        self.note = note


def draw(
    title: str, lines: Sequence[Line], *, width: int, height: int, colours: bool, ascii_only: bool
) -> str:
    """``lines`` in one frame of ``width`` by ``height`` characters, and a legend below it."""
    marks = _marks(len(lines), colours, ascii_only)
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(width, height)
    plotext.title(title)
    shown_points = [thinned(line.points, POINTS_A_COLUMN * width) for line in lines]
    for (marker, colour), points in zip(marks, shown_points, strict=False):
        steps, values = zip(*points, strict=True)
        plotext.plot(list(steps), list(values), marker=marker, color=colour)
    plotext.xticks(*_ticks([step for points in shown_points for step, _ in points], whole=True))
    plotext.yticks(*_ticks([value for points in shown_points for _, value in points]))
    plotext.xlabel("step")
    text = plotext.build()
    text = text if colours else plotext.uncolorize(text)
    longest = max(wide(line.name) for line in lines)
    legend = [_legend(*each, longest) for each in zip(lines, marks, strict=False)]
    drawn = "\n".join([*(line.rstrip() for line in text.splitlines()), *legend])
    return drawn.translate(TO_ASCII) if ascii_only else drawn


def _marks(count: int, colours: bool, ascii_only: bool) -> list[tuple[str, int | None]]:
    """Marker and colour of each curve: what one terminal can tell apart."""
    line = "*" if ascii_only else "braille"
    if colours:
        return [(line, colour) for _, colour in zip(range(count), cycle(COLOURS), strict=False)]
    if count == 1:
        return [(line, None)]
    return [(letter, None) for _, letter in zip(range(count), cycle(LETTERS), strict=False)]


def _legend(line: Line, mark: tuple[str, int | None], longest: int) -> str:
    marker, colour = mark
    sign = "━━" if marker == "braille" else marker * 2
    sign = sign if colour is None else click.style(sign, fg=colour)
    return f"{sign} {line.name}{' ' * (longest - wide(line.name))}  {line.note}".rstrip()


def _ticks(values: Sequence[float], *, whole: bool = False) -> tuple[list[float], list[str]]:
    """Evenly spaced places on an axis, and what is written there."""
    low, high = min(values), max(values)
    places = [low + (high - low) * number / (TICKS - 1) for number in range(TICKS)]
    if whole:
        places = [float(round(place)) for place in places]
        return places, [f"{place:.0f}" for place in places]
    return places, [shown(place, digits=4) for place in places]
