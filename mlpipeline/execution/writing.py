"""How a run's own processes write into the run's folder, and read. Imports next to nothing."""

from __future__ import annotations

import errno
import json
import os
import time
from contextlib import suppress

from mlpipeline.core.run_files import BALLAST

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

BALLAST_SIZE = 64 << 10  # bytes
FULL = (errno.ENOSPC, errno.EDQUOT)
WAIT_FOR_ROOM = 0.5  # seconds between two tries to write on a full disk

_encode = json.JSONEncoder(ensure_ascii=False).encode


def read_json(folder: str, name: str) -> Any:
    """What the JSON file ``folder``/``name`` holds; raises OSError, ValueError.

    At half the cost of a text file, of which the nursery would copy more pages.
    """
    with open(os.path.join(folder, name), "rb", buffering=0) as file:
        return json.loads(str(file.read(), "utf-8"))


def to_json(content: Mapping[str, Any]) -> bytes:
    """``content`` as valid UTF-8, whatever a user's strings hold."""
    return _encode(content).encode("utf-8", "replace")


def write_json(folder: str, name: str, content: Mapping[str, Any]) -> None:
    """Put ``content`` at ``folder``/``name`` at once: a temporary file, then a rename."""
    write_bytes(folder, name, to_json(content))


def write_bytes(folder: str, name: str, content: bytes) -> None:
    """The same for what is no JSON."""
    temporary = os.path.join(folder, f".{name}")
    _write(temporary, os.O_TRUNC, content)
    os.replace(temporary, os.path.join(folder, name))


def create_json(folder: str, name: str, content: Mapping[str, Any]) -> None:
    """Put ``content`` at ``folder``/``name``; raises FileExistsError where there is something.

    For an instant, and after a kill in that instant, there is an empty file.
    """
    path = os.path.join(folder, name)
    try:
        _write(path, os.O_EXCL, to_json(content))
    except FileExistsError:
        raise
    except OSError:
        with suppress(OSError):
            os.unlink(path)
        raise


def _write(path: str, flags: int, content: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o666)
    try:
        if os.write(file, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(file)


def overwrite_json(folder: str, name: str, content: Mapping[str, Any], longest: int) -> int:
    """Put ``content`` at ``folder``/``name``, over what is there; ``longest`` is what this returned
    before, 0 at first.

    For what is written again and again, and where a reader that meets half of it looks once more:
    it costs a fiftieth of a rename over an old file, for which ext4 sends the new one to the disk.
    """
    text = to_json(content).ljust(longest)
    file = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT, 0o666)
    try:
        if os.pwrite(file, text, 0) != len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(file)
    return len(text)


def keep_ballast(folder: str) -> None:
    """Put some room aside for what must be written at last, where the file system can."""
    with suppress(OSError, AttributeError):  # macOS has no posix_fallocate
        file = os.open(os.path.join(folder, BALLAST), os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            os.posix_fallocate(file, 0, BALLAST_SIZE)
        finally:
            os.close(file)


def write_at_last(folder: str, name: str, content: Mapping[str, Any] | bytes) -> None:
    """``write_json``, or ``write_bytes``, however long it takes until the disk has room for it.

    When the disk is full, the ballast is given up first. Raises OSError for anything else.
    """
    while not try_at_last(folder, name, content):
        time.sleep(WAIT_FOR_ROOM)


def try_at_last(folder: str, name: str, content: Mapping[str, Any] | bytes) -> bool:
    """The same, with the ballast given up where the disk is full; False where it still is."""
    text = content if isinstance(content, bytes) else to_json(content)
    while True:
        try:
            write_bytes(folder, name, text)
        except OSError as error:
            if error.errno not in FULL:
                raise
            if not drop_ballast(folder):
                return False
        else:
            return True


def drop_ballast(folder: str) -> bool:
    """Give up what ``keep_ballast`` put aside; whether there was any."""
    try:
        os.unlink(os.path.join(folder, BALLAST))
    except OSError:
        return False
    return True


def mark(folder: str, name: str) -> None:
    """Put down an empty file: that it is there says something."""
    os.close(os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT, 0o666))


def append_text(folder: str, name: str, text: str) -> None:
    """Add ``text`` to ``folder``/``name``: all of it, or OSError is raised and none is added."""
    content = text.encode("utf-8", "replace")
    file = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        before = os.fstat(file).st_size
        if os.write(file, content) != len(content):
            os.ftruncate(file, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(file)


def iso_now() -> str:
    """The time now, in ISO 8601 with the offset from UTC. (Importing datetime takes 2 ms.)"""
    now = time.time()
    local = time.localtime(now)
    offset = time.strftime("%z", local)
    microseconds = int(now % 1 * 1e6)
    return (
        f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}.{microseconds:06d}{offset[:3]}:{offset[3:]}"
    )
