"""What a peer is: something that can run the same script many times, and how it is made ready."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.projects import make_script, marking
from benchmarks.rounds import Failed

PATIENCE = 300  # seconds for one command
Work = Callable[[], object]


@dataclass(frozen=True)
class Job:
    """The work: ``body`` so many times, in a folder of its own."""

    folder: Path
    runs: int
    body: str
    python: str  # of the peers that are Python packages
    slots: int = 1

    def script(self) -> Path:
        """The work as a plain script; made here."""
        return make_script(self.folder, self.body)

    def environment(self, **more: str) -> dict[str, str]:
        """Ours, with the folder as home, so that nothing is kept."""
        return {**os.environ, "HOME": str(self.folder), "TMPDIR": str(self.folder), **more}


@dataclass(frozen=True)
class Peer:
    """One line of a table. ``ready`` sets up, yields what is timed, and cleans up."""

    name: str
    ready: Callable[[Job], AbstractContextManager[Work]]
    process: str = "new"  # what a run gets: a new process, a fork of a loaded one, or nothing
    program: str = ""  # a command that must be there
    package: str = ""  # the package of pip, or of apt where there is a program
    extras: str = ""  # of a package of pip
    slow: bool = False
    part: int = 1  # it does one in so many of the runs, since each takes so many times as long

    @property
    def remedy(self) -> str:
        """How to install it."""
        return f"{'apt' if self.program else 'pip'} install {self.package}{self.extras}"


def measure(peer: Peer, runs: int, python: str) -> float:
    """Wall milliseconds a run, start and end of the command included, set-up not.

    Raises Failed when not all runs were done.
    """
    return 1000 * seconds(peer, runs, python, marking) / runs


def seconds(
    peer: Peer, runs: int, python: str, body: Callable[[Path], str], slots: int = 1
) -> float:
    """Wall seconds of so many runs; ``body``: lines that leave a dot in the file they are told."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        marks = folder / "marks"
        with peer.ready(Job(folder, runs, body(marks), python, slots)) as work:
            started = time.perf_counter()
            work()
            taken = time.perf_counter() - started
        done = len(marks.read_text()) if marks.exists() else 0
    if done != runs:
        raise Failed(f"did {done} of {runs} runs")
    return taken


def call(command: Sequence[str], **options: object) -> None:
    """Run a command to its end, unseen; raises CalledProcessError with what it said."""
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE, **options)  # type: ignore[call-overload]
