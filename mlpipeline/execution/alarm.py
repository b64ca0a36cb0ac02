"""Wakes a loop that sleeps in ``select``; from a signal handler or another thread, too."""

from __future__ import annotations

import os
from contextlib import suppress


class Alarm:
    """``descriptor`` is readable from :meth:`ring` until :meth:`silence`."""

    def __init__(self) -> None:
        self.descriptor, self._bell = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._bell, False)

    def ring(self) -> None:
        """Wake it."""
        with suppress(BlockingIOError):  # it rings already
            os.write(self._bell, b"!")

    def silence(self) -> None:
        """It is awake."""
        with suppress(BlockingIOError):
            os.read(self.descriptor, 1 << 10)

    def close(self) -> None:
        """Let go of the descriptors; nobody may ring any more."""
        os.close(self.descriptor)
        os.close(self._bell)
