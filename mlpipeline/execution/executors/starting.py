"""How the processes of runs come into being: forked from a nursery, or each by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from mlpipeline.execution.processes import (
    ANSWER,
    READY,
    REQUEST,
    child_command,
    is_alive,
    start_time,
)

COLD = child_command("mlpipeline.execution.worker", "standby")
NURSERY = child_command("mlpipeline.execution.nursery", "main")


class Child(Protocol):
    """The supervisor of a run, as far as whoever started it needs to know."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def poll(self) -> int | None:
        """None while it goes on."""

    def kill(self) -> None:
        """End it at once."""


class Starter(Protocol):
    """Starts supervisors."""

    def start(self, folder: str, *, threads: bool = False) -> Child:
        """Start the run in ``folder``; raises OSError when that fails.

        ``threads``: libraries are to start as many as the run's spec says.
        """

    def close(self) -> None:
        """Let go of what is held for further runs."""


class ColdStarter:
    """Each run has an interpreter of its own. One stands by, so that no run waits for its start."""

    def __init__(self, stderr: IO[bytes]):
        """``stderr`` gets what an interpreter says that can't even begin."""
        self._stderr = stderr
        self._spare = self._stand_by()

    def start(self, folder: str, *, threads: bool = False) -> Child:
        """Hand the run to the interpreter that stands by, and let another one take its place."""
        if self._spare.poll() is not None:  # somebody killed it
            self._spare = self._stand_by()
        child, self._spare = self._spare, self._stand_by()
        _tell(child, os.fsencode(folder))
        return child

    def close(self) -> None:
        """Let the interpreter that stands by go."""
        _tell(self._spare, b"")
        self._spare.wait()

    def _stand_by(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            COLD,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
            start_new_session=True,
        )


class WarmStarter:
    """Runs are forked from a nursery, which has imported what they need; see nursery.py.

    Where that can't be, ``warn`` is told why, and runs are started cold.
    """

    def __init__(self, stderr: IO[bytes], preload: Sequence[str], warn: Callable[[str], None]):
        self._stderr = stderr
        self._preload = preload
        self._warn = warn
        self._cold: ColdStarter | None = None
        self._stamp = _installed()
        self._nursery: subprocess.Popen[bytes] | None = self._found()
        self._is_ready = False

    def start(self, folder: str, *, threads: bool = False) -> Child:
        """Have the nursery fork the run; a nursery that died, or is outdated, is replaced.

        Libraries that it has preloaded have looked already how many threads they may start.
        """
        for _ in range(0 if threads and self._preload else 2):
            if self._nursery and (self._nursery.poll() is not None or _installed() != self._stamp):
                self._renew()
            if self._nursery is None:
                break
            pid = self._ask(self._nursery, folder)
            if pid > 0:
                return _Forked(pid)
        if self._cold is None:
            self._cold = ColdStarter(self._stderr)
        return self._cold.start(folder)

    def close(self) -> None:
        """Let the nursery go; its runs go on."""
        self._end()
        if self._cold:
            self._cold.close()

    def _ask(self, nursery: subprocess.Popen[bytes], folder: str) -> int:
        """The pid of the supervisor; 0 where the nursery is no good."""
        assert nursery.stdin is not None
        name = os.fsencode(folder)
        if not self._is_ready:
            if self._answer(nursery) != READY:
                self._give_up()
                return 0
            self._is_ready = True
        with suppress(BrokenPipeError):  # then there is no answer
            os.write(nursery.stdin.fileno(), REQUEST.pack(len(name)) + name)
        pid = self._answer(nursery)
        if pid <= 0:
            nursery.wait()
        return max(pid, 0)

    def _answer(self, nursery: subprocess.Popen[bytes]) -> int:
        """What the nursery says; -1 where it says no more."""
        assert nursery.stdout is not None
        answer = nursery.stdout.read(ANSWER.size)
        said: int = ANSWER.unpack(answer)[0] if len(answer) == ANSWER.size else -1
        return said

    def _give_up(self) -> None:
        """Say what the nursery said, and start runs cold from now on."""
        self._end()
        self._stderr.seek(0)
        said = self._stderr.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
        self._warn(f"{said or 'the nursery of runs ended at once'}; runs are started cold")

    def _renew(self) -> None:
        self._end()
        self._stamp, self._is_ready = _installed(), False
        self._nursery = self._found()

    def _end(self) -> None:
        nursery, self._nursery = self._nursery, None
        if nursery:
            for pipe in (nursery.stdin, nursery.stdout):
                if pipe:
                    with suppress(BrokenPipeError):
                        pipe.close()
            nursery.wait()

    def _found(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*NURSERY, *self._preload],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=0,
            start_new_session=True,
        )


class _Forked:
    """A process that is another one's child."""

    def __init__(self, pid: int):
        self.pid = pid
        self._started = start_time(pid) or ""  # a zombie, if it has ended already

    def poll(self) -> int | None:
        return None if self._started and is_alive(self.pid, self._started) else 0

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, 9)


def _tell(spare: subprocess.Popen[bytes], folder: bytes) -> None:
    """Say which run is its own; with an empty name, that there is none."""
    assert spare.stdin is not None
    with suppress(BrokenPipeError):  # it was killed: then the run is found to be lost
        spare.stdin.write(folder)
        spare.stdin.close()


def _installed() -> tuple[int, ...]:
    """Is another one when a package is installed or removed: the mtimes (ns) of where they lie."""
    return tuple(
        Path(folder).stat().st_mtime_ns for folder in sys.path if folder and Path(folder).is_dir()
    )
