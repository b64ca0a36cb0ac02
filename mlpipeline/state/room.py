"""Room on the disk: how much must be free, and a ballast to give up when nothing is."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

BALLAST_SIZE = 256 << 10  # bytes
GB = 1e9  # bytes


class Room:
    """The room in ``folder``, of which ``least`` GB must be free before anything is started.

    ``ballast`` is a file that holds some more, so that what has happened can be written even when
    the disk is full.
    """

    def __init__(self, folder: Path, ballast: Path, least: float):
        self._folder = folder
        self._ballast = ballast
        self._least = least

    def lack(self) -> str:
        """Why nothing can be started, in a person's words; empty when there is room."""
        try:
            free = shutil.disk_usage(self._folder).free / GB
        except OSError as error:
            return f"{self._folder} can't be looked at: {error.strerror}"
        if free < self._least:
            return (
                f"{self._folder} has {free:.3g} GB free, and min_free_disk is {self._least:g}: "
                "nothing is started until there is room"
            )
        self._keep_ballast()
        return ""

    def give_up_ballast(self) -> None:
        """Make some room, once."""
        with suppress(OSError):
            self._ballast.unlink()

    def _keep_ballast(self) -> None:
        with suppress(OSError):
            if not self._ballast.exists():
                with self._ballast.open("xb") as file:
                    file.write(b"\0" * BALLAST_SIZE)
                    os.fsync(file.fileno())
