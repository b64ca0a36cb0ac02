"""Queues of shell commands: task-spooler and nq."""

from __future__ import annotations

import os
import shlex
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.peers.base import Job, Peer, Work, call


def spooler_environment(folder: Path, slots: int = 1, finished: int = 1000) -> dict[str, str]:
    """For a task-spooler server of its own."""
    return {
        **os.environ,
        "TS_SOCKET": str(folder / "socket"),
        "TS_SLOTS": str(slots),
        "TS_MAXFINISHED": str(finished),
        "TMPDIR": str(folder),
    }


@contextmanager
def spooler(folder: Path, slots: int = 1, finished: int = 1000) -> Iterator[dict[str, str]]:
    """A task-spooler server; yields the environment for its commands."""
    environment = spooler_environment(folder, slots, finished)
    call(["tsp"], env=environment)  # to list starts the server
    pid = spooler_pid(folder)
    try:
        yield environment
    finally:
        for option in ("-k", "-K"):  # what still runs, should a benchmark have failed; the server
            subprocess.run(["tsp", option], env=environment, check=False, capture_output=True)
        _wait_for_end(pid)


def spooler_pid(folder: Path) -> int:
    """The server's process: who is at the other end of its socket."""
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(str(folder / "socket"))
        credentials = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)[0]


def _wait_for_end(pid: int) -> None:
    with suppress(ProcessLookupError):
        for _ in range(200):
            os.kill(pid, 0)
            time.sleep(0.01)
        os.kill(pid, 15)


@contextmanager
def _spooler(job: Job) -> Iterator[Work]:
    script = shlex.join([sys.executable, str(job.script())])
    add = f"for number in $(seq 0 {job.runs - 1}); do tsp -n {script} number=$number; done"
    # With two slots, the last one added need not be the last one to end.
    wait = (
        f"for job in $(seq 0 {job.runs - 1}); do tsp -w $job; done" if job.slots > 1 else "tsp -w"
    )
    with spooler(job.folder, job.slots) as environment:
        yield lambda: call(["bash", "-c", f"{add}; {wait}"], env=environment)


@contextmanager
def _nq(job: Job) -> Iterator[Work]:
    script = shlex.join([sys.executable, str(job.script())])
    text = f"for number in $(seq 0 {job.runs - 1}); do nq -q {script} number=$number; done; nq -w"
    environment = {**os.environ, "NQDIR": str(job.folder / "queue")}
    yield lambda: call(["bash", "-c", text], env=environment)


SPOOLER = Peer("task-spooler (tsp)", _spooler, program="tsp", package="task-spooler")
NQ = Peer("nq", _nq, program="nq", package="nq")
