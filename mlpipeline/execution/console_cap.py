"""``console_limit``: of what a run prints, the head and the tail are kept.

While the run goes on, the blocks between them are given back to the file system (a hole), again and
again; at its end the log is made whole without the hole. Nobody stands between the script and its
log: see docs/decisions/0017. Imports next to nothing.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress

from mlpipeline.core import run_files
from mlpipeline.core.left_out import left_out
from mlpipeline.execution.writing import append_text, iso_now

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FASTEST = 2e9  # bytes a second that are reckoned with: what a file system takes from `yes`
SELDOM, OFTEN, SOONEST = 0.5, 0.1, 0.01  # seconds between looks: far from the limit, near it, and
FLOOD = 8 << 20  # … when more than so many bytes come between two of them
LINE = 100  # bytes, more than the line that stands for what is left out
CHUNK = 1 << 20  # bytes that are copied at once
ALIGNMENT = 4096  # bytes; file systems give back whole blocks
LOOK_BACK = 1 << 16  # bytes in which the end of a line is looked for
KEEP_SIZE, PUNCH_HOLE = 1, 2  # linux/falloc.h
# What says that a file system can't give back a file's middle; all else passes.
CAN_NOT = (errno.EOPNOTSUPP, errno.ENOSYS, errno.ENODEV, errno.EPERM, errno.EINVAL, errno.ETXTBSY)


class ConsoleCap:
    """Keeps the log of one run small, as long as somebody calls it."""

    def __init__(self, folder: str, spec: Mapping[str, Any]):
        """``spec`` is a ``launch.Spec``; its ``console_limit`` is in bytes, None for no limit."""
        self._folder = folder
        self._path = os.path.join(folder, run_files.CONSOLE)
        self._spec = spec
        self._limit: int | None = spec.get("console_limit")
        self._size = 0  # at the last look
        self._freed = 0  # up to where the middle is given back
        self._pause = 0.0 if self._limit is None else self._pause_below_limit()
        self._looked = time.monotonic()

    @property
    def due(self) -> float | None:
        """When the next look is due, in monotonic seconds; None where it need not be looked at."""
        return None if self._limit is None else self._looked + self._pause

    def look(self) -> None:
        """Give back what is too much, when it is time for a look."""
        if self._limit is None or time.monotonic() < self._looked + self._pause:
            return
        try:
            size = os.stat(self._path).st_size
        except OSError:  # somebody deletes the folder
            size = self._size
        grown, self._size = size - self._size, size
        if size < self._freed:  # somebody emptied it
            self._freed = 0
        if size > self._limit and grown:
            self._give_back(size - (self._limit - self._limit // 2))
        if self._limit is not None and size > self._limit:
            self._pause *= FLOOD / grown if grown > 0 else 2
            self._pause = min(max(self._pause, SOONEST), OFTEN)
        elif self._limit is not None:
            self._pause = self._pause_below_limit()
        self._looked = time.monotonic()

    def is_exceeded(self) -> bool:
        """Whether there is anything for :meth:`settle` to do."""
        limit: int | None = self._spec.get("console_limit")
        if limit is None:
            return False
        try:
            return os.stat(self._path).st_size > limit + LINE
        except OSError:
            return False

    def settle(self) -> None:
        """Make the log its head, a line and its tail; call it when nobody writes any more.

        Killed amid this, or on a full disk, it leaves the log with its hole, which readers know.
        """
        if self.is_exceeded():
            with suppress(OSError):
                _compact(self._folder, self._spec["console_limit"])

    def clear_up(self) -> None:
        """Remove what a :meth:`settle` that was killed has left."""
        with suppress(OSError):
            os.unlink(os.path.join(self._folder, f".{run_files.CONSOLE}"))

    def _pause_below_limit(self) -> float:
        """Until the limit can be reached, by whatever prints."""
        assert self._limit is not None
        return min(max((self._limit - self._size) / FASTEST, OFTEN), SELDOM)

    def _give_back(self, tail: int) -> None:
        """The blocks between the head and the ``tail``, which begins there."""
        assert self._limit is not None
        begin = -(-(self._limit // 2) // ALIGNMENT) * ALIGNMENT
        begin, end = max(begin, self._freed), tail // ALIGNMENT * ALIGNMENT
        if begin >= end:
            return
        try:
            _punch(self._path, begin, end - begin)
        except (OSError, AttributeError) as error:
            number = error.errno if isinstance(error, OSError) else errno.ENOSYS
            if number in CAN_NOT:
                self._limit = None  # until the end
                self._say_so()
        else:
            self._freed = end

    def _say_so(self) -> None:
        spec = self._spec
        name = f"{spec['model']}/{spec['version']}#{spec['attempt']}"
        with suppress(OSError):
            append_text(
                self._folder,
                run_files.MESSAGES,
                f"[{iso_now()}]::WARNING - {name}: its {run_files.CONSOLE} is cut down to "
                "console_limit when the run ends, not before: this file system can't give back the "
                "middle of a file\n",
            )


def _punch(path: str, begin: int, length: int) -> None:
    """Give ``length`` bytes of the file back, which keeps its size; raises OSError where that can't
    be, AttributeError where the system has no such call.
    """
    import ctypes  # few runs print that much

    fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    file = os.open(path, os.O_WRONLY)
    try:
        if fallocate(file, PUNCH_HOLE | KEEP_SIZE, begin, length):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    finally:
        os.close(file)


def _compact(folder: str, limit: int) -> None:
    """Replace the log by its head, a line and its tail; raises OSError, and leaves it then."""
    path = os.path.join(folder, run_files.CONSOLE)
    temporary = os.path.join(folder, f".{run_files.CONSOLE}")
    log = os.open(path, os.O_RDONLY)
    try:
        stat = os.fstat(log)
        head = _end_of_head(log, limit // 2)
        tail = _begin_of_tail(log, stat.st_size - (limit - limit // 2), stat.st_size)
        line = left_out(tail - head) + "\n"
        if head and os.pread(log, 1, head - 1) != b"\n":
            line = "\n" + line
        copy = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.st_mode & 0o777)
        try:
            _copy(log, 0, head, copy)
            os.write(copy, line.encode())
            _copy(log, tail, stat.st_size, copy)
            os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            os.fsync(copy)  # or a power cut could take what is on the platter already
        finally:
            os.close(copy)
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        os.close(log)


def _end_of_head(log: int, end: int) -> int:
    """The end of the last line before ``end``; ``end`` itself in a line without one."""
    begin = max(0, end - LOOK_BACK)
    found = os.pread(log, end - begin, begin).rfind(b"\n")
    return end if found < 0 else begin + found + 1


def _begin_of_tail(log: int, begin: int, size: int) -> int:
    """Where the first line after ``begin`` begins; ``begin`` itself in a line that has no other."""
    ahead = os.pread(log, LOOK_BACK, begin - 1)  # with the byte before it
    found = begin + ahead.find(b"\n")
    return begin if found < begin or found == size else found


def _copy(source: int, begin: int, end: int, target: int) -> None:
    """Raises OSError where the disk does not take all."""
    while begin < end:
        chunk = os.pread(source, min(CHUNK, end - begin), begin)
        if not chunk:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        begin += len(chunk)
        while chunk:
            chunk = chunk[os.write(target, chunk) :]
