"""Reading the journals: from lines to one ledger, with a warning for each line that can't be used.

A journal may have a million lines. They are decoded a block at a time, in one call where all of them
are sound, and else one by one.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from mlpipeline.core.launch import Spec
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.orders import AnyRecord, Ordered, Rehearsed
from mlpipeline.core.runs import FORMAT, AnyEvent, Fenced, IllegalTransition, Starting
from mlpipeline.errors import StorageError
from mlpipeline.state.files import NOT_A_RECORD, read_record
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

    def __init__(self, layout: Layout, ledger: Ledger):
        self._layout = layout
        self._ledger = ledger
        self._read: dict[Path, tuple[int, int]] = {}  # bytes and lines
        self.newer: set[Path] = set()  # journals that have records of a newer format

    def read(self, *, without: str | None = None) -> list[str]:
        """Take in what is new (of the host ``without``: nothing).

        Returns a warning for each line that can't be used. Raises StorageError for a file that
        can't be read.
        """
        warnings = []
        for host, path in self._layout.histories().items():
            if host != without:
                warnings += self._read_journal(host, path)
        return warnings

    def _read_journal(self, host: str, path: Path) -> list[str]:
        position, number = self._read.get(path, (0, 0))
        warnings: list[str] = []
        try:
            if path.stat().st_size == position:
                return []
            with path.open("rb", buffering=0) as file, _uncollected():
                file.seek(position)
                for lines in _blocks(file):
                    records = _records(lines)
                    warnings += self._take_in(records, host, f"{path}", number)
                    if any(isinstance(each, _Unusable) and each.newer for each in records):
                        self.newer.add(path)
                    position, number = position + len(lines), number + len(records)
                    self._read[path] = position, number
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"{path}: the history can't be read: {error.strerror}") from error
        more = len(warnings) - SHOWN_WARNINGS
        return (
            warnings
            if more <= 1
            else [*warnings[:SHOWN_WARNINGS], f"{path}: {more} more such lines"]
        )

    def _take_in(
        self, records: Sequence[AnyRecord | _Unusable], host: str, path: str, before: int
    ) -> Iterator[str]:
        """Add to the ledger what follows ``before`` so many lines; yields warnings."""
        for number, record in enumerate(records, start=before + 1):
            if isinstance(record, (Ordered, Rehearsed)):
                self._ledger.note(record)
                continue
            if isinstance(record, _Unusable):
                yield f"{path}:{number}: {record.complaint}; the line is left out"
                continue
            try:
                self._ledger.apply(record, host)
            except IllegalTransition as error:
                start = self._lost_start(record, host)
                if start is None:
                    yield f"{path}:{number}: {error}; the line is left out"
                    continue
                self._ledger.apply(start, host)
                self._ledger.apply(record, host)
                yield f"{path}:{number}: its start is taken from its run folder"

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
    # Where each line is one object, all can be decoded at once; blank lines, say, would be skipped.
    count = lines.count(b"\n")
    if lines.startswith(b"{") and lines.endswith(b"}\n") and lines.count(b"}\n{") == count - 1:
        try:
            records: list[AnyRecord] = _decode_records(lines)
        except NOT_A_RECORD:
            pass
        else:
            if len(records) == count and all(record.v <= FORMAT for record in records):
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
