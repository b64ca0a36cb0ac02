"""What a command costs before it does anything: ``--help`` beside bare Python, and beside others.

    python -m benchmarks.help_time [--rounds 15]

Each round times all of them, one after the other, so that a noisy machine hurts them alike. Prints
wall milliseconds (median of the rounds, with minimum and maximum). ``dvc`` and ``mlflow`` are there
where they are installed. The goal for ours: under 150 ms.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time

GOAL = 150  # milliseconds
OURS = [sys.executable, "-m", "mlpipeline"]
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import click'": [sys.executable, "-c", "import click"],
    "mlpipeline --version": [*OURS, "--version"],
    "mlpipeline --help": [*OURS, "--help"],
    "mlpipeline status --help": [*OURS, "status", "--help"],
    "mlpipeline results --help": [*OURS, "results", "--help"],
    "dvc --help": ["dvc", "--help"],
    "mlflow --help": ["mlflow", "--help"],
}


def seconds(command: list[str]) -> float:
    """Wall seconds of ``command``."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> int:
    """Print a line for each command; returns 1 when one of ours misses the goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    commands = {name: words for name, words in COMMANDS.items() if shutil.which(words[0])}
    for words in commands.values():
        seconds(words)  # the first one reads from the disk, and writes .pyc files
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, words in commands.items():
            taken[name].append(1000 * seconds(words))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    for name, times in taken.items():
        print(f"{name:26}  {medians[name]:6.1f} ms  ({min(times):.1f} to {max(times):.1f})")
    slow = [name for name in medians if name.startswith("mlpipeline") and medians[name] > GOAL]
    print(f"over {GOAL} ms: {', '.join(slow)}" if slow else f"ours are all under {GOAL} ms")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
