"""How the processes of runs come into being: the port, and cold starts. For warm ones: warm.py."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import IO, Protocol

from mlpipeline.execution.processes import child_command

COLD = child_command("mlpipeline.execution.cold", "standby")


class Child(Protocol):
    """A run, as far as whoever started it needs to know.

    ``pid`` is the process that ends when the run does; None where the starter's descriptors tell of
    that.
    """

    @property
    def pid(self) -> int | None:
        """A process id."""

    def is_going_on(self) -> bool | None:
        """Whether it does; None where its supervisor is gone, so that only its folder can tell."""

    def kill(self) -> None:
        """Keep it from beginning."""


class Starter(Protocol):
    """Starts runs."""

    def unready(self) -> str | None:
        """What a start waits for; empty where that need not be mentioned, None for nothing."""

    def preload(self, modules: Sequence[str]) -> None:
        """Have ``modules`` at hand for the runs to come, where they are forked."""

    def start(self, folder: str, *, threads: bool = False) -> Child:
        """Start the run in ``folder``; raises OSError when that fails.

        ``threads``: libraries are to start as many as the run's spec says.
        """

    def descriptors(self) -> Collection[int]:
        """Readable when a run has ended that has no ``pid``, or a start need not wait any more."""

    def close(self) -> None:
        """Let go of what is held for further runs."""


class ColdStarter:
    """Each run has an interpreter of its own. One stands by, so that no run waits for its start."""

    def __init__(self, stderr: IO[bytes]):
        """``stderr`` gets what an interpreter says that can't even begin."""
        self._stderr = stderr
        self._spare = self._stand_by()

    def unready(self) -> str | None:
        """Nothing."""
        return None

    def preload(self, modules: Sequence[str]) -> None:
        """Each run imports what it needs."""

    def start(self, folder: str, *, threads: bool = False) -> Child:
        """Hand the run to the interpreter that stands by, and let another one take its place."""
        if self._spare.poll() is not None:  # somebody killed it
            self._spare = self._stand_by()
        process, self._spare = self._spare, self._stand_by()
        _tell(process, os.fsencode(folder))
        return _Supervised(process)

    def descriptors(self) -> Collection[int]:
        """None: each run has a process of its own."""
        return ()

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


class _Supervised:
    """A run that has a supervisor of its own."""

    def __init__(self, process: subprocess.Popen[bytes]):
        self._process = process

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process.poll() is None else None

    def is_going_on(self) -> bool | None:
        return True if self._process.poll() is None else None

    def kill(self) -> None:
        self._process.kill()


def _tell(spare: subprocess.Popen[bytes], folder: bytes) -> None:
    """Say which run is its own; with an empty name, that there is none."""
    assert spare.stdin is not None
    with suppress(BrokenPipeError):  # it was killed: then the run is found to be lost
        spare.stdin.write(folder)
        spare.stdin.close()
