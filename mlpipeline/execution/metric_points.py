"""The lines of metrics.jsonl as points for MLflow, and which of them it has already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mlpipeline.core.plain import NOT_FINITE
from mlpipeline.core.tracking import entity_name
from mlpipeline.execution.mlflow_store import Point
from mlpipeline.state.files import NOT_A_RECORD

AT_ONCE = 1_000  # points, about: those of whole lines
BLOCK = 1 << 18  # bytes that are read at once
LARGEST = (1 << 63) - 1  # step
BEYOND = "it is a whole number beyond all floats"
LARGEST_VALUE = 1.7976931348623157e308  # what a store has of an infinite one

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Points:
    """The points of one file. ``left_out`` is told of metrics that can't be sent, in a line."""

    def __init__(self, path: Path, left_out: Callable[[str], None]):
        self._path = path
        self._left_out = left_out
        self._names: dict[str, str] = {}  # as MLflow takes them

    def size(self) -> int:
        """Bytes of the file."""
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def after(self, offset: int) -> tuple[list[Point], int]:
        """Points behind byte ``offset``, and the offset behind them; of whole lines only.

        Lines that are none of ours are passed over.
        """
        points: list[Point] = []
        with self._path.open("rb") as file:
            file.seek(offset)
            block = file.read(BLOCK)
            if b"\n" not in block:
                block += file.readline()  # a line of many metrics
            for line in block.split(b"\n")[:-1]:
                if len(points) >= AT_ONCE:
                    break
                offset += len(line) + 1
                points += self._of(line)
        return points, offset

    def _of(self, line: bytes) -> list[Point]:
        try:
            record = _decode(line)
            step, at = record.pop("step"), int(record.pop("time") * 1000)
        except (*NOT_A_RECORD, KeyError, TypeError, ValueError, OverflowError):
            return []
        if not isinstance(step, int) or abs(step) > LARGEST or not 0 <= at <= LARGEST:
            return []
        found = []
        for name, value in record.items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if is_number or (isinstance(value, str) and value in NOT_FINITE):
                if name not in self._names:
                    self._names[name] = entity_name(name)
                try:
                    found.append(Point(self._names[name], step, at, float(value)))
                except OverflowError:
                    self._left_out(f"the metric {name} is left out where {BEYOND}")
        return found


class Doubts:
    """Finds which points MLflow has already, where that is not known."""

    def __init__(self, history: Callable[[str], Iterable[Point]]):
        """``history``: all that MLflow has of one metric."""
        self._history = history
        self._there: dict[str, Counter[tuple[int, int, str]]] = {}

    def missing(self, points: Sequence[Point]) -> list[Point]:
        """Those of ``points`` that are not there; each that is there is counted once."""
        found = []
        for point in points:
            if point.name not in self._there:
                history = self._history(point.name)
                self._there[point.name] = Counter(map(_identity, history))
            there = self._there[point.name]
            if there[_identity(point)] > 0:
                there[_identity(point)] -= 1
            else:
                found.append(point)
        return found


def _identity(point: Point) -> tuple[int, int, str]:
    """Tells points of a metric apart; stores keep values in different ways."""
    value = max(-LARGEST_VALUE, min(point.value, LARGEST_VALUE))  # NaN stays as it is
    return point.step, point.at, "nan" if value != value else f"{value:.9g}"
