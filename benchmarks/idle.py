"""What a session costs that waits: CPU and memory of it and its nursery. ``python -m
benchmarks.idle``; Linux only.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import table
from benchmarks.peers.ours import COMMAND
from benchmarks.projects import make_project

WORKED_OFF = 6  # seconds in which the queue is empty
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.idle", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="to look on (default: 60)")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        project = Path(name) / "project"
        make_project(project, 10)
        command = [*COMMAND, "-C", str(project), "-r", "-u", "--watch", "--quiet"]
        session = subprocess.Popen(command)
        try:
            time.sleep(WORKED_OFF)
            print(_watched(list(_family(session.pid)), seconds))
        finally:
            session.terminate()
            session.wait()


def _watched(processes: list[int], seconds: float) -> str:
    before = [_cpu_seconds(pid) for pid in processes]
    time.sleep(seconds)
    shares = [
        (_cpu_seconds(pid) - used) / seconds * 100
        for pid, used in zip(processes, before, strict=True)
    ]
    memory = [_proportional_megabytes(pid) for pid in processes]
    names = ["scheduler", "nursery", *["worker that waits"] * (len(processes) - 2)]
    rows = [
        [name, f"{share:.3f}", f"{size:.1f}"]
        for name, share, size in zip(names, shares, memory, strict=True)
    ]
    total = ["all", f"{sum(shares):.3f}", f"{sum(memory):.1f}"]
    return table(["a session that waits", "% of a core", "MB"], [*rows, total])


def _family(pid: int) -> Iterator[int]:
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text().split():
            yield from _family(int(child))


def _cpu_seconds(pid: int) -> float:
    """User and system: fields 14 and 15 of /proc/PID/stat (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _proportional_megabytes(pid: int) -> float:
    """Pss: what is shared counts in parts."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    main()
