"""Writing files so that a reader never meets half of one, and reading what may be damaged."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from mlpipeline.errors import DiskFull, StorageError

R = TypeVar("R", bound=msgspec.Struct)

# What msgspec raises for bytes that are not the record asked for.
NOT_A_RECORD = (msgspec.DecodeError, UnicodeDecodeError)


def write_whole(
    path: Path,
    content: bytes,
    *,
    lasting: bool = False,
    mode: int | None = None,
    owner: tuple[int, int] | None = None,
) -> None:
    """Put ``content`` at ``path`` at once: a temporary file beside it, then a rename.

    ``lasting``: so that it survives a power cut. ``mode``: its rights, by default as the umask
    says. ``owner``: a user and a group, as far as one may give it to them. Raises OSError; what was
    at ``path`` is there then, and nothing else.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            if owner is not None:
                with suppress(OSError):  # only root may give a file away
                    os.fchown(file.fileno(), *owner)
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(content)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


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
