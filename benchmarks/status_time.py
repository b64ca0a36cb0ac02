"""How long ``mlpipeline status`` takes on a project with many past runs.

    python -m benchmarks.status_time [--runs 10000] [--rounds 5]

Beside it, in the same rounds: Python's bare start, and where task-spooler (``tsp``) is installed,
its list of as many finished jobs. Prints wall milliseconds: median (min to max).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.projects import make_project

VERSIONS = 100  # of the one model; each has many attempts


def fill_project(folder: Path, runs: int) -> None:
    """A project whose history has so many runs that ended well."""
    make_project(folder, VERSIONS)
    command = [sys.executable, "-m", "mlpipeline", "-C", str(folder), "-r", "-u"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (history,) = (folder / "models" / "outputs").glob("history-*")
    events = [json.loads(line) for line in history.read_text().splitlines()]
    rounds = -(-runs // VERSIONS)
    with history.open("a") as file:
        for attempt in range(2, rounds + 1):
            for event in events:
                event["run"]["attempt"] = attempt
                file.write(json.dumps(event) + "\n")


def fill_spooler(folder: Path, jobs: int) -> Callable[[], float] | None:
    """task-spooler with so many finished jobs; None where it is not installed."""
    if shutil.which("tsp") is None:
        return None
    environment = {
        **os.environ,
        "TS_SOCKET": str(folder / "tsp.socket"),
        "TS_MAXFINISHED": str(jobs),
        "TS_SLOTS": "8",
        "TMPDIR": str(folder),
    }
    for _ in range(jobs):
        subprocess.run(
            ["tsp", "-n", "true"], env=environment, check=True, stdout=subprocess.DEVNULL
        )
    subprocess.run(["tsp", "-w"], env=environment, check=False)
    return lambda: timed(["tsp"], environment)


def timed(command: list[str], environment: dict[str, str] | None = None) -> float:
    """Wall milliseconds of one call."""
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - started)


def main() -> None:
    """Time all and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill_project(folder / "project", options.runs)
        ours = [sys.executable, "-m", "mlpipeline", "-C", str(folder / "project"), "status"]
        contestants: dict[str, Callable[[], float]] = {
            "mlpipeline status": lambda: timed(ours),
            "… --all": lambda: timed([*ours, "--all"]),
            "… --json": lambda: timed([*ours, "--json"]),
            "python -c pass": lambda: timed([sys.executable, "-c", "pass"]),
        }
        if spooler := fill_spooler(folder, options.runs):
            contestants["tsp"] = spooler
        times: dict[str, list[float]] = {each: [] for each in contestants}
        for _ in range(options.rounds):
            for each, measure in contestants.items():
                times[each].append(measure())
        if spooler:
            socket = {**os.environ, "TS_SOCKET": str(folder / "tsp.socket")}
            subprocess.run(["tsp", "-K"], env=socket, check=False)
    print(f"{options.runs} past runs, {options.rounds} rounds; wall ms: median (min to max)")
    for each, values in times.items():
        low, high = min(values), max(values)
        print(f"{each:>18}  {statistics.median(values):7.1f}  ({low:.1f} to {high:.1f})")


if __name__ == "__main__":
    main()
