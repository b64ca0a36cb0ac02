"""Writing files so that a reader never meets half of one, and reading what may be damaged."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from mlpipeline.errors import DiskFull, StorageError

R = TypeVar("R", bound=msgspec.Struct)

# What msgspec raises for bytes that are not the record asked for.
NOT_A_RECORD = (msgspec.DecodeError, UnicodeDecodeError)


def write_whole(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` at once: a temporary file beside it, then a rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)


def read_record(path: Path, kind: type[R]) -> R | None:
    """The JSON record at ``path``; None when it is missing, cut, or of another form."""
    try:
        return decode_record(path.read_bytes(), kind)
    except OSError:
        return None


def decode_record(content: bytes, kind: type[R]) -> R | None:
    """The JSON record that ``content`` is; None when it is cut, or of another form."""
    try:
        return msgspec.json.decode(content, type=kind)
    except NOT_A_RECORD:
        return None


@contextmanager
def storage(doing: str) -> Iterator[None]:
    """Turn an OSError into a StorageError (DiskFull for want of room) that says what was done."""
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StorageError
        raise kind(f"{doing}: {error.strerror or error}{where}") from error
