"""What ``mlpipeline run`` costs beside ``mlflow run``: a project whose only step does nothing.

    python -m benchmarks.run_project [--rounds 5] [--runs 5]

The same folder, in turns: one run, and a sweep of ``--runs`` of them (which is as many commands for
mlflow). CPU seconds of all processes and wall seconds, the least of the rounds; what the program
itself takes by hand is the first line.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

MLPROJECT = """
name: nothing
entry_points:
  main:
    parameters: {n: {type: float, default: 0}}
    command: python main.py {n}
"""
HERE = Path(sys.executable).parent
OURS = [sys.executable, "-m", "mlpipeline", "run", "."]
THEIRS = [str(HERE / "mlflow"), "run", ".", "--env-manager=local"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    sweep = ",".join(map(str, range(1, options.runs + 1)))
    commands = {
        "python main.py, by hand": [[sys.executable, "main.py", "0"]],
        "mlpipeline run": [OURS],
        f"mlpipeline run, {options.runs} at once": [
            [*OURS, "-m", "--rerun", "all", "-P", f"n={sweep}"]
        ],
    }
    if (HERE / "mlflow").exists():
        commands |= {
            "mlflow run": [THEIRS],
            f"mlflow run, {options.runs} times": [
                [*THEIRS, "-P", f"n={number}"] for number in range(1, options.runs + 1)
            ],
        }
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "MLproject").write_text(MLPROJECT)
        (place / "main.py").write_text("pass\n")
        taken = _measured(commands, place, options.rounds)
    print(f"{'':28}{'CPU':>8}{'wall':>8}")
    for name, times in taken.items():
        cpu, wall = (min(each) for each in zip(*times, strict=True))
        print(f"{name:28}{cpu:6.2f} s{wall:6.2f} s")


def _measured(
    commands: dict[str, list[list[str]]], place: Path, rounds: int
) -> dict[str, list[tuple[float, float]]]:
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for number in range(rounds + 1):  # the first makes the projects' files and data base
        for name, lines in commands.items():
            spent = _spent(lambda lines=lines: [_run(line, place) for line in lines])
            if number:
                taken[name].append(spent)
    return taken


def _run(command: list[str], place: Path) -> None:
    path = f"{HERE}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(
        command, cwd=place, capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def _spent(work: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds of the processes that ``work`` has waited for, and wall seconds."""
    before, started = _cpu(), time.perf_counter()
    work()
    return _cpu() - before, time.perf_counter() - started


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    assert shutil.which("bash"), "MLprojects are for bash"
    main()
