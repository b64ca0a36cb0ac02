"""Reading a file while another process writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mlpipeline.api.console import printable

LARGEST_CHUNK = 1 << 20  # bytes read at once, so that a flood can't stop the reader


class Tail:
    """Hands out what was appended to ``path`` since the last call."""

    def __init__(self, path: Path, *, from_end: bool = False):
        self._path = path
        self._position = path.stat().st_size if from_end and path.exists() else 0

    def read(self, limit: int = LARGEST_CHUNK) -> bytes:
        """Up to ``limit`` new bytes; empty when there are none, or no file."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                chunk = file.read(limit)
        except OSError:
            return b""
        self._position += len(chunk)
        return chunk

    def skip(self, kept: int) -> int:
        """Pass over all but the last ``kept`` bytes; returns how many that were."""
        try:
            skipped = max(0, self._path.stat().st_size - kept - self._position)
        except OSError:
            return 0
        self._position += skipped
        return skipped


class LineTail:
    """Hands out the complete lines that were appended to ``path`` since the last call."""

    def __init__(self, path: Path, *, from_end: bool = False):
        self._tail = Tail(path, from_end=from_end)
        self._rest = b""

    def read(self) -> list[str]:
        """The new lines, without their ends; bytes that are not UTF-8 are replaced."""
        lines, _ = self._read()
        return lines

    def rest(self) -> Iterator[list[str]]:
        """All that is left, the last line also when it has no end; for a file that is complete."""
        more = True
        while more:
            lines, more = self._read()
            yield lines
        if self._rest:
            yield [_text(self._rest)]
            self._rest = b""

    def skip(self, kept: int) -> int:
        """Pass over all but the last ``kept`` bytes; returns how many that were."""
        skipped = self._tail.skip(kept)
        self._rest = b"" if skipped else self._rest
        return skipped

    def _read(self) -> tuple[list[str], bool]:
        """The next lines, and whether there may be more."""
        chunk = self._tail.read()
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > LARGEST_CHUNK:  # no line, but something that never ends
            lines.append(self._rest)
            self._rest = b""
        return [_text(line) for line in lines], bool(chunk)


def offset_of_last(file: BinaryIO, count: int) -> int:
    """Where the last ``count`` lines of ``file`` begin; its end is that of a line, or in one."""
    end = file.seek(0, 2)
    position, ends = end, 0
    while position > 0 and count > 0:
        size = min(LARGEST_CHUNK, position)
        file.seek(position - size)
        chunk = file.read(size)
        index = len(chunk)
        while (index := chunk.rfind(b"\n", 0, index)) >= 0:
            ends += position - size + index + 1 < end  # the last line's own end does not count
            if ends == count:
                return position - size + index + 1
        position -= size
    return 0 if count > 0 else end


def last_lines(path: Path, count: int) -> list[str]:
    """The last ``count`` lines of a log that are not blank, without colours and all else that a
    terminal would obey; of a line drawn over itself (a progress bar), its last state. Empty when
    there is no file.
    """
    lines: list[str] = []
    if count == 0:
        return lines
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            size = min(end, 4096)
            while True:
                file.seek(end - size)
                enough = size in (end, LARGEST_CHUNK)
                lines = _shown(file.read(size), whole=size == end, last_try=enough)
                if len(lines) >= count or enough:
                    break
                size = min(end, size * 8, LARGEST_CHUNK)
    except OSError:
        return []
    return lines[-count:]


def _shown(content: bytes, *, whole: bool, last_try: bool) -> list[str]:
    """The lines in ``content``; its first, where that may be cut, only if there is no other."""
    first, *lines = content.split(b"\n")
    if whole or (last_try and not any(map(bytes.strip, lines))):
        lines.insert(0, first)
    states = (_text(line).rstrip("\r").rpartition("\r")[2] for line in lines)
    return [line for line in map(printable, states) if line.strip()]


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").removesuffix("\r")
