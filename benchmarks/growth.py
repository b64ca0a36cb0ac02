"""Table 3: what mlpipeline costs when a project is large.

A project of so many versions: all but the last few are done, each with its record in the history.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.figures import median, table
from benchmarks.peers.base import call
from benchmarks.peers.ours import COMMAND
from benchmarks.projects import make_project, stamping
from benchmarks.rounds import Failed, interleave

SIZES = (100, 1_000, 10_000)
SLOW_SIZES = (*SIZES, 100_000, 1_000_000)
RUNS = 50  # that are left to do
PATIENCE = 1800  # seconds for one session
INSPECT_TIMEOUT = 1200  # seconds; a million versions take some to list


@dataclass(frozen=True)
class Grown:
    """What one session cost, and a status after it."""

    start: float  # seconds from the command to the first line of the first run
    run: float  # milliseconds a run
    memory: float  # MB at the peak, of the scheduler alone
    status: float  # seconds


@contextmanager
def grown(versions: int) -> Iterator[Path]:
    """The project; only its history is there, as after moving a project."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "project"
        body = stamping(folder)
        make_project(folder, versions, body, inspect_timeout=INSPECT_TIMEOUT)
        models = folder / "models"
        (folder / "models.config").write_text("[WHITELISTED_MODELS]\nnoop.py = v0\n")
        call([*COMMAND, "-C", str(folder), "-r", "-u"])
        (folder / "models.config").write_text("[WHITELISTED_MODELS]\nnoop.py\n")
        (history,) = (models / "outputs").glob("history-*")
        events = [json.loads(line) for line in history.read_text().splitlines()]
        (inspected,) = (models / "outputs").glob("inspected-*/*")
        found = json.loads(inspected.read_text().partition("\n")[2])
        with history.open("a") as file:
            for version in found["versions"][1 : versions - RUNS]:
                for event in events:
                    event["run"]["version"] = version["name"]
                    if "signature" in event:
                        event["signature"] = version["signature"]
                    file.write(json.dumps(event) + "\n")
        shutil.copy(history, folder / "history")
        yield folder


def grow(folder: Path) -> Grown:
    """One session and a status on the project as it was made."""
    outputs = folder / "models" / "outputs"
    (history,) = outputs.glob("history-*")
    shutil.copy(folder / "history", history)
    for name in ("runs", "claims", "model_ckpts"):
        shutil.rmtree(outputs / name, ignore_errors=True)
    for stamp in folder.glob("began-*"):
        stamp.unlink()
    started = time.time()
    memory = _peak_memory([*COMMAND, "-C", str(folder), "-r", "-u", "--quiet"])
    stamps = sorted(float(path.read_text().split()[0]) for path in folder.glob("began-*"))
    if len(stamps) != RUNS:
        raise Failed(f"did {len(stamps)} of {RUNS} runs")
    asked = time.time()
    call([*COMMAND, "-C", str(folder), "status"])
    return Grown(
        start=stamps[0] - started,
        run=1000 * (stamps[-1] - stamps[0]) / (RUNS - 1),
        memory=memory,
        status=time.time() - asked,
    )


def _peak_memory(command: Sequence[str]) -> float:
    """Run a command to its end; the most that its process had, in MB (proc(5): VmHWM)."""
    peak = 0
    deadline = time.monotonic() + PATIENCE
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            if time.monotonic() > deadline:
                process.terminate()  # as a person does: it ends its runs
            with suppress(OSError, ValueError):
                status = Path(f"/proc/{process.pid}/status").read_text()
                peak = int(status.partition("VmHWM:")[2].split()[0]) if "VmHWM" in status else peak
            time.sleep(0.02)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(command))
    return peak / 1000


def compare(sizes: Sequence[int], repeats: int) -> tuple[dict[str, list[Grown]], dict[str, str]]:
    """What each size cost in each repeat, and what went wrong."""
    with ExitStack() as stack:
        projects = {f"{size:,}": stack.enter_context(grown(size)) for size in sizes}
        return interleave(
            {name: partial(grow, folder) for name, folder in projects.items()}, repeats
        )


def printed(measured: Mapping[str, Sequence[Grown]]) -> str:
    """The table: medians, smallest first."""
    head = ["versions, all but 50 done", "start-up s", "ms a run", "peak MB", "status s"]
    rows = [
        [
            name,
            median([each.start for each in values]),
            median([each.run for each in values]),
            median([each.memory for each in values]),
            median([each.status for each in values]),
        ]
        for name, values in measured.items()
    ]
    return table(head, rows)
