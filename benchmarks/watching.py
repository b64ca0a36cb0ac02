"""What ``mlpipeline -r -u --watch`` costs while it waits, and how soon it starts what is saved.

    python benchmarks/watching.py [--seconds 30] [--edits 10]

Prints the share of one core that the idle session used, and the milliseconds from a saved list to
the first line of the new run's training: median (min to max). Beside it, where task-spooler
(``tsp``) is installed, the time from its command to the first line of a Python script.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from projects import make_project

STAMP = 'Path(f"began-{self.current_version.name}").write_text(repr(time.time()))'
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far (proc(5): utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def share_of_a_core(pid: int, seconds: float) -> float:
    """What a process uses while nothing happens, in percent."""
    before = cpu_seconds(pid)
    time.sleep(seconds)
    return 100 * (cpu_seconds(pid) - before) / seconds


def save(path: Path, versions: int) -> float:
    """List so many versions, as an editor saves; returns when."""
    names = ", ".join(f"v{number}" for number in range(versions))
    temporary = path.with_name(".new")
    temporary.write_text(f"[WHITELISTED_MODELS]\nnoop.py = {names}\n")
    temporary.replace(path)
    return time.time()


def stamp(path: Path) -> float:
    """When the run that writes ``path`` came to its first line."""
    while not path.exists() or not path.read_text():
        time.sleep(0.002)
    return float(path.read_text())


def measure_ours(folder: Path, seconds: float, edits: int) -> tuple[float, list[float]]:
    """Percent of a core when idle, and milliseconds from each save to a run's first line."""
    make_project(folder, edits + 1, STAMP)
    save(folder / "models.config", 1)
    session = subprocess.Popen(
        [sys.executable, "-m", "mlpipeline", "-C", str(folder), "-r", "-u", "--watch", "--quiet"]
    )
    try:
        stamp(folder / "began-v0")
        time.sleep(2)
        idle = share_of_a_core(session.pid, seconds)
        delays = []
        for edit in range(1, edits + 1):
            saved = save(folder / "models.config", edit + 1)
            delays.append(1000 * (stamp(folder / f"began-v{edit}") - saved))
            time.sleep(0.5)
    finally:
        session.terminate()
        session.wait()
    return idle, delays


def measure_spooler(folder: Path, edits: int) -> list[float]:
    """Milliseconds from each command to the first line that it runs."""
    environment = {**os.environ, "TS_SOCKET": str(folder / "socket"), "TMPDIR": str(folder)}
    write = "import sys, time; open(sys.argv[1], 'w').write(repr(time.time()))"

    def add(number: int) -> float:
        started = time.time()
        command = ["tsp", "-n", sys.executable, "-c", write, str(folder / f"began-{number}")]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        return started

    add(0)
    stamp(folder / "began-0")
    delays = []
    for number in range(1, edits + 1):
        started = add(number)
        delays.append(1000 * (stamp(folder / f"began-{number}") - started))
    subprocess.run(["tsp", "-K"], env=environment, check=False)
    return delays


def figures(delays: list[float]) -> str:
    """Median, minimum and maximum."""
    return f"{statistics.median(delays):.0f} ({min(delays):.0f} to {max(delays):.0f})"


def main() -> None:
    """Measure both and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--edits", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        idle, delays = measure_ours(Path(folder), options.seconds, options.edits)
    print(f"idle, share of a core: {idle:.2f} %")
    print("ms until the first line: median (min to max)")
    print(f"  mlpipeline, from a saved list   {figures(delays)}")
    if shutil.which("tsp"):
        with tempfile.TemporaryDirectory() as folder:
            delays = measure_spooler(Path(folder), options.edits)
        print(f"  task-spooler, from its command  {figures(delays)}")


if __name__ == "__main__":
    main()
