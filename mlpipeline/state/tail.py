"""Reading a file while another process writes it."""

from __future__ import annotations

from pathlib import Path

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


class LineTail:
    """Hands out the complete lines that were appended to ``path`` since the last call."""

    def __init__(self, path: Path, *, from_end: bool = False):
        self._tail = Tail(path, from_end=from_end)
        self._rest = b""

    def read(self) -> list[str]:
        """The new lines, without their ends; bytes that are not UTF-8 are replaced."""
        *lines, self._rest = (self._rest + self._tail.read()).split(b"\n")
        return [_text(line) for line in lines]

    def rest(self) -> list[str]:
        """The last line when it has no end; for a file that nobody writes any more."""
        content = [self._rest]
        while chunk := self._tail.read():
            content.append(chunk)
        *lines, last = b"".join(content).split(b"\n")
        self._rest = b""
        return [_text(line) for line in (lines if not last else [*lines, last])]


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").removesuffix("\r")
