"""Warm starts: runs are forked from a nursery (nursery.py), which supervises them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from mlpipeline.core.judging import signal_name
from mlpipeline.execution.executors.starting import Child, ColdStarter
from mlpipeline.execution.processes import (
    ANSWER,
    ENDED,
    READY,
    TRY,
    UNFIT,
    child_command,
    message,
)
from mlpipeline.state.layout import RunFolder

NURSERY = child_command("mlpipeline.execution.nursery", "main")
AT_ONCE = 4096  # bytes of answers
UNMENTIONED = 1.0  # seconds that may pass before somebody wonders


class WarmStarter:
    """Has a nursery fork runs; one that died, or is outdated, is replaced.

    Where that can't be, ``warn`` is told why, and runs are started cold.
    """

    def __init__(
        self,
        stderr: IO[bytes],
        preload: Sequence[str],
        warn: Callable[[str], None],
        *,
        patience: float = 60.0,
    ):
        """``patience``: seconds that importing what is to be preloaded may take."""
        self._stderr = stderr
        self._preload = preload
        self._warn = warn
        self._patience = patience
        self._cold: ColdStarter | None = None
        self._stamp = _installed()
        self._wanted: tuple[str, ...] = ()  # what models would have preloaded, too
        self._given_up: tuple[str, ...] = ()  # of those
        self._nursery: _Nursery | None = _Nursery(preload, stderr)
        self._retired: list[_Nursery] = []  # they have runs still

    def unready(self) -> str | None:
        """What is still to be imported; empty as long as that need not be mentioned."""
        nursery = self._nursery
        if nursery is None:
            return None
        nursery.listen()
        if nursery.is_dead or (nursery.is_ready and _installed() != self._stamp):
            self._replace(nursery)
            return self.unready()
        if nursery.is_ready:
            return None
        if nursery.age > self._patience:
            names = ", ".join(self._names)
            nursery.kill(f"{names} takes longer than inspect_timeout ({self._patience:g} s)")
            return ""
        return ", ".join(self._names) if nursery.age > UNMENTIONED else ""

    @property
    def _names(self) -> tuple[str, ...]:
        return (*self._preload, *self._wanted)

    def _found(self) -> _Nursery:
        self._stamp = _installed()
        return _Nursery([*self._preload, *(f"{TRY}{each}" for each in self._wanted)], self._stderr)

    def preload(self, modules: Sequence[str]) -> None:
        """Fork further runs from a nursery that has tried to import these ``modules``, too."""
        new = [each for each in modules if each not in (*self._names, *self._given_up)]
        if not new or self._nursery is None:
            return
        self._wanted += tuple(new)
        self._nursery.retire()
        self._retired.append(self._nursery)
        self._nursery = self._found()

    def start(self, folder: str, *, threads: bool = False) -> Child:
        """Have the nursery fork the run.

        Libraries that it has preloaded have looked already how many threads they may start.
        """
        if self._nursery is None or (threads and self._names):
            if self._cold is None:
                self._cold = ColdStarter(self._stderr)
            return self._cold.start(folder)
        return _Forked(self, self._nursery, folder)

    def descriptors(self) -> Collection[int]:
        """Of the nurseries that have runs, or are not ready."""
        for nursery in [each for each in self._retired if not each.going]:
            nursery.close()
            self._retired.remove(nursery)
        nurseries = [*self._retired, self._nursery]
        return [each.descriptor for each in nurseries if each and each.has_more_to_say]

    def close(self) -> None:
        """Let the nursery go; it stays until its runs have ended."""
        for nursery in [*self._retired, self._nursery]:
            if nursery:
                nursery.close()
        if self._cold:
            self._cold.close()

    def _replace(self, nursery: _Nursery) -> None:
        """By another one; by none where it could not become ready."""
        nursery.retire()
        if not nursery.is_ready and self._wanted:
            why = self._why_unfit(nursery).partition(": preload: ")[2]
            self._warn(f"preload of a model file: {why}; each run imports that itself")
            self._given_up += self._wanted
            self._wanted = ()
            self._nursery = self._found()
            return
        if not nursery.is_ready:
            self._nursery = None
            self._warn(f"{self._why_unfit(nursery)}; runs are started cold")
            return
        if nursery.is_dead and nursery.going:
            self._warn(
                f"the process that runs are forked from has died ({nursery.end}); of those that go "
                "on, a crash can't be told from a kill any more"
            )
        self._retired.append(nursery)
        self._nursery = self._found()

    def _why_unfit(self, nursery: _Nursery) -> str:
        if not self._names:
            return f"the process that runs are forked from has ended at once ({nursery.end})"
        names = ", ".join(self._names)
        why = nursery.problem or f"importing {names} ends the process ({nursery.end})"
        if nursery.is_unfit:
            self._stderr.seek(0)
            why = self._stderr.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
        return f"mlp.config: preload: {why}"


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
        os.set_blocking(self._answers.fileno(), False)
        self._found_at = time.monotonic()
        self._asked = 0
        self._half = b""  # of an answer
        self.going: set[int] = set()  # runs that have not ended
        self.is_ready = self.is_unfit = self.is_dead = False
        self.problem = ""  # why it was killed

    @property
    def age(self) -> float:
        """Seconds."""
        return time.monotonic() - self._found_at

    @property
    def descriptor(self) -> int:
        """It is readable when there are answers."""
        return self._answers.fileno()

    @property
    def has_more_to_say(self) -> bool:
        """Whether there will be answers."""
        return not self.is_dead and (bool(self.going) or not self.is_ready)

    @property
    def end(self) -> str:
        """How the process, which is dead, has ended."""
        code = self._process.returncode
        return signal_name(-code) if code < 0 else f"exit status {code}"

    def ask(self, folder: str) -> int:
        """Have it fork the run in ``folder``; returns the number of the run."""
        self._asked += 1
        self.going.add(self._asked)
        with suppress(BrokenPipeError, ValueError):  # it is dead, as the next look shows
            self._requests.write(message(os.fsencode(folder)))
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
            for word, number in ANSWER.iter_unpack(said[:whole]):
                self.is_ready = self.is_ready or word == READY
                self.is_unfit = self.is_unfit or word == UNFIT
                if word == ENDED:
                    self.going.discard(number)
            self._half = said[whole:]

    def kill(self, why: str) -> None:
        """End it at once."""
        self.problem = why
        self._process.kill()

    def retire(self) -> None:
        """Ask it for no more runs; it ends when it has none left."""
        with suppress(BrokenPipeError):
            self._requests.close()

    def close(self) -> None:
        """Let go of it; where it has runs, it goes on."""
        self.retire()
        self.listen()
        if not self.is_ready:
            self._process.kill()
        elif self.going and not self.is_dead:
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
        self._is_revoked = False
        self._instead: Child | None = None

    def is_going_on(self) -> bool | None:
        if self._instead:
            return self._instead.is_going_on()
        self._nursery.listen()
        if self._is_revoked or self._number not in self._nursery.going:
            return False
        if not self._nursery.is_dead:
            return True
        if self._run.processes.exists():
            return None
        with suppress(OSError):  # the nursery died before it came to this run
            self._starter.unready()
            self._instead = self._starter.start(self._folder)
            return True
        return None

    def kill(self) -> None:
        with suppress(OSError):  # whoever makes this file first has the run
            self._run.processes.touch(exist_ok=False)
            self._is_revoked = True


def _installed() -> tuple[int, ...]:
    """Is another one when a package is installed or removed: the mtimes (ns) of where they lie.

    A nursery is started without the first folder: that of the command, or the working directory.
    """
    folders = sys.path if sys.flags.safe_path else sys.path[1:]
    return tuple(Path(each).stat().st_mtime_ns for each in folders if Path(each).is_dir())
