"""One scheduler a host and project; one command at a time that edits its lists."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mlpipeline.errors import ProjectBusy, StorageError
from mlpipeline.state.files import storage

if TYPE_CHECKING:
    from filelock import FileLock

PATIENCE = 0.3  # seconds: a command may just be looking whether the lock is free, or note an order
POLL_INTERVAL = 0.02  # seconds, in that time
UNKNOWN = "unknown"  # in place of a pid
EDIT_PATIENCE = 10.0  # seconds: an edit takes milliseconds
FOR_EVER = -1  # as filelock has it


@contextmanager
def list_lock(path: Path) -> Iterator[None]:
    """Hold the lock at ``path``, under which the lists are edited; its folder is made.

    Raises StorageError when that fails, ProjectBusy when somebody has held it for too long.
    """
    with storage(f"{path.parent} can't be made"):
        path.parent.mkdir(exist_ok=True)
    lock = _acquire(path, patience=EDIT_PATIENCE)
    if lock is None:
        raise ProjectBusy("another command is editing the list; try again, or edit it by hand")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def run_lock(path: Path, waits: Callable[[], None]) -> Iterator[None]:
    """Hold the lock at ``path``, under which versions are listed and ordered; its folder is made.

    ``waits`` is called where another has it, which may take as long as scripts are inspected.
    Raises StorageError.
    """
    with storage(f"{path.parent} can't be made"):
        path.parent.mkdir(exist_ok=True)
    lock = _acquire(path, patience=PATIENCE)
    if lock is None:
        waits()
        lock = _acquire(path, patience=FOR_EVER)
    assert lock is not None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def making(folder: Path, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Make something in ``folder`` that another may be about to make, too, one after the other.

    ``waits`` is called where another does. Where its file system has no locks, there is none.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            number = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, number)
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waits()
                fcntl.flock(number, fcntl.LOCK_EX)
        yield


@contextmanager
def scheduler_lock(path: Path) -> Iterator[None]:
    """Hold the lock at ``path``; raises ProjectBusy, naming the holder's pid, when it is taken."""
    lock = _acquire(path, patience=PATIENCE)
    if lock is None:
        raise taken(_pid(path) or UNKNOWN)
    try:
        with suppress(OSError):  # it is for a message only
            path.with_suffix(".pid").write_text(f"{os.getpid()}\n")
        yield
    finally:
        with suppress(OSError):
            path.with_suffix(".pid").unlink(missing_ok=True)
        lock.release()


def holder_of(path: Path) -> str:
    """The pid that holds the lock at ``path``, or UNKNOWN; empty when it is free.

    Looks without taking it, so that nobody takes who looks for a scheduler, but for less than a
    millisecond. Raises StorageError when that can't be told.
    """
    deadline = time.monotonic() + PATIENCE
    while is_held(path):
        if pid := _pid(path):
            return pid
        if time.monotonic() > deadline:
            return UNKNOWN
        time.sleep(POLL_INTERVAL)  # it has just begun, or is about to end
    return ""


def taken(pid: str) -> ProjectBusy:
    """What is said to one who wants to work on a project that ``pid`` holds."""
    return ProjectBusy(
        f"another mlpipeline -r works on this project (pid {pid}); `mlpipeline status` shows it, "
        "`mlpipeline stop` ends it, and it takes up what you edit in models.config"
    )


def is_held(path: Path) -> bool:
    """Whether somebody has the lock; those who look share it for a moment."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        raise StorageError(f"{path}: can't be locked: {error}") from error
    return False


def _acquire(path: Path, *, patience: float) -> FileLock | None:
    """The lock, held; None when somebody else has it for longer than ``patience`` seconds."""
    from filelock import FileLock, SoftFileLock, Timeout  # 10 ms, and views only look

    try:
        path.touch()
        mode = path.stat().st_mode & 0o777 | 0o600  # as the umask has it; filelock has its own
        lock = FileLock(path, timeout=patience, mode=mode)
        with suppress(Timeout):
            lock.acquire(poll_interval=POLL_INTERVAL)
    except (OSError, NotImplementedError) as error:
        raise StorageError(f"{path}: can't be locked: {error}") from error
    if isinstance(lock, SoftFileLock):  # what filelock makes do with; a crash would leave it locked
        lock.release()
        raise StorageError(f"{path}: can't be locked: its file system has no locks")
    return lock if lock.is_locked else None


def _pid(path: Path) -> str:
    """What the holder says; empty as long as it says nothing."""
    try:
        return path.with_suffix(".pid").read_text().strip()
    except OSError:
        return ""
