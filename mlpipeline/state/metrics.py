"""Reading what a run's processes left of its metrics, while it runs and afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from mlpipeline.core.curves import Curves, Point, Summary, added, summarised
from mlpipeline.core.plain import NOT_FINITE
from mlpipeline.state.files import NOT_A_RECORD
from mlpipeline.state.layout import RunFolder

BLOCK = 1 << 18  # bytes of metrics that are taken in at once

_decode_line = msgspec.json.Decoder(dict[str, Any]).decode


class _Report(msgspec.Struct):
    metrics: dict[str, Summary] | None = None  # None: an older mlpipeline wrote it


class _Exit(msgspec.Struct):
    report: _Report | None = None


_decode_exit = msgspec.json.Decoder(_Exit).decode
_decode_report = msgspec.json.Decoder(_Report).decode


def curves(folder: RunFolder) -> Curves:
    """All points of metrics.jsonl, in the order they were logged; damaged lines are left out."""
    found: Curves = {}
    for part in _parts(folder.metrics):
        for name, points in part.items():
            found.setdefault(name, []).extend(points)
    return found


def points(folder: RunFolder, metric: str) -> list[Point]:
    """Those of ``curves`` that one metric has, in a fraction of the time and memory."""
    wanted: list[tuple[str, object] | tuple[str, object, object]]
    wanted = [("step", int), ("value", float | int | str | None, None)]
    record = msgspec.defstruct("Line", wanted, rename={"value": metric}, gc=False)
    decode = msgspec.json.Decoder(record).decode
    found: list[Point] = []
    for lines in _blocks(folder.metrics):
        for line in lines:
            try:
                read: Any = decode(line)
            except NOT_A_RECORD:
                continue
            number = read.value
            if type(number) is not float:
                number = _number(number)
                if number is None:
                    continue
            found.append((read.step, number))
    return found


def summaries(folder: RunFolder) -> dict[str, Summary]:
    """What is kept of each metric; of a run that runs, or was killed, as far as it came."""
    told = _told(folder)
    if told is not None:
        return told
    whole: dict[str, Summary] = {}
    for part in _parts(folder.metrics):
        whole = added([whole, {name: summarised(points) for name, points in part.items()}])
    return whole


def _told(folder: RunFolder) -> dict[str, Summary] | None:
    """What the worker says at its end; None where it does not."""
    try:
        report = _decode_exit(_content(folder.exit)).report
    except (OSError, *NOT_A_RECORD):
        try:
            report = _decode_report(_content(folder.report))
        except (OSError, *NOT_A_RECORD):
            return None
    return report.metrics if report else None


def _content(path: Path) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - thrice as fast as path.read_bytes
        return file.read()


def _blocks(path: Path) -> Iterator[list[bytes]]:
    """The lines of a file, some thousands at a time, so that a long one needs little memory."""
    try:
        with path.open("rb") as file:
            while lines := file.readlines(BLOCK):
                yield lines
    except OSError:
        return


def _parts(path: Path) -> Iterator[Curves]:
    for lines in _blocks(path):
        found: Curves = {}
        for line in lines:
            try:
                record = _decode_line(line)
            except NOT_A_RECORD:
                continue
            step = record.pop("step", None)
            record.pop("time", None)
            if not isinstance(step, int):
                continue
            for name, value in record.items():
                number = value if type(value) is float else _number(value)
                if number is not None:
                    if name in found:
                        found[name].append((step, number))
                    else:
                        found[name] = [(step, number)]
        yield found


def _number(value: object) -> float | None:
    if isinstance(value, int | float):
        return float(value)
    return float(value) if isinstance(value, str) and value in NOT_FINITE else None
