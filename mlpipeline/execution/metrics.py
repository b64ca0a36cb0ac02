"""The metrics of a run, as its script logs them: lines for metrics.jsonl, and what is kept of each.

Called at every step of a training, so it is written to be quick. Nothing is put on the disk here.
"""

from __future__ import annotations

import json
import time

from mlpipeline.core.plain import safe_text

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

OF_EACH_LINE = ("step", "time")  # what a line says besides its metrics
MOST_LINES = 100_000  # kept while the disk takes none
MOST_NAMES = 1_000  # metrics that are summarised, and names that are warned of
LARGEST = 1 << 63  # an integer beyond that is taken for a float


class MetricLog:
    """Takes in metrics; ``lines`` are those that are not on the disk yet."""

    def __init__(self, warn: Callable[[str], None]):
        """``warn`` is told once of each thing that is wrong; the run goes on."""
        self.lines: list[str] = []
        self._warn_of = warn
        self._warned: set[str] = set()
        self._gauges: dict[str, _Gauge] = {}
        self._last_step: int | None = None

    def next_step(self) -> int:
        """The step of a call that names none: one more than the last one's, 1 at first."""
        return 1 if self._last_step is None else self._last_step + 1

    def step(self, step: Any) -> int | None:
        """``step`` as a whole number; None, with a warning, for what is none."""
        try:
            return int(step)
        except Exception as error:  # whatever a class of the user's does
            self._warn("step", f"a step is not a number: {safe_text(error)}")
            return None

    def note_backward(self, step: int) -> None:
        """Warn when ``step`` is before the last one."""
        if self._last_step is not None and step < self._last_step:
            self._warn(
                "backward", f"metrics of step {step} come after those of step {self._last_step}"
            )

    def add(self, step: int, metrics: object, at: float | None = None) -> dict[str, float | str]:
        """Keep a line of ``metrics``, as far as they are numbers; returns what it says.

        ``at``: when they were logged, in seconds since the epoch; by default now.
        """
        values: dict[str, float | str] = {}
        for given, value in self._items(metrics):
            name = given if type(given) is str and given in self._gauges else self._new_name(given)
            if name is None:
                continue
            number = value if type(value) is float else _number(value)
            if number is None:
                self._warn(
                    f"value of {name}",
                    f"the metric {name!r} is left out: it is no number but "
                    f"of the type {type(value).__name__}",
                )
            else:
                values[name] = number if number - number == 0 else str(number)
                gauge = self._gauges.get(name)
                if gauge is not None:
                    gauge.add(step, number)
        if values:
            self._last_step = step
            self.lines.append(
                json.dumps({"step": step, "time": time.time() if at is None else at, **values})
            )
        return values

    def written(self, count: int) -> None:
        """The first ``count`` lines are on the disk."""
        del self.lines[:count]

    def trim(self) -> None:
        """Keep no more lines than there is room for, where the disk takes none."""
        if len(self.lines) > MOST_LINES:
            self._warn("room", f"of the metrics that can't be written, {MOST_LINES} lines are kept")
            del self.lines[:-MOST_LINES]

    def summaries(self) -> dict[str, dict[str, Any]]:
        """What is kept of each metric: records like core/curves.Summary."""
        return {name: gauge.summary() for name, gauge in self._gauges.items() if gauge.count}

    def _items(self, metrics: Any) -> list[tuple[Any, Any]]:
        try:
            return [(name, value) for name, value in metrics.items()]
        except Exception:  # whatever a class of the user's does
            self._warn(
                "mapping",
                "log_metrics takes names with numbers, such as {'loss': 0.1}, and was given "
                f"something of the type {type(metrics).__name__}: nothing is recorded",
            )
            return []

    def _new_name(self, name: Any) -> str | None:
        """``name`` as text, None for one that no metric can have."""
        text = safe_text(name)
        if text in OF_EACH_LINE:
            self._warn(text, f"a metric can't be called {text!r}: it is left out")
            return None
        if text not in self._gauges and len(self._gauges) < MOST_NAMES:
            self._gauges[text] = _Gauge()
            if len(self._gauges) == MOST_NAMES:
                self._warn("names", f"only the first {MOST_NAMES} metrics are summarised")
        return text

    def _warn(self, subject: str, text: str) -> None:
        if subject not in self._warned and len(self._warned) < MOST_NAMES:
            self._warned.add(subject)
            self._warn_of(text)


class _Gauge:
    """The last value of a metric and its extremes."""

    __slots__ = ("count", "first_step", "last", "last_step", "max", "max_step", "min", "min_step")

    def __init__(self) -> None:
        self.count = 0
        self.first_step = self.last_step = 0
        self.last: float = 0
        self.min, self.max = float("inf"), float("-inf")
        self.min_step: int | None = None
        self.max_step: int | None = None

    def add(self, step: int, value: float) -> None:
        if self.count == 0:
            self.first_step = step
        self.count += 1
        self.last, self.last_step = value, step
        if value - value != 0:  # NaN, or infinite
            return
        if value < self.min:
            self.min, self.min_step = value, step
        if value > self.max:
            self.max, self.max_step = value, step

    def summary(self) -> dict[str, Any]:
        last = self.last
        return {
            "count": self.count,
            "first_step": self.first_step,
            "last": last if last - last == 0 else str(last),
            "last_step": self.last_step,
            "min": None if self.min_step is None else self.min,
            "min_step": self.min_step,
            "max": None if self.max_step is None else self.max,
            "max_step": self.max_step,
        }


def _number(value: Any) -> float | None:
    """``value`` as an int or a float, also where it is a scalar of numpy or torch; else None."""
    try:
        if hasattr(value, "item"):
            value = value.item()
        if isinstance(value, int):
            return int(value) if -LARGEST < value < LARGEST else float(value)
        return float(value) if hasattr(value, "__float__") else None
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    except Exception:  # whatever a class of the user's does; an array is no scalar
        return None
