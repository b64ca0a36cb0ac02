"""Table 2, lower half: from a person's deed to its effect, on a queue that waits. Linux only.

Our share of a core when idle is the scheduler's; the nursery of warm starts sleeps beside it.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Protocol

from benchmarks.figures import median, spread, table
from benchmarks.peers.base import call
from benchmarks.peers.ours import COMMAND
from benchmarks.peers.spoolers import spooler, spooler_pid
from benchmarks.projects import make_project, make_script, stamping
from benchmarks.rounds import Failed

PATIENCE = 30  # seconds
REST = 0.5  # seconds between two deeds
IDLE = 10  # seconds that an idle queue is looked at
TICKS = os.sysconf("SC_CLK_TCK")


class Queue(Protocol):
    """One that waits for work."""

    pid: int  # of what waits
    deeds: Sequence[str]  # that have a run started
    cancelling: str  # the command that ends one

    def start(self, deed: str, number: int) -> None:
        """Do ``deed``, which has run ``number`` started."""

    def cancel(self, number: int) -> subprocess.Popen[bytes]:
        """The command that ends run ``number``, just started."""


class Ours:
    """``mlpipeline -r -u --watch``."""

    deeds = ("mlpipeline: the list is saved", "mlpipeline add")
    cancelling = "mlpipeline cancel"

    def __init__(self, folder: Path, pid: int):
        self.pid = pid
        self._folder = folder

    def start(self, deed: str, number: int) -> None:
        if deed == "mlpipeline add":
            call([*COMMAND, "-C", str(self._folder), "add", "noop", f"v{number}"])
            return
        temporary = self._folder / ".new"  # as an editor saves
        temporary.write_text(f"[WHITELISTED_MODELS]\nnoop.py = v{number}\n")
        temporary.replace(self._folder / "models.config")

    def cancel(self, number: int) -> subprocess.Popen[bytes]:
        command = [*COMMAND, "-C", str(self._folder), "cancel", f"noop/v{number}"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)


class Spooler:
    """task-spooler."""

    deeds = ("tsp",)
    cancelling = "tsp -k"

    def __init__(self, folder: Path, pid: int, environment: dict[str, str]):
        self.pid = pid
        self._command = ["tsp", "-n", sys.executable, str(folder / "script.py")]
        self._environment = environment

    def start(self, deed: str, number: int) -> None:
        call([*self._command, f"number={number}"], env=self._environment)

    def cancel(self, number: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["tsp", "-k"], env=self._environment)


@contextmanager
def ours(folder: Path, runs: int) -> Iterator[Ours]:
    """A session of ours that watches a list of nothing."""
    body = f"{stamping(folder)}\ntime.sleep(600)"
    project = folder / "project"
    make_project(project, runs, body)
    (project / "models.config").write_text("[WHITELISTED_MODELS]\n")
    command = [*COMMAND, "-C", str(project), "-r", "-u", "--watch", "--quiet"]
    session = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield Ours(project, session.pid)
    finally:
        session.terminate()
        session.wait(PATIENCE)


@contextmanager
def task_spooler(folder: Path, runs: int) -> Iterator[Spooler]:
    """A server of task-spooler."""
    make_script(folder, f"{stamping(folder)}\ntime.sleep(600)")
    with spooler(folder) as environment:
        yield Spooler(folder, spooler_pid(folder), environment)


@dataclass(frozen=True)
class Latencies:
    """What was measured."""

    starts: dict[str, list[float]]  # ms from a deed to the run's first line, by deed
    ends: dict[str, list[float]]  # ms from a command to the end of the run's process, by command
    idle: dict[str, float]  # percent of a core, by queue


def compare(peers: Sequence[str], edits: int) -> Latencies:
    """Measure the queues of these names, in turns, with so many of each deed."""
    measured = Latencies({}, {}, {})
    with ExitStack() as stack:
        queues = []
        for name in peers:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            queues.append((stack.enter_context(QUEUES[name](folder, 3 * edits)), folder))
        time.sleep(2)  # until all have come to rest
        for name, (queue, _) in zip(peers, queues, strict=True):
            measured.idle[name] = share_of_a_core(queue.pid, IDLE)
        numbers = count()
        for _ in range(edits):
            for queue, folder in queues:
                for deed in queue.deeds:
                    _start_and_cancel(queue, folder, deed, next(numbers), measured)
                    time.sleep(REST)
    return measured


def _start_and_cancel(
    queue: Queue, folder: Path, deed: str, number: int, measured: Latencies
) -> None:
    acted = time.time()
    queue.start(deed, number)
    began, pid = _stamp(folder / f"began-{number}")
    measured.starts.setdefault(deed, []).append(1000 * (began - acted))
    end = os.pidfd_open(pid)
    try:
        acted = time.perf_counter()
        with queue.cancel(number):
            if not select.select([end], [], [], PATIENCE)[0]:
                raise Failed(f"{queue.cancelling} did not end the run")
            taken = 1000 * (time.perf_counter() - acted)
    finally:
        os.close(end)
    measured.ends.setdefault(queue.cancelling, []).append(taken)


def _stamp(path: Path) -> tuple[float, int]:
    """When the run came to its first line, and its process."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists() or not path.read_text():
        if time.monotonic() > deadline:
            raise Failed(f"no run wrote {path.name}")
        time.sleep(0.002)
    began, pid = path.read_text().split()
    return float(began), int(pid)


def share_of_a_core(pid: int, seconds: float) -> float:
    """What a process uses while nothing happens, in percent."""
    before = cpu_seconds(pid)
    time.sleep(seconds)
    return 100 * (cpu_seconds(pid) - before) / seconds


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far (proc(5): utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def printed(measured: Latencies) -> str:
    """The three tables."""
    head = ["ms", "min to max"]
    starts = [[deed, median(values), spread(values)] for deed, values in measured.starts.items()]
    ends = [[deed, median(values), spread(values)] for deed, values in measured.ends.items()]
    idle = [[name, f"{percent:.2f}"] for name, percent in measured.idle.items()]
    return "\n\n".join(
        [
            table(["until a run's first line, from", *head], starts),
            table(["until the run's process is gone, from", *head], ends),
            table([f"an idle queue, over {IDLE} s", "% of a core"], idle),
        ]
    )


QUEUES = {"mlpipeline": ours, "task-spooler": task_spooler}
