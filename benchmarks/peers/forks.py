"""Python's own ways: a fork of a process that has mlpipeline loaded, and a fork server.

The parent is a process of its own, started before the clock is; it waits for a line.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from benchmarks.peers.base import Job, Peer, Work
from benchmarks.rounds import Failed

ROOT = Path(__file__).parents[2]
PARENT = "import sys; from benchmarks.peers import forks; forks.parent(*sys.argv[1:])"


def parent(way: str, script: str, runs: str) -> None:
    """The parent's life: load, wait for a line, run, say so."""
    import mlpipeline  # noqa: F401, the load

    numbers = [f"number={number}" for number in range(int(runs))]
    start = fork if way == "fork" else fork_server()
    print("ready", flush=True)
    sys.stdin.readline()
    for number in numbers:
        start(script, number)
    print("done", flush=True)


def run_script(script: str, number: str) -> None:
    """The child's life."""
    sys.argv = [script, number]
    exec(compile(Path(script).read_text(), script, "exec"), {"__name__": "__main__"})


def fork(script: str, number: str) -> None:
    """One run in a bare fork."""
    child = os.fork()
    if child == 0:
        try:
            run_script(script, number)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def fork_server() -> Callable[[str, str], None]:
    """Start a fork server; what is returned does one run in a child of it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mlpipeline", "benchmarks.peers.forks"])

    def start(script: str, number: str) -> None:
        process = context.Process(target=run_script, args=(script, number))
        process.start()
        process.join()

    first = context.Process(target=int)
    first.start()
    first.join()
    return start


def _ready(way: str) -> Callable[[Job], AbstractContextManager[Work]]:
    @contextmanager
    def ready(job: Job) -> Iterator[Work]:
        command = [sys.executable, "-c", PARENT, way, str(job.script()), str(job.runs)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:

            def work() -> None:
                process.stdin.write("go\n")
                process.stdin.flush()
                if process.stdout.readline() != "done\n":
                    raise Failed("the parent ended")

            if process.stdout.readline() != "ready\n":
                raise Failed("the parent did not start")
            yield work

    return ready


FORKS = [
    Peer("os.fork, parent loaded", _ready("fork"), process="fork"),
    Peer("multiprocessing forkserver", _ready("forkserver"), process="fork"),
]
