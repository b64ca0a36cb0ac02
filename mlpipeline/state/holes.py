"""Reading a log whose middle was given back to the file system: in its place comes a line that says
how much was there. See execution/console_cap.py.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from mlpipeline.core.left_out import left_out

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK = 1 << 16  # bytes


def next_hole(file: int, position: int) -> tuple[int, int] | None:
    """Begin and end of the first hole from ``position`` on; None where there is none.

    ``file`` is a descriptor; its own position is moved.
    """
    try:
        begin = os.lseek(file, position, os.SEEK_HOLE)
        end = os.lseek(file, begin, os.SEEK_DATA)
    except AttributeError:  # the system knows no holes
        return None
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.EINVAL):  # the end of the file; no holes known
            return None
        raise
    return (begin, end) if end > begin else None


def data_parts(file: int, size: int) -> list[tuple[int, int]]:
    """Begins and ends of what there is of the first ``size`` bytes, between the holes."""
    parts, position = [], 0
    while position < size and (hole := next_hole(file, position)) and hole[0] < size:
        parts.append((position, hole[0]))
        position = min(hole[1], size)
    return [*parts, (position, size)]


def read_on(file: int, position: int, limit: int) -> tuple[bytes, int]:
    """At most ``limit`` bytes from ``position`` on, and where to go on; no bytes at the end.

    For a hole comes its line, all at once, however long that is.
    """
    content = os.pread(file, limit, position)
    if b"\0" not in content:
        return content, position + len(content)
    hole = next_hole(file, position)  # after it was read: holes come meanwhile
    if hole is None or hole[0] > position + len(content):
        return content, position + len(content)
    begin, end = hole
    before = content[: begin - position].rstrip(b"\0")  # of a block that was not given back whole
    after = os.pread(file, CHUNK, end)
    end += len(after) - len(after.lstrip(b"\0"))
    left = position + len(before)
    line = left_out(end - left).encode() + b"\n"
    if left and not (before or os.pread(file, 1, left - 1)).endswith(b"\n"):
        line = b"\n" + line
    return before + line, end


class Log(io.RawIOBase):
    """What stands in a log from ``position`` on, as a stream; a log that grows may be read on."""

    def __init__(self, path: Path, position: int = 0):
        """Raises OSError."""
        self._file = os.open(path, os.O_RDONLY)
        self._position = position
        self._rest = b""  # of a hole's line
        self.end: int | None = None  # where to stop, if not at the file's own end

    def size(self) -> int:
        """Of the file, holes included."""
        return os.fstat(self._file).st_size

    def start_at(self, position: int) -> None:
        """Go to ``position``, or to the begin of the hole that it is in."""
        parts = data_parts(self._file, self.size())
        for (_, hole), (end, _) in pairwise(parts):
            if hole <= position < end:
                position = hole
        self._position = position

    def start_at_last(self, lines: int) -> None:
        """Go to where the last so many lines begin; a hole's line is one of them."""
        size = self.size()
        *_, start = (size, *islice(_line_starts(self._file, size), lines))
        self._rest, self._position = read_on(self._file, start, CHUNK)
        if self._position - start > len(self._rest):  # a hole; its line needs no line's end before
            self._rest = self._rest.removeprefix(b"\n")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """What comes next, as far as it fits."""
        view = memoryview(buffer).cast("B")
        if not self._rest:
            limit = len(view) if self.end is None else min(len(view), self.end - self._position)
            if limit <= 0:
                return 0
            self._rest, self._position = read_on(self._file, self._position, limit)
        chunk, self._rest = self._rest[: len(view)], self._rest[len(view) :]
        view[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        """Let the file go."""
        if not self.closed:
            os.close(self._file)
        super().close()


def _line_starts(file: int, size: int) -> Iterator[int]:
    """Where lines begin in the first ``size`` bytes, the last one first; a hole is a line."""
    for begin, end in reversed(data_parts(file, size)):
        if end < size:
            yield end  # of the hole's line
        position = end
        while position > begin:
            length = min(CHUNK, position - begin)
            position -= length
            chunk = os.pread(file, length, position)
            index = len(chunk)
            while (index := chunk.rfind(b"\n", 0, index)) >= 0:
                if position + index + 1 < end:  # the last line's own end does not count
                    yield position + index + 1
        yield begin
