"""The index: what the journals add up to, so that nobody need read all of them again.

It is made of the journals, and good for nothing but speed: one that is missing, cut, stale or of
another mlpipeline is as none. It is lines: a header, the dump of a ledger, and a checksum.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path

import msgspec

from mlpipeline import __version__
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.orders import Ordered, Rehearsed
from mlpipeline.core.runs import Run, RunId, Verdict
from mlpipeline.core.slots import Held
from mlpipeline.state.files import NOT_A_RECORD

SETTLED = 100_000_000  # ns; a file's times may not tell of two changes that are closer than that
LINES = 1000  # that are written at a time
KINDS = (Run, RunId, Verdict, Held, Ordered, Rehearsed)
# Who can read it: a field more, and it is another form.
FORM = " ".join([__version__, *(",".join(kind.__struct_fields__) for kind in KINDS)])


class Covered(msgspec.Struct):
    """How far a journal has been read."""

    size: int = 0  # bytes, all of whole lines
    lines: int = 0
    crc: int = 0  # CRC-32 of these bytes
    warnings: list[tuple[int, str]] = []  # the first ones: line and complaint
    complaints: int = 0  # how many there were
    stamp: tuple[int, ...] = ()  # of the file, if there was nothing else in it


class _Header(msgspec.Struct):
    """The first line."""

    form: str
    journals: dict[str, Covered]  # by their file names


def write_index(path: Path, ledger: Ledger, journals: Mapping[Path, Covered]) -> None:
    """Put down what ``ledger`` has from so much of the ``journals``; raises OSError.

    Does nothing when they have been edited since they were read: the next one to read them does it.
    """
    covered = {}
    for journal, each in journals.items():
        stamp = _stamp(journal, each.size)  # before the look into it
        if not _begins_so(journal, each):
            return
        covered[journal.name] = msgspec.structs.replace(each, stamp=stamp)
    header = msgspec.json.encode(_Header(FORM, covered))
    temporary = path.with_name(f".{path.name}")  # always the same: what a kill leaves is used again
    crc = 0
    try:
        with temporary.open("wb") as file:
            for block in _blocks(chain([header], ledger.dump())):
                crc = zlib.crc32(block, crc)
                file.write(block)
            file.write(b"%d\n" % crc)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):  # it takes room that is wanted
            temporary.unlink()
        raise


def read_index(path: Path, ledger: Ledger, journals: Iterable[Path]) -> dict[Path, Covered] | None:
    """Have ``ledger``, a new one, be as the index says; returns what it covers of ``journals``.

    None, and the ledger is left alone, where the index is of no use: a journal does not begin (any
    more) with the very bytes that it was made of.
    """
    try:
        made = path.stat().st_mtime_ns
        content = path.read_bytes()
        header = msgspec.json.decode(content[: content.find(b"\n") + 1], type=_Header)
        paths = {journal.name: journal for journal in journals}
        if header.form != FORM or not header.journals.keys() <= paths.keys():
            return None
        covered = {paths[name]: each for name, each in header.journals.items()}
        for journal, each in covered.items():
            if not (_is_untouched(journal, each, made) or _begins_so(journal, each)):
                return None
        *lines, crc, end = content.split(b"\n")
        if end or crc != b"%d" % zlib.crc32(memoryview(content)[: -len(crc) - 1]):
            return None
        ledger.load(lines[1:])
    except (OSError, ValueError, IndexError, *NOT_A_RECORD):
        return None
    return covered


def _blocks(lines: Iterator[bytes]) -> Iterator[bytes]:
    while block := list(islice(lines, LINES)):
        yield b"\n".join([*block, b""])


def _stamp(journal: Path, size: int) -> tuple[int, ...]:
    """What changes with the file, where ``size`` is all of it."""
    try:
        stat = journal.stat()
    except OSError:
        return ()
    found = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    return found if stat.st_size == size else ()


def _is_untouched(journal: Path, covered: Covered, made: int) -> bool:
    """Whether nobody has written to the journal since the index was ``made`` at that time (ns)."""
    stamp = _stamp(journal, covered.size)
    return bool(stamp) and stamp == covered.stamp and max(stamp[2:]) + SETTLED < made


def _begins_so(journal: Path, covered: Covered) -> bool:
    """Whether the journal begins with the very bytes that were read of it."""
    crc, left = 0, covered.size
    with journal.open("rb", buffering=0) as file:
        while left and (read := file.read(min(left, 1 << 20))):
            crc, left = zlib.crc32(read, crc), left - len(read)
    return not left and crc == covered.crc
