"""Table 1: what a run costs beside the user's code, wall milliseconds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.figures import median, ratio, spread, table
from benchmarks.peers.base import Peer, measure
from benchmarks.peers.shells import SHELL_LOOP
from benchmarks.rounds import interleave

MANY = 5  # times as many runs show what one more costs

NOTES = """\
start: a new Python for each run, a fork of a loaded one, or the same process for all.
ms in all: wall time of the whole command, its start and end included, for each of its runs.
ms one more: what a further run costs, from a second measurement with five times as many.
A server or a loaded parent is up before."""


@dataclass(frozen=True)
class Cost:
    """Wall milliseconds a run."""

    in_all: float
    one_more: float


def compare(
    peers: Sequence[Peer], python: str, *, runs: int, slow_runs: int, repeats: int
) -> tuple[dict[str, list[Cost]], dict[str, str]]:
    """What a run cost in each repeat, and what went wrong, by the peers' names."""
    counts = {peer.name: _count(peer, runs, slow_runs) for peer in peers}
    return interleave(
        {peer.name: partial(_cost, peer, counts[peer.name], python) for peer in peers}, repeats
    )


def _count(peer: Peer, runs: int, slow_runs: int) -> int:
    """How many runs a peer does, in the first of its measurements."""
    return slow_runs if peer.slow else max(1, runs // peer.part)


def _cost(peer: Peer, runs: int, python: str) -> Cost:
    few = measure(peer, runs, python)
    if peer.slow:
        return Cost(few, few)
    many = measure(peer, MANY * runs, python)
    return Cost(few, (many * MANY - few) / (MANY - 1))


def printed(
    peers: Sequence[Peer], times: Mapping[str, Sequence[Cost]], *, runs: int, slow_runs: int
) -> str:
    """The table, by what one more run costs."""
    shell = [cost.one_more for cost in times.get(SHELL_LOOP.name, [])]
    rows = []
    for peer in sorted((each for each in peers if each.name in times), key=_by(times)):
        costs = times[peer.name]
        one_more = [cost.one_more for cost in costs]
        rows.append(
            [
                peer.name,
                peer.process,
                str(_count(peer, runs, slow_runs)),
                median([cost.in_all for cost in costs]),
                "" if peer.slow else median(one_more),
                "" if peer.slow else spread(one_more),
                ratio(one_more, to=shell),
            ]
        )
    head = [
        "a no-op script",
        "start",
        "runs",
        "ms in all",
        "one more",
        "min to max",
        "× shell loop",
    ]
    return table(head, rows)


def of_one_more(times: Mapping[str, Sequence[Cost]]) -> dict[str, list[float]]:
    """What a further run cost in each repeat, by the peers' names."""
    return {name: [cost.one_more for cost in costs] for name, costs in times.items()}


def _by(times: Mapping[str, Sequence[Cost]]) -> Callable[[Peer], float]:
    return lambda peer: statistics.median(cost.one_more for cost in times[peer.name])
