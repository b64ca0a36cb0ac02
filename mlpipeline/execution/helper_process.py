"""The process that sends runs to MLflow (mlflow_helper.py), as its parent sees it.

Nothing here waits for it. What it is told is kept until it says that it is done with that, so that
another one can be told when it is killed.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from mlpipeline.core.judging import signal_name
from mlpipeline.core.tracking import State, Told
from mlpipeline.core.variables import resolved
from mlpipeline.execution.processes import child_command
from mlpipeline.state.layout import Layout
from mlpipeline.state.mlflow_config import Mlflow

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds before another one is started for one that died
IDLE = 300.0  # seconds without anything to send, after which it is let go

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(State).decode


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The first line that the helper is told."""

    settings: Mlflow  # whose uri is one, and no variable
    project: str  # name of the project's folder
    lock: str  # path of the lock that is held while anything is sent


class HelperProcess:
    """One at a time. ``state`` is what it has said last, ``told`` what is not wholly sent."""

    def __init__(self, settings: Mlflow, layout: Layout, warn: Callable[[str], None]):
        """``warn`` is told, in a line, of what is left out, and of a server that is down."""
        self.told: dict[str, Told] = {}  # by folder
        self.state = State()
        self._layout = layout
        self._warn = warn
        self._order = Order(
            settings=msgspec.structs.replace(settings, uri=resolved(settings.uri, os.environ)),
            project=layout.project.name,
            lock=str(layout.tracker),
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._unsaid = b""
        self._half = b""  # of what it says
        self._pause = FIRST_PAUSE
        self._not_before = 0.0  # monotonic seconds
        self._idle_from = time.monotonic()
        self._problem = ""  # that was warned of

    @property
    def is_usable(self) -> bool:
        """Whether what is told now is sent now, as far as is known."""
        may_start = self._process is not None or time.monotonic() >= self._not_before
        return may_start and self.state.is_up

    def start(self) -> None:
        """Have one, as soon as may be."""
        if self._process is not None or time.monotonic() < self._not_before:
            return
        try:
            self._process = subprocess.Popen(
                child_command("mlpipeline.execution.mlflow_helper", "main"),
                cwd=self._layout.project,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            self._has_died(f"the process that sends to it can't be started: {error}")
            return
        for end in (self._process.stdin, self._process.stdout):
            assert end is not None
            os.set_blocking(end.fileno(), False)
        self._unsaid = _line(self._order) + b"".join(map(_line, self.told.values()))
        self._half = b""
        self.state = State(left=self.state.left)  # until it says something else

    def tell(self, told: Told) -> None:
        """Have an attempt sent; or what is new of it."""
        # Another process, later, can't know what this one has done.
        self.told[told.folder] = msgspec.structs.replace(told, is_new=False)
        if self._process is not None:
            self._unsaid += _line(told)
        self.get_on()

    def get_on(self) -> None:
        """Write what it still takes, and hear what it says."""
        if self.told:
            self._idle_from = time.monotonic()
            self.start()
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        if not process.stdin.closed:
            with suppress(BlockingIOError, BrokenPipeError):
                while self._unsaid:
                    self._unsaid = self._unsaid[os.write(process.stdin.fileno(), self._unsaid) :]
        self._listen(process)
        if not self.told and time.monotonic() > self._idle_from + IDLE:
            process.stdin.close()

    def finish(self) -> bool:
        """Have it send what is left, and end; whether it has ended. To be called again and again.

        No other one is started then.
        """
        process = self._process
        if process is None:
            return True
        self.get_on()
        assert process.stdin is not None
        if not self._unsaid and not process.stdin.closed:
            process.stdin.close()
        return self._process is None

    def kill(self) -> None:
        """End it at once, if it is there. What it has sent is noted."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._close(self._process)

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        has_ended = process.poll() is not None
        with suppress(BlockingIOError):
            while said := os.read(process.stdout.fileno(), 1 << 16):
                *lines, self._half = (self._half + said).split(b"\n")
                for line in lines:
                    self._hear(_decode(line))
        if has_ended:
            was_asked = process.stdin is not None and process.stdin.closed
            self._close(process)
            if not was_asked:
                self._has_died(self.state.problem or _ended(process.returncode))

    def _hear(self, state: State) -> None:
        self.state = state
        if state.is_up:
            self._pause = FIRST_PAUSE
        if state.done:
            self.told.pop(state.done, None)
        if state.warning:
            self._warn(f"MLflow: {state.warning}")
        self._say(state.problem)

    def _say(self, problem: str) -> None:
        """Warn of what keeps things from being sent, once for each time that it begins."""
        if problem and not self._problem:
            self._warn(f"MLflow: {problem}; runs go on, and what is missing there is sent later")
        self._problem = problem

    def _has_died(self, problem: str) -> None:
        self._not_before = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self.state = State(is_up=False, problem=problem, left=self.state.left)
        self._say(problem)

    def _close(self, process: subprocess.Popen[bytes]) -> None:
        for end in (process.stdin, process.stdout):
            if end is not None:
                with suppress(BrokenPipeError):
                    end.close()
        self._process = None
        self._unsaid = b""


def _line(record: Order | Told) -> bytes:
    return _encode(record) + b"\n"


def _ended(code: int) -> str:
    how = signal_name(-code) if code < 0 else f"exit status {code}"
    return f"the process that sends to it has ended with {how}"
