"""The history: one append-only journal a host, and what all of them tell.

A journal has one JSON object (an Event of core/runs.py or a Note of core/orders.py) a line. Only
the host's own scheduler appends to it; anybody reads it.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

import msgspec

from mlpipeline.core.ledger import Ledger
from mlpipeline.core.orders import AnyNote, AnyRecord
from mlpipeline.core.runs import AnyEvent, Run
from mlpipeline.errors import DiskFull, StorageError
from mlpipeline.state.files import storage
from mlpipeline.state.journals import Journals
from mlpipeline.state.layout import Layout
from mlpipeline.state.room import Room

AT_THE_END, LATER = 1_000, 20_000  # lines that are not indexed, from which on they are

_encode = msgspec.json.Encoder().encode


class History:
    """What has happened to the runs of a project; this one forgets with its process.

    ``ledger`` is the state that the events add up to.
    """

    def __init__(self, host: str):
        self.host = host
        self.ledger = Ledger()

    def append(self, event: AnyEvent, *, settle: bool = True) -> Run:
        """Record ``event`` of this host and return the run as it is now.

        With ``settle`` it is on the platter then, and all before it. Raises IllegalTransition for
        an event that can't follow, StorageError when the disk refuses it; then nothing is recorded.
        """
        self.ledger.preview(event, self.host)
        self._store(event, settle=settle)
        return self.ledger.apply(event, self.host)

    def note(self, *notes: AnyNote) -> None:
        """Record what this host says of versions; raises StorageError, and then nothing is."""
        if notes:
            self._store(*notes)
        for note in notes:
            self.ledger.note(note)

    def catch_up(self) -> list[str]:
        """Take in what other hosts have recorded since; returns warnings, as Journals does."""
        return []

    def settle(self) -> None:
        """Have all that was recorded on the platter; raises StorageError."""

    def keep_index(self) -> None:
        """See to it that the history can be read quickly; no run is to wait for that."""

    def _store(self, *records: AnyRecord, settle: bool = True) -> None:
        """Keep ``records`` for other processes and later days."""


class DiskHistory(History):
    """The history on disk, of this host's scheduler.

    An incomplete write is cut back.
    """

    def __init__(self, layout: Layout, room: Room | None = None):
        """``room``: whose ballast is given up for an event when the disk is full.

        Raises StorageError when the journal can't be opened, or has records of a newer format.
        """
        super().__init__(layout.host)
        self._path = layout.history
        self._room = room
        self._is_settled = True
        self._journals = Journals(layout, self.ledger)
        self.warnings = self._journals.read()
        if self._path in self._journals.newer:
            raise StorageError(
                f"{self._path} was written by a newer mlpipeline, and is left as it is; "
                "update mlpipeline"
            )
        with storage("the history can't be opened"):
            self.warnings += _set_torn_end_aside(self._path)
            # Opened once: a journal that is renamed under a running scheduler stays whole.
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            _sync_folder(self._path.parent)

    def catch_up(self) -> list[str]:
        """Read on in the other hosts' journals."""
        try:
            return self._journals.read(without=self.host)
        except StorageError as error:  # theirs: our own runs must not end for it
            return [str(error)]

    def keep_index(self) -> None:
        """Write the index when much is new."""
        self._index(LATER)

    def settle(self) -> None:
        """Wait for the disk, where something was recorded since the last time."""
        if not self._is_settled:
            with storage(str(self._path)):
                _sync(self._file)
            self._is_settled = True

    def _store(self, *records: AnyRecord, settle: bool = True) -> None:
        line = b"".join(_encode(record) + b"\n" for record in records)
        try:
            with storage(str(self._path)):
                self._write(line, settle=settle)
        except DiskFull:
            if self._room is None:
                raise
            self._room.give_up_ballast()
            with storage(str(self._path)):
                self._write(line, settle=settle)
        self._is_settled = settle
        self._journals.wrote(self._path, line)

    def _write(self, line: bytes, *, settle: bool) -> None:
        """All of ``line``, on the platter if it is to settle; or OSError is raised, and none of it
        is there.
        """
        stat = os.fstat(self._file)
        if stat.st_nlink == 0:
            raise OSError(
                errno.ENOENT, "the history was deleted under this session; start mlpipeline again"
            )
        try:
            if os.write(self._file, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if settle:
                _sync(self._file)
        except OSError:
            with suppress(OSError):  # else the next start sets the torn line aside
                os.ftruncate(self._file, stat.st_size)
            raise

    def _index(self, least: int) -> None:
        """Write the index if that is due, and nobody needs the room."""
        if self._journals.is_index_due(least) and not (self._room and self._room.lack()):
            with suppress(OSError):  # then the journals are read
                self._journals.write_index()

    def close(self) -> None:
        """Let go of the file."""
        with suppress(StorageError):
            self.settle()
        os.close(self._file)
        self._index(AT_THE_END)


def read_histories(layout: Layout, *, index: bool = True) -> tuple[Ledger, list[str]]:
    """What the journals of all hosts tell, with a warning for each line that can't be used.

    ``index``: take from there what is known already. Raises StorageError.
    """
    ledger = Ledger()
    return ledger, Journals(layout, ledger, index=index).read()


def rebuild_index(layout: Layout) -> Ledger:
    """Make the index again from the journals, and return what they tell; raises StorageError.

    Call it with the scheduler's lock: nobody else may write it.
    """
    ledger = Ledger()
    journals = Journals(layout, ledger, index=False)
    journals.read()
    with storage(f"{layout.index} can't be written"):
        journals.write_index()
    return ledger


def _sync(file: int) -> None:
    """Have the data on the platter; macOS has no fdatasync."""
    getattr(os, "fdatasync", os.fsync)(file)


def _sync_folder(path: Path) -> None:
    """Have the names in a folder on the platter, too."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def torn_end(path: Path) -> bytes:
    """What stands after the last line end of a journal: a write that was cut."""
    torn = b""
    try:
        with path.open("rb") as file:
            position = file.seek(0, os.SEEK_END)
            while position and b"\n" not in torn:
                start = max(0, position - 4096)
                file.seek(start)
                torn = file.read(position - start) + torn
                position = start
    except FileNotFoundError:
        return b""
    return torn.rpartition(b"\n")[2]


def _set_torn_end_aside(path: Path) -> list[str]:
    """Move the torn end of a journal into a file of its own."""
    torn = torn_end(path)
    if not torn:
        return []
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    aside.write_bytes(torn)
    os.truncate(path, path.stat().st_size - len(torn))
    return [f"{path}: its last line was cut short; {len(torn)} bytes are set aside in {aside.name}"]
