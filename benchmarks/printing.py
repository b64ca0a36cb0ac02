"""What it costs a script to print, as a run of ours and elsewhere.

    python -m benchmarks.printing [--megabytes 100] [--rounds 5]

The same loop prints lines of a hundred bytes: by plain ``python script > file``, as a run of ours,
cold and warm, with and without ``console_limit`` (a twentieth of what is printed), and, where it is
installed, in task-spooler. The script itself takes the time, so that nobody's start counts: seconds
from its first line to its last, wall and CPU (medians, in turns). For ours also the scheduler's
greatest memory, and what is left of the log.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.figures import median, ratio, table
from benchmarks.peers.base import call
from benchmarks.peers.spoolers import SPOOLER, spooler
from benchmarks.projects import make_project, make_script
from benchmarks.rounds import Failed, interleave

LENGTH = 100  # bytes of a line
PLAIN = "python script > file"
BODY = """\
import sys, time
line = "x" * {letters}
began = time.perf_counter(), time.process_time()
for _ in range({lines}):
    print(line)
sys.stdout.flush()
with open({told!r}, "w") as told:
    told.write(f"{{time.perf_counter() - began[0]}} {{time.process_time() - began[1]}}")
"""


@dataclass(frozen=True)
class Printed:
    """One script that has come to its end."""

    wall: float  # seconds
    cpu: float  # seconds
    kept: int  # bytes of its log
    memory: float = 0.0  # MB, the most that a scheduler of ours had


def plain(folder: Path, body: str) -> tuple[Path, float]:
    """A shell's way; returns the log."""
    script, log = make_script(folder, body), folder / "log"
    with log.open("wb") as file:
        subprocess.run([sys.executable, str(script), "number=0"], stdout=file, check=True)
    return log, 0.0


def in_spooler(folder: Path, body: str) -> tuple[Path, float]:
    """task-spooler's way; it keeps the log itself."""
    script = shlex.join([sys.executable, str(make_script(folder, body)), "number=0"])
    with spooler(folder) as environment:
        call(["bash", "-c", f"tsp {script}; tsp -w"], env=environment)
        found = subprocess.check_output(["tsp", "-o"], env=environment, text=True)
    return Path(found.strip()), 0.0


def ours(folder: Path, body: str, **settings: object) -> tuple[Path, float]:
    """A run of ours; with the scheduler's greatest memory in MB."""
    project = folder / "project"
    make_project(project, 1, body, min_free_disk=0, **settings)
    told = folder / "memory"
    options = ["-C", str(project), "-r", "-u"]
    with (folder / "shown").open("wb") as shown:  # the scheduler shows what the run prints
        subprocess.run(
            [sys.executable, "-c", SCHEDULER, str(told), *options], stdout=shown, check=True
        )
    (log,) = project.glob("models/outputs/runs/*/*/*/console.log")
    return log, int(told.read_text()) / 1e3


# Runs the command in this process, and writes down how many kB of memory that took.
SCHEDULER = """\
import atexit, os, resource, runpy, sys
me, told = os.getpid(), sys.argv[1]
@atexit.register
def tell():
    if os.getpid() == me:
        with open(told, "w") as file:
            file.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
sys.argv = ["mlpipeline", *sys.argv[2:]]
runpy.run_module("mlpipeline", run_name="__main__", alter_sys=True)
"""


def measure(print_all: Callable[[Path, str], tuple[Path, float]], lines: int) -> Printed:
    """Raises Failed where the script did not come to its end."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        told = folder / "told"
        body = BODY.format(letters=LENGTH - 1, lines=lines, told=str(told))
        log, memory = print_all(folder, body)
        if not told.exists():
            raise Failed("the script did not come to its end")
        wall, cpu = map(float, told.read_text().split())
        return Printed(wall, cpu, log.stat().st_size, memory)


def main() -> None:
    """Print in turns, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    lines = options.megabytes * 10**6 // LENGTH
    limit = options.megabytes / 20_000
    contestants = {PLAIN: plain}
    for start in ("cold", "warm"):
        contestants[f"mlpipeline, {start}"] = partial(ours, start=start, console_limit="none")
        contestants[f"… console_limit, {start}"] = partial(ours, start=start, console_limit=limit)
    if shutil.which(SPOOLER.program):
        contestants[SPOOLER.name] = in_spooler
    else:
        print(f"skipped: {SPOOLER.name} ({SPOOLER.remedy})")
    measured, problems = interleave(
        {name: partial(measure, each, lines) for name, each in contestants.items()}, options.rounds
    )
    walls = {name: [each.wall for each in found] for name, found in measured.items()}
    cpus = {name: [each.cpu for each in found] for name, found in measured.items()}
    rows = [
        [
            name,
            median(walls[name]),
            ratio(walls[name], walls.get(PLAIN, [])),
            median(cpus[name]),
            ratio(cpus[name], cpus.get(PLAIN, [])),
            f"{statistics.median(each.kept for each in found) / 1e6:.1f}",
            f"{max(each.memory for each in found):.0f}" if found[0].memory else "",
        ]
        for name, found in measured.items()
    ]
    print(f"{options.megabytes} MB in lines of {LENGTH} bytes, medians of {options.rounds} rounds")
    print(table(["", "wall s", "× plain", "CPU s", "× plain", "log MB", "scheduler MB"], rows))
    for name, problem in problems.items():
        print(f"failed: {name}: {problem}")


if __name__ == "__main__":
    main()
