"""Room on the disk: how much must be free, and a ballast to give up when nothing is."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

BALLAST_SIZE = 256 << 10  # bytes
HARDLY_ANY = 16 << 10  # bytes that are as good as none
GB = 1e9  # bytes


def lack_of_room(folder: Path, least: float) -> str:
    """Why nothing can be started with ``least`` GB to be free in ``folder``, in a person's words.

    Empty when there is room. For 0 GB, where the disk is full.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"{folder} can't be looked at: {error.strerror}"
    if free < least * GB:
        return (
            f"{folder} has {free / GB:.3g} GB free, and min_free_disk is {least:g}: "
            "nothing is started until there is room"
        )
    if free < HARDLY_ANY:
        return f"{folder} is on a full disk: what runs have to write waits until there is room"
    return ""


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
        if self._least and (lack := lack_of_room(self._folder, self._least)):
            return lack
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
