"""How long ``mlpipeline status`` takes on a project with many past runs.

    python -m benchmarks.status_time [--runs 10000] [--versions 100] [--rounds 5]

All versions but the first hundred, which have all the runs, are queued.

Beside it, in the same rounds: Python's bare start, and where task-spooler (``tsp``) is installed,
its list of as many finished jobs. Prints wall milliseconds: median (min to max).
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.peers.base import call
from benchmarks.peers.spoolers import spooler
from benchmarks.projects import make_project
from benchmarks.rounds import interleave

VERSIONS = 100  # of the one model, that have run; each has many attempts


def fill_project(folder: Path, runs: int, versions: int) -> None:
    """A project whose history has so many runs that ended well, and so many versions."""
    make_project(folder, versions)
    whole = (folder / "models.config").read_text()
    first = ", ".join(f"v{number}" for number in range(VERSIONS))
    (folder / "models.config").write_text(whole.replace("noop.py", f"noop.py = {first}"))
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
    (folder / "models.config").write_text(whole)


@contextmanager
def filled_spooler(folder: Path, jobs: int) -> Iterator[Callable[[], float]]:
    """task-spooler with so many finished jobs; yields what times its list."""
    with spooler(folder, slots=8, finished=jobs) as environment:
        for _ in range(jobs):
            call(["tsp", "-n", "true"], env=environment)
        subprocess.run(["tsp", "-w"], env=environment, check=False)
        yield lambda: timed(["tsp"], environment)


def timed(command: list[str], environment: dict[str, str] | None = None) -> float:
    """Wall milliseconds of one call."""
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - started)


def main() -> None:
    """Time all and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--versions", type=int, default=VERSIONS)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        fill_project(folder / "project", options.runs, max(VERSIONS, options.versions))
        ours = [sys.executable, "-m", "mlpipeline", "-C", str(folder / "project"), "status"]
        contestants: dict[str, Callable[[], float]] = {
            "mlpipeline status": lambda: timed(ours),
            "… --all": lambda: timed([*ours, "--all"]),
            "… --json": lambda: timed([*ours, "--json"]),
            "python -c pass": lambda: timed([sys.executable, "-c", "pass"]),
        }
        if shutil.which("tsp"):
            contestants["tsp"] = stack.enter_context(filled_spooler(folder, options.runs))
        times, _ = interleave(contestants, options.rounds)
    print(f"{options.versions} versions, {options.runs} past runs, {options.rounds} rounds")
    print("wall ms: median (min to max)")
    for each, values in times.items():
        low, high = min(values), max(values)
        print(f"{each:>18}  {statistics.median(values):7.1f}  ({low:.1f} to {high:.1f})")


if __name__ == "__main__":
    main()
