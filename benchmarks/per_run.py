"""Table 1: what a run costs beside the user's code, wall milliseconds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from functools import partial

from benchmarks.figures import median, ratio, spread, table
from benchmarks.peers.base import Peer, measure
from benchmarks.peers.shells import SHELL_LOOP
from benchmarks.rounds import interleave

NOTES = """\
start: a new Python for each run, a fork of a loaded one, or the same process for all.
Start and end of a command are counted; a server or a loaded parent is up before."""


def compare(
    peers: Sequence[Peer], python: str, *, runs: int, slow_runs: int, repeats: int
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Milliseconds a run in each repeat, and what went wrong, by the peers' names."""
    counts = {peer.name: slow_runs if peer.slow else runs for peer in peers}
    return interleave(
        {peer.name: partial(measure, peer, counts[peer.name], python) for peer in peers}, repeats
    )


def printed(
    peers: Sequence[Peer], times: Mapping[str, Sequence[float]], *, runs: int, slow_runs: int
) -> str:
    """The table, quickest first."""
    shell = times.get(SHELL_LOOP.name, [])
    measured = [peer for peer in peers if peer.name in times]
    rows = [
        [
            peer.name,
            peer.process,
            str(slow_runs if peer.slow else runs),
            median(times[peer.name]),
            spread(times[peer.name]),
            ratio(times[peer.name], to=shell),
        ]
        for peer in sorted(measured, key=lambda peer: statistics.median(times[peer.name]))
    ]
    head = ["a no-op script", "start", "runs", "ms a run", "min to max", "× shell loop"]
    return table(head, rows)
