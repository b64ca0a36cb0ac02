"""Reading a file while another process writes it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mlpipeline.api.console import printable
from mlpipeline.state.holes import Log, read_on

LARGEST_CHUNK = 1 << 20  # bytes read at once, so that a flood can't stop the reader


class Tail:
    """Hands out what was appended to ``path`` since the last call.

    The file is kept open: a log that is replaced when its middle is cut out is read to its end.
    """

    def __init__(self, path: Path, *, from_end: bool = False):
        self._path = path
        self._file: int | None = None
        self._position = path.stat().st_size if from_end and path.exists() else 0

    def read(self, limit: int = LARGEST_CHUNK) -> bytes:
        """Up to ``limit`` new bytes; empty when there are none, or no file."""
        try:
            file = self._open()
            if file is None:
                return b""
            chunk, self._position = read_on(file, self._position, limit)
        except OSError:
            return b""
        return chunk

    def skip(self, kept: int) -> int:
        """Pass over all but the last ``kept`` bytes; returns how many that were."""
        skipped = max(0, self._size() - kept - self._position)
        self._position += skipped
        return skipped

    def close(self) -> None:
        """Let the file go; there is no more to read then."""
        if self._file is not None and self._file >= 0:
            os.close(self._file)
        self._file = -1

    def __del__(self) -> None:
        self.close()

    def _open(self) -> int | None:
        """The file's descriptor; None as long as there is no file, or when it was closed."""
        if self._file is None:
            with suppress(OSError):
                self._file = os.open(self._path, os.O_RDONLY)
        return None if self._file == -1 else self._file

    def _size(self) -> int:
        file = self._open()
        return 0 if file is None else os.fstat(file).st_size


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
        self._tail.close()

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


def last_lines(path: Path, count: int) -> list[str]:
    """The last ``count`` lines of a log that are not blank, without colours and all else that a
    terminal would obey; of a line drawn over itself (a progress bar), its last state. Empty when
    there is no file.
    """
    lines: list[str] = []
    if count == 0:
        return lines
    try:
        with Log(path) as log:
            end = log.end = log.size()
            size = min(end, 4096)
            while True:
                log.start_at(end - size)
                enough = size in (end, LARGEST_CHUNK)
                lines = _shown(log.read() or b"", whole=size == end, last_try=enough)
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
