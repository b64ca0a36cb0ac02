"""Reading what a run's processes left of its metrics, while it runs and afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from mlpipeline.core.curves import Curves, Summary, summarised
from mlpipeline.core.plain import NOT_FINITE
from mlpipeline.state.files import NOT_A_RECORD
from mlpipeline.state.layout import RunFolder

_decode_line = msgspec.json.Decoder(dict[str, Any]).decode


class _Report(msgspec.Struct):
    metrics: dict[str, Summary] | None = None  # None: an older mlpipeline wrote it


class _Exit(msgspec.Struct):
    report: _Report | None = None


_decode_exit = msgspec.json.Decoder(_Exit).decode
_decode_report = msgspec.json.Decoder(_Report).decode


def curves(folder: RunFolder) -> Curves:
    """All points of metrics.jsonl, in the order they were logged; damaged lines are left out."""
    return _read(folder.metrics)


def summaries(folder: RunFolder) -> dict[str, Summary]:
    """What is kept of each metric; of a run that runs, or was killed, as far as it came."""
    told = _told(folder)
    if told is None:
        return {name: summarised(points) for name, points in _read(folder.metrics).items()}
    return told


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


def _read(path: Path) -> Curves:
    try:
        content = path.read_bytes()
    except OSError:
        return {}
    found: Curves = {}
    for line in content.split(b"\n"):
        try:
            record = _decode_line(line)
        except NOT_A_RECORD:
            continue
        step = record.pop("step", None)
        record.pop("time", None)
        if not isinstance(step, int):
            continue
        for name, value in record.items():
            number = _number(value)
            if number is not None:
                found.setdefault(name, []).append((step, number))
    return found


def _number(value: object) -> float | None:
    if isinstance(value, int | float):
        return float(value)
    return float(value) if isinstance(value, str) and value in NOT_FINITE else None
