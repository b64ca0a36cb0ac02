"""One scheduler a host and project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout

from mlpipeline.errors import ProjectBusy, StorageError


@contextmanager
def scheduler_lock(path: Path) -> Iterator[None]:
    """Hold the lock at ``path``; raises ProjectBusy, naming the holder's pid, when it is taken."""
    holder = path.with_suffix(".pid")
    try:
        path.touch()
        mode = path.stat().st_mode & 0o777  # as the umask has it; filelock would set its own
        lock = FileLock(path, timeout=0, mode=mode)
        with suppress(Timeout):
            lock.acquire()
    except (OSError, NotImplementedError) as error:
        raise StorageError(f"{path}: can't be locked: {error}") from error
    if isinstance(lock, SoftFileLock):  # what filelock makes do with; a crash would leave it locked
        lock.release()
        raise StorageError(f"{path}: can't be locked: its file system has no locks")
    if not lock.is_locked:
        pid = _read(holder) or "unknown"
        raise ProjectBusy(
            f"another mlpipeline -r works on this project (pid {pid}); "
            "edit models.config to steer it, or stop it first"
        )
    try:
        with suppress(OSError):  # it is for a message only
            holder.write_text(f"{os.getpid()}\n")
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def holder_of(path: Path) -> str:
    """The pid that holds the lock at ``path``, or a word in its place; empty when it is free."""
    try:
        with scheduler_lock(path):
            return ""
    except ProjectBusy:
        return _read(path.with_suffix(".pid")) or "unknown"


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
