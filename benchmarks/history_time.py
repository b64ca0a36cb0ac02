"""How long it takes to open a long history, from its journal and through its index.

    python -m benchmarks.history_time [--records 10000 100000 1000000] [--rounds 3]

A run is two records with small results, of one of a hundred versions. Prints for each size the CPU
seconds and the peak memory of a process that opens it, and the CPU seconds of a status; medians.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from benchmarks.figures import median, table
from benchmarks.peers.base import call
from benchmarks.peers.ours import COMMAND
from benchmarks.projects import make_project
from benchmarks.rounds import interleave
from mlpipeline.state.history import rebuild_index
from mlpipeline.state.layout import Layout

VERSIONS = 100  # of the one model; each has many attempts
OPEN = """
import resource, sys, time
from pathlib import Path
from mlpipeline.state.history import read_histories
from mlpipeline.state.layout import Layout
folder = Path(sys.argv[1])
began = time.process_time()
ledger, warnings = read_histories(Layout.of(folder, folder / "models"))
assert not warnings and len(ledger.names()) == int(sys.argv[2])
print(time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
"""
Measured = tuple[float, float]  # seconds, MB


def fill_project(folder: Path, records: int) -> Layout:
    """A project whose history has so many records of runs that ended well."""
    make_project(folder, VERSIONS)
    call([*COMMAND, "-C", str(folder), "-r", "-u"])
    layout = Layout.of(folder, folder / "models")
    events = [json.loads(line) for line in layout.history.read_text().splitlines()]
    rounds = -(-records // len(events))
    with layout.history.open("a") as file:
        for attempt in range(2, rounds + 1):
            for event in events:
                event["run"]["attempt"] = attempt
                if event["event"] == "finished":
                    loss, accuracy = random.random(), random.random()
                    event["results"] = {"test": {"loss": loss, "accuracy": accuracy}}
                file.write(json.dumps(event, separators=(",", ":")) + "\n")
    return layout


def opened(layout: Layout, *, by_index: bool) -> Measured:
    """What it costs a new process to open the history."""
    if by_index and not layout.index.exists():
        rebuild_index(layout)
    if not by_index:
        with suppress(FileNotFoundError):
            layout.index.unlink()
    command = [sys.executable, "-c", OPEN, str(layout.project), str(VERSIONS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory


def looked(layout: Layout, *, by_index: bool) -> Measured:
    """The CPU seconds of a status, the start of Python with it; no memory."""
    opened(layout, by_index=by_index)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    call([*COMMAND, "-C", str(layout.project), "status"])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime), 0.0


def compare(layout: Layout, rounds: int) -> list[str]:
    """The figures of one project, as the columns of HEAD."""
    contestants: dict[str, Callable[[], Measured]] = {
        "open": lambda: opened(layout, by_index=False),
        "status": lambda: looked(layout, by_index=False),
        "open, indexed": lambda: opened(layout, by_index=True),
        "status, indexed": lambda: looked(layout, by_index=True),
    }
    measured, problems = interleave(contestants, rounds)
    if problems:
        sys.exit(f"failed: {problems}")
    seconds = {name: median([each for each, _ in values]) for name, values in measured.items()}
    memory = {name: median([each for _, each in values]) for name, values in measured.items()}
    return [
        *(seconds["open"], seconds["open, indexed"]),
        *(memory["open"], memory["open, indexed"]),
        *(seconds["status"], seconds["status, indexed"]),
    ]


HEAD = ["records", "open s", "indexed", "peak MB", "indexed", "status s", "indexed"]


def main() -> None:
    """Make, measure and print, size by size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows = []
    for records in options.records:
        with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
            layout = fill_project(Path(name) / "project", records)
            rows.append([f"{records:,}", *compare(layout, options.rounds)])
    print(f"CPU seconds, medians of {options.rounds} rounds\n{table(HEAD, rows)}")


if __name__ == "__main__":
    main()
