"""Table 1 as a picture; needs matplotlib, which nothing else here does."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path


def draw(times: Mapping[str, Sequence[float]], path: Path) -> None:
    """Milliseconds a run as dots, quickest on top, with the spread; raises ImportError.

    No bars: the scale is logarithmic, and has no zero for them to start at.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    names = sorted(times, key=lambda name: -statistics.median(times[name]))
    medians = [statistics.median(times[name]) for name in names]
    below = [middle - min(times[name]) for name, middle in zip(names, medians, strict=True)]
    above = [max(times[name]) - middle for name, middle in zip(names, medians, strict=True)]
    colours = ["#d1495b" if name.startswith("mlpipeline") else "#8d99ae" for name in names]
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text
    figure = Figure(figsize=(8, 0.4 * len(names) + 1.2), layout="constrained")
    axes = figure.subplots()
    for name, middle, low, high, colour in zip(names, medians, below, above, colours, strict=True):
        axes.errorbar(middle, name, xerr=[[low], [high]], fmt="o", color=colour)
        axes.annotate(
            f"{middle:.3g}", (middle, name), (0, 6), textcoords="offset points", ha="center"
        )
    axes.set_xscale("log")
    axes.margins(x=0.1, y=0.15)
    axes.grid(axis="y", color="#e5e5e5")
    axes.set_xlabel("wall milliseconds a no-op run (median, from least to most)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
