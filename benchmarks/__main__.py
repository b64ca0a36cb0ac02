"""mlpipeline beside its peers: the same work, in turns. ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks import growth, latency, per_run, plot, slots
from benchmarks.figures import wrapped
from benchmarks.machine import described, missing
from benchmarks.peers import PEERS
from benchmarks.peers.base import Peer
from benchmarks.peers.ours import OURS
from benchmarks.peers.shells import SHELL_LOOP, XARGS
from benchmarks.peers.spoolers import SPOOLER
from benchmarks.rounds import Failed

TABLES = {1: "the cost of a run", 2: "slots and latencies", 3: "growth"}


def main() -> int:
    """Measure, print; returns 1 when one of those that are installed failed."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are ended on the way out
    tables = set(options.table or [1, 2]) | ({3} if options.growth else set())
    peers = [peer for peer in PEERS if options.slow or not peer.slow]
    if options.only:
        words = [word.lower() for word in options.only]
        peers = [peer for peer in peers if any(word in peer.name.lower() for word in words)]
        peers += [SHELL_LOOP] if SHELL_LOOP not in peers else []
    on_slots = [*OURS, SPOOLER, XARGS]
    used = dict.fromkeys([*(peers if 1 in tables else ()), *(on_slots if 2 in tables else ())])
    absent = [peer for peer in used if missing(peer, options.peers)]
    print(described([peer for peer in used if peer not in absent], options.peers))
    for peer in absent:
        print(f"skipped: {peer.name} ({peer.remedy})")
    print(f"medians of {options.repeats} repeats, in turns", flush=True)
    problems: dict[str, str] = {}
    if 1 in tables:
        problems |= _runs([peer for peer in peers if peer not in absent], options)
    if 2 in tables:
        problems |= _slots(
            [peer for peer in (*OURS, SPOOLER, XARGS) if peer not in absent], options
        )
    if 3 in tables:
        problems |= _growth(options)
    return 1 if problems else 0


def _runs(peers: list[Peer], options: argparse.Namespace) -> Mapping[str, str]:
    counts = {"runs": options.runs, "slow_runs": options.slow_runs}
    times, problems = per_run.compare(peers, options.peers, repeats=options.repeats, **counts)
    _print(1, per_run.printed(peers, times, **counts), problems)
    print(f"{per_run.NOTES}\nThe load was {os.getloadavg()[0]:.1f} at the end.", flush=True)
    if options.plot:
        try:
            plot.draw(per_run.of_one_more(times), options.plot)
        except ImportError:
            print(f"no {options.plot}: pip install matplotlib")
        else:
            print(f"drawn: {options.plot}")
    return problems


def _slots(peers: list[Peer], options: argparse.Namespace) -> Mapping[str, str]:
    times, problems = slots.compare(peers, options.peers, repeats=options.repeats)
    _print(2, slots.printed(times), problems)
    queues = ["mlpipeline", *(["task-spooler"] if SPOOLER in peers else [])]
    try:
        print(f"\n{latency.printed(latency.compare(queues, options.edits))}", flush=True)
    except Failed as failed:
        print(f"failed: latencies: {failed}")
        return {**problems, "latencies": str(failed)}
    return problems


def _growth(options: argparse.Namespace) -> Mapping[str, str]:
    sizes = growth.SLOW_SIZES if options.slow else growth.SIZES
    measured, problems = growth.compare(options.sizes or sizes, options.repeats)
    _print(3, growth.printed(measured), problems)
    return problems


def _print(number: int, table: str, problems: Mapping[str, str]) -> None:
    print(f"\n{number}. {TABLES[number].capitalize()}\n\n{table}", flush=True)
    for name, problem in problems.items():
        print(wrapped(f"failed: {name}: {problem}"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--repeats", type=int, default=3, help="rounds in which all take turns (default: 3)")
    add("--runs", type=int, default=50, help="no-op runs a repeat (default: 50)")
    add("--slow", action="store_true", help="also DVC, MLflow, submitit, Ray; growth to 10⁶")
    add("--slow-runs", type=int, default=5, help="no-op runs a repeat of these (default: 5)")
    add("--only", nargs="+", metavar="WORD", help="peers with such a word in their names")
    table_help = "; ".join(f"{number}: {name}" for number, name in TABLES.items())
    add("--table", type=int, nargs="+", choices=TABLES, help=f"{table_help} (default: 1 2)")
    add("--growth", action="store_true", help="table 3 too")
    add("--sizes", type=int, nargs="+", help="versions of table 3 (default: 100 1000 10000)")
    add("--edits", type=int, default=10, help="edits and cancels of table 2 (default: 10)")
    add("--plot", type=Path, metavar="FILE.svg", help="draw table 1; needs matplotlib")
    peers_help = "the Python with the peers' packages (default: this one)"
    add("--peers", default=sys.executable, metavar="PYTHON", help=peers_help)
    options = parser.parse_args()
    if shutil.which(options.peers) is None:
        parser.error(f"{options.peers} is no Python")
    if any(size <= growth.RUNS for size in options.sizes or ()):
        parser.error(f"--sizes: more than {growth.RUNS}, which are left to do")
    return options


if __name__ == "__main__":
    sys.exit(main())
