"""One scheduler a host and project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from mlpipeline.errors import ProjectBusy, StorageError


@contextmanager
def scheduler_lock(path: Path) -> Iterator[None]:
    """Hold the lock at ``path``; raises ProjectBusy, naming the holder's pid, when it is taken."""
    holder = path.with_suffix(".pid")
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        pid = _read(holder) or "unknown"
        raise ProjectBusy(
            f"another mlpipeline -r works on this project (pid {pid}); "
            "edit models.config to steer it, or stop it first"
        ) from None
    except (OSError, NotImplementedError) as error:
        raise StorageError(f"{path}: can't be locked: {error}") from error
    try:
        with suppress(OSError):  # it is for a message only
            holder.write_text(f"{os.getpid()}\n")
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
