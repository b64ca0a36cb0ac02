"""Table 2, upper half: what is left of two slots' time when runs take a second."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import partial

from benchmarks.figures import median, spread, table
from benchmarks.peers.base import Peer, seconds
from benchmarks.projects import sleeping
from benchmarks.rounds import interleave

RUNS = 20
SLOTS = 2
LENGTH = 1.0  # seconds
IDEAL = RUNS * LENGTH / SLOTS


def compare(
    peers: Sequence[Peer], python: str, *, repeats: int
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Wall seconds in each repeat, and what went wrong, by the peers' names."""
    body = partial(sleeping, seconds=LENGTH)
    return interleave(
        {peer.name: partial(seconds, peer, RUNS, python, body, SLOTS) for peer in peers}, repeats
    )


def printed(times: dict[str, list[float]]) -> str:
    """The table, in the order of ``times``."""
    head = [f"{RUNS} runs of {LENGTH:g} s on {SLOTS} slots", "s", "min to max", "efficiency"]
    rows = [
        [name, median(values), spread(values), f"{IDEAL / statistics.median(values):.1%}"]
        for name, values in times.items()
    ]
    return table(head, [["ideal", f"{IDEAL:.1f}", "", "100%"], *rows])
