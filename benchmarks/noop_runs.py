"""What a run costs beside the user's code: no-op versions against bare ``python -c pass``.

    python benchmarks/noop_runs.py [--versions 50] [--rounds 5]

Each round times both, one after the other, so that a noisy machine hurts them alike. Prints wall
milliseconds a run (median of the rounds, with minimum and maximum) and the ratio of the medians.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from projects import make_project


def mlpipeline_run(count: int) -> float:
    """Seconds that ``mlpipeline -r`` takes for ``count`` no-op versions, start and end included."""
    with tempfile.TemporaryDirectory() as folder:
        make_project(Path(folder), count)
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "mlpipeline", "-C", folder, "-r"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return time.perf_counter() - started


def bare_python(count: int) -> float:
    """Seconds that ``count`` times ``python -c pass`` take, one after another."""
    started = time.perf_counter()
    for _ in range(count):
        subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Time both and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--versions", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    contestants = {"mlpipeline -r": mlpipeline_run, "python -c pass": bare_python}
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(options.rounds):
        for name, measure in contestants.items():
            times[name].append(1000 * measure(options.versions) / options.versions)
    print(f"{options.versions} runs, {options.rounds} rounds; wall ms a run: median (min to max)")
    for name, values in times.items():
        low, high = min(values), max(values)
        print(f"{name:>16}  {statistics.median(values):6.1f}  ({low:.1f} to {high:.1f})")
    medians = [statistics.median(values) for values in times.values()]
    print(f"{'ratio':>16}  {medians[0] / medians[1]:6.2f}")


if __name__ == "__main__":
    main()
