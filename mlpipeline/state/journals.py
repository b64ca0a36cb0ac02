"""Reading the journals: from lines to one ledger, with a warning for each line that can't be used.

A journal may have a million lines. They are decoded a block at a time, in one call where all of
them are sound, and else one by one.
"""

from __future__ import annotations

import gc
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from mlpipeline.core.launch import Spec
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.orders import AnyRecord, Ordered, Rehearsed
from mlpipeline.core.runs import FORMAT, AnyEvent, Fenced, IllegalTransition, Starting
from mlpipeline.errors import StorageError
from mlpipeline.state.files import NOT_A_RECORD, read_record
from mlpipeline.state.index import Covered, read_index, write_index
from mlpipeline.state.layout import Layout

BLOCK = 1 << 20  # bytes that are decoded at a time
SHOWN_WARNINGS = 3  # of one journal; the rest is counted


class _Versioned(msgspec.Struct):
    """As much of a record as every version of the format has."""

    v: int = FORMAT


class _Unusable(msgspec.Struct):
    """A line that is no record."""

    complaint: str
    newer: bool = False  # it is of a newer format


_decode_version = msgspec.json.Decoder(_Versioned).decode
_decode_record = msgspec.json.Decoder(AnyRecord).decode
_decode_records = msgspec.json.Decoder(AnyRecord).decode_lines


class Journals:
    """The journals of all hosts, read into one ledger, each as far as it is written."""

    def __init__(self, layout: Layout, ledger: Ledger, *, index: bool = True):
        """``ledger``: a new one. ``index``: whether to begin with the index, where there is one."""
        self._layout = layout
        self._ledger = ledger
        self._may_recall = index
        self._covered: dict[Path, Covered] = {}
        self._indexed = 0  # lines
        self.newer: set[Path] = set()  # journals that have records of a newer format

    def read(self, *, without: str | None = None) -> list[str]:
        """Take in what is new (of the host ``without``: nothing).

        Returns a warning for each line that can't be used. Raises StorageError for a file that
        can't be read.
        """
        journals = self._layout.histories()
        warnings: list[str] = []
        with _uncollected():
            recalled = self._recall(journals.values())
            for host, path in journals.items():
                found = self._read_journal(host, path) if host != without else []
                before, count = recalled.get(path, ([], 0))
                warnings += _warnings(path, before + found, count + len(found))
        return warnings

    def _recall(self, journals: Iterable[Path]) -> dict[Path, tuple[list[tuple[int, str]], int]]:
        """Begin with the index, the first time; returns what there was to complain of."""
        if not self._may_recall:
            return {}
        self._may_recall = False
        self._covered = read_index(self._layout.index, self._ledger, journals) or {}
        self._indexed = self._lines
        return {
            path: (covered.warnings, covered.complaints) for path, covered in self._covered.items()
        }

    @property
    def _lines(self) -> int:
        return sum(covered.lines for covered in self._covered.values())

    def wrote(self, path: Path, lines: bytes) -> None:
        """``lines`` have been appended to a journal, and are in the ledger."""
        self._cover(path, lines, lines.count(b"\n"))

    def is_index_due(self, least: int) -> bool:
        """Whether so many lines, and not few beside what is indexed, are not."""
        return self._lines - self._indexed >= max(least, self._indexed // 4)

    def write_index(self) -> None:
        """Make the index as new as the ledger; raises OSError."""
        self._indexed = self._lines  # also where it can't be written: it is tried again later
        if not self.newer:  # whoever knows more of those has to read them again
            write_index(self._layout.index, self._ledger, self._covered)

    def _cover(self, path: Path, lines: bytes, count: int) -> None:
        covered = self._covered.setdefault(path, Covered())
        covered.size += len(lines)
        covered.lines += count
        covered.crc = zlib.crc32(lines, covered.crc)

    def _read_journal(self, host: str, path: Path) -> list[tuple[int, str]]:
        covered = self._covered.get(path) or Covered()
        warnings: list[tuple[int, str]] = []
        try:
            if path.stat().st_size == covered.size:
                return []
            with path.open("rb", buffering=0) as file:
                file.seek(covered.size)
                for lines in _blocks(file):
                    covered = self._covered.setdefault(path, covered)
                    records = _records(lines)
                    warnings += self._take_in(records, host, covered.lines)
                    if any(isinstance(each, _Unusable) and each.newer for each in records):
                        self.newer.add(path)
                    self._cover(path, lines, len(records))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"{path}: the history can't be read: {error.strerror}") from error
        covered.warnings = (covered.warnings + warnings)[: SHOWN_WARNINGS + 1]
        covered.complaints += len(warnings)
        return warnings

    def _take_in(
        self, records: Sequence[AnyRecord | _Unusable], host: str, before: int
    ) -> Iterator[tuple[int, str]]:
        """Add to the ledger what follows ``before`` so many lines; yields warnings."""
        for number, record in enumerate(records, start=before + 1):
            if isinstance(record, (Ordered, Rehearsed)):
                self._ledger.note(record)
                continue
            if isinstance(record, _Unusable):
                yield number, f"{record.complaint}; the line is left out"
                continue
            try:
                self._ledger.apply(record, host)
            except IllegalTransition as error:
                start = self._lost_start(record, host)
                if start is None:
                    yield number, f"{error}; the line is left out"
                    continue
                self._ledger.apply(start, host)
                self._ledger.apply(record, host)
                yield number, "its start is taken from its run folder"

    def _lost_start(self, event: AnyEvent, host: str) -> Starting | None:
        """The start of a run whose own line is damaged, as far as its folder tells."""
        if isinstance(event, (Starting, Fenced)) or self._ledger.find(host, event.run):
            return None
        spec = read_record(self._layout.run_folder(event.run).spec, Spec)
        if spec is None:
            return None
        return Starting(
            at=event.at,
            run=event.run,
            session="",
            signature=spec.signature,
            script="",
            model_dir=Path(spec.model_dir).name,
            resume=not spec.fresh,
        )


def _warnings(path: Path, first: Sequence[tuple[int, str]], count: int) -> list[str]:
    more = count - SHOWN_WARNINGS
    texts = [f"{path}:{number}: {complaint}" for number, complaint in first]
    return texts if more <= 1 else [*texts[:SHOWN_WARNINGS], f"{path}: {more} more such lines"]


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Whole lines, about BLOCK bytes at a time; an unfinished one at the end comes next time."""
    begun = b""
    while read := file.read(BLOCK):
        whole, newline, rest = read.rpartition(b"\n")
        if newline:
            yield b"".join((begun, whole, newline))
            begun = rest
        else:
            begun += read


def _records(lines: bytes) -> Sequence[AnyRecord | _Unusable]:
    """A record for each line."""
    with suppress(*NOT_A_RECORD):
        records: list[AnyRecord] = _decode_records(lines)
        # Fewer, where a line is blank; more, where one has two records.
        if len(records) == lines.count(b"\n") and all(record.v <= FORMAT for record in records):
            return records
    return [_record(line) for line in lines.splitlines()]


def _record(line: bytes) -> AnyRecord | _Unusable:
    try:
        version = _decode_version(line).v
        if version > FORMAT:
            what = f"written by a newer mlpipeline (format {version}; this one knows {FORMAT})"
            return _Unusable(what, newer=True)
        record: AnyRecord = _decode_record(line)
    except NOT_A_RECORD:
        return _Unusable("damaged")
    return record


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector, which would look at all records so far again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
