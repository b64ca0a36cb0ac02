"""A worker that is forked before there is a run for it, so that no run waits for the fork."""

from __future__ import annotations

import faulthandler
import marshal
import os
import signal
import sys
from contextlib import suppress

from mlpipeline.execution.processes import STOP_SIGNALS, message, read_message, start_time
from mlpipeline.execution.worker import work

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Spare:
    """A child process that waits for its run."""

    def __init__(
        self,
        end: Callable[[int], object],
        leave: Callable[[], None] = lambda: None,
        end_forked: Callable[[int], object] | None = None,
    ):
        """In the child, ``leave`` lets go of what is its parent's, and ``end`` ends the process
        with an exit status; ``end_forked`` does so in a child of its own (see Lifecycle). Raises
        OSError where there can't be another process.
        """
        orders, self._orders = os.pipe()
        self._sign, sign = os.pipe()
        try:
            self.pid = os.fork()
        except OSError:
            os.close(orders)
            os.close(sign)
            self._close()
            raise
        if self.pid == 0:
            self._close()
            leave()
            os.setsid()
            for number in STOP_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            os.write(sign, b".")
            os.close(sign)
            said = read_message(orders)
            os.close(orders)
            if not said:  # whoever forked it is gone, or has no run for it
                os._exit(0)
            folder, spec = marshal.loads(said)
            end(work(folder, spec, end_forked))
            os._exit(1)  # it does not come here
        os.close(orders)
        os.close(sign)
        self.started = start_time(self.pid)

    def await_signals(self) -> None:
        """Return when it minds signals to its process group."""
        os.read(self._sign, 1)

    def is_there(self) -> bool:
        """Whether it still waits: somebody may have killed it. Where not, it is done with."""
        if os.waitpid(self.pid, os.WNOHANG)[0] == 0:
            return True
        self._close()
        return False

    def run(self, folder: str, spec: dict[str, Any]) -> None:
        """Let it run what the ``launch.Spec`` of the run in ``folder`` says."""
        with suppress(BrokenPipeError), os.fdopen(self._orders, "wb", closefd=False) as file:
            file.write(message(marshal.dumps((folder, spec))))
        self._close()  # where it was killed meanwhile, its end will tell

    def dismiss(self) -> None:
        """Let it go without a run."""
        self._close()
        os.waitpid(self.pid, 0)

    def _close(self) -> None:
        os.close(self._orders)
        os.close(self._sign)


def prepare_streams() -> None:
    """Have what workers print, and what their crashes say, come through; before they are forked."""
    faulthandler.enable()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
