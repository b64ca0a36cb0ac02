"""Warm starts: runs are forked from a nursery (nursery.py), which supervises them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from mlpipeline.execution.executors.starting import Child, ColdStarter
from mlpipeline.execution.processes import (
    ANSWER,
    READY,
    REQUEST,
    child_command,
)
from mlpipeline.state.layout import RunFolder

NURSERY = child_command("mlpipeline.execution.nursery", "main")
AT_ONCE = 4096  # bytes of answers


class WarmStarter:
    """Has a nursery fork runs; one that died, or is outdated, is replaced.

    Where that can't be, ``warn`` is told why, and runs are started cold.
    """

    def __init__(self, stderr: IO[bytes], preload: Sequence[str], warn: Callable[[str], None]):
        self._stderr = stderr
        self._preload = preload
        self._warn = warn
        self._cold: ColdStarter | None = None
        self._stamp = _installed()
        self._nursery: _Nursery | None = _Nursery(preload, stderr)
        self._retired: list[_Nursery] = []  # they have runs still

    def start(self, folder: str, *, threads: bool = False) -> Child:
        """Have the nursery fork the run.

        Libraries that it has preloaded have looked already how many threads they may start.
        """
        if self._nursery and (self._nursery.is_dead or _installed() != self._stamp):
            self._renew()
        if self._nursery and not self._nursery.is_fit():
            self._give_up()
        if self._nursery is None or (threads and self._preload):
            if self._cold is None:
                self._cold = ColdStarter(self._stderr)
            return self._cold.start(folder)
        return _Forked(self, self._nursery, folder)

    def descriptors(self) -> Collection[int]:
        """Of the nurseries that have runs."""
        for nursery in [each for each in self._retired if not each.going]:
            nursery.close()
            self._retired.remove(nursery)
        nurseries = [*self._retired, self._nursery]
        return [each.descriptor for each in nurseries if each and each.going and not each.is_dead]

    def close(self) -> None:
        """Let the nursery go; it stays until its runs have ended."""
        for nursery in [*self._retired, self._nursery]:
            if nursery:
                nursery.retire()
                nursery.close()
        if self._cold:
            self._cold.close()

    def _give_up(self) -> None:
        """Say what the nursery said, and start runs cold from now on."""
        if self._nursery:
            self._nursery.retire()
            self._nursery.close()
            self._nursery = None
        self._stderr.seek(0)
        said = self._stderr.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
        self._warn(f"{said or 'the nursery of runs ended at once'}; runs are started cold")

    def _renew(self) -> None:
        if self._nursery:
            self._nursery.retire()
            self._retired.append(self._nursery)
        self._stamp = _installed()
        self._nursery = _Nursery(self._preload, self._stderr)


class _Nursery:
    """The process, and what it has said of its runs, which are numbered as they were asked for."""

    def __init__(self, preload: Sequence[str], stderr: IO[bytes]):
        self._process = subprocess.Popen(
            [*NURSERY, *preload],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self._is_ready = False
        self._asked = 0
        self._half = b""  # of an answer
        self.going: set[int] = set()  # those that have not ended
        self.is_dead = False

    @property
    def descriptor(self) -> int:
        """It is readable when there are answers."""
        return self._answers.fileno()

    def is_fit(self) -> bool:
        """Whether it can fork runs; waits until it has imported what it is to."""
        if not self._is_ready:
            answer = self._answers.read(ANSWER.size) or b""
            self._is_ready = answer == ANSWER.pack(READY, 0)
            os.set_blocking(self.descriptor, False)
        return self._is_ready

    def ask(self, folder: str) -> int:
        """Have it fork the run in ``folder``; returns the number of the run."""
        name = os.fsencode(folder)
        self._asked += 1
        self.going.add(self._asked)
        with suppress(BrokenPipeError):  # it is dead, as the next look shows
            self._requests.write(REQUEST.pack(len(name)) + name)
        return self._asked

    def listen(self) -> None:
        """Take in what it says."""
        while not self.is_dead:
            said = self._answers.read(AT_ONCE)
            if said is None:  # no more for now
                return
            if not said:
                self._process.wait()
                self._answers.close()
                self.is_dead = True
            said = self._half + said
            whole = len(said) // ANSWER.size * ANSWER.size
            for _, number in ANSWER.iter_unpack(said[:whole]):  # each has ENDED
                self.going.discard(number)
            self._half = said[whole:]

    def retire(self) -> None:
        """Ask it for no more runs; it ends when it has none left."""
        with suppress(BrokenPipeError):
            self._requests.close()

    def close(self) -> None:
        """Let go of it; where it has runs, it goes on."""
        self.listen()
        if self.going and not self.is_dead:
            self._process.returncode = 0  # else Popen says that it was left behind, as it is meant
        self._process.wait()
        self._answers.close()


class _Forked:
    """A run that a nursery was asked for."""

    pid = None

    def __init__(self, starter: WarmStarter, nursery: _Nursery, folder: str):
        self._starter = starter
        self._nursery = nursery
        self._folder = folder
        self._run = RunFolder(Path(folder))
        self._number = nursery.ask(folder)
        self._instead: Child | None = None

    def is_going_on(self) -> bool | None:
        if self._instead:
            return self._instead.is_going_on()
        self._nursery.listen()
        if self._number not in self._nursery.going:
            return False
        if not self._nursery.is_dead:
            return True
        if self._run.processes.exists():
            return None
        with suppress(OSError):  # the nursery died before it came to this run
            self._instead = self._starter.start(self._folder)
            return True
        return None

    def kill(self) -> None:
        with suppress(OSError):  # whoever makes this file first has the run
            self._run.processes.touch(exist_ok=False)


def _installed() -> tuple[int, ...]:
    """Is another one when a package is installed or removed: the mtimes (ns) of where they lie.

    A nursery is started without the first folder: that of the command, or the working directory.
    """
    folders = sys.path if sys.flags.safe_path else sys.path[1:]
    return tuple(Path(each).stat().st_mtime_ns for each in folders if Path(each).is_dir())
