"""The worker's reporter: puts what a script says into files of the run's folder."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress

from mlpipeline.api.console import without_colours
from mlpipeline.api.reporting import Reporter
from mlpipeline.core import run_files
from mlpipeline.core.plain import plain
from mlpipeline.execution.writing import append_text, iso_now, write_json

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

INTERVAL = 0.2  # seconds between two writes; what comes faster is kept until the next


NOT_FINITE = ("nan", "inf", "-inf")  # as plain data


class Diverged(BaseException):
    """A metric is no finite number. Not an Exception: a script's handlers are not meant for it."""


class FolderReporter(Reporter):
    """Messages go to the console and messages.log, progress to progress.json, metrics to
    metrics.jsonl (one JSON object a line, with ``time`` in seconds since the epoch).
    """

    def __init__(self, folder: str, run: str, *, stop_on_nan: bool = False):
        """``stop_on_nan``: raise Diverged for a metric that is no finite number."""
        self._folder = folder
        self._run = run
        self._stop_on_nan = stop_on_nan
        self._part = ""
        self._total: int | None = None
        self._step = 0
        self._shown: dict[str, Any] = {}
        self._metric_lines: list[str] = []
        self._first: tuple[int, float] | None = None  # step and time that the rate counts from
        self._next_write = 0.0
        self._refused = ""  # why the disk took nothing at the last try

    def message(self, text: str, level: str, log_to_file: bool) -> None:
        """Print ``text``; with ``log_to_file``, put it into the log too, colours taken off."""
        self._try(lambda: print(text, flush=True))
        if log_to_file:
            first, *more = without_colours(text).splitlines() or [""]
            lines = [f"[{iso_now()}]::{level} - {self._run}: {first}", *(f"    {x}" for x in more)]
            self._try(
                lambda: append_text(self._folder, run_files.MESSAGES, "\n".join(lines) + "\n")
            )

    def progress(self, step: int, total: int | None, metrics: Mapping[str, float]) -> None:
        """Note how far the script is; written at once, or within INTERVAL of the last write."""
        step = int(step)
        if self._first is None or step < self._step:  # a script may count each epoch anew
            self._first = (step, time.monotonic())
        self._step = step
        if total is not None:
            self._total = int(total) if total - total == 0 else None  # inf and nan are no number
        if metrics:
            values = {key: plain(value) for key, value in metrics.items()}
            self._shown = values
            self._metric_lines.append(json.dumps({"step": step, "time": time.time(), **values}))
        if time.monotonic() >= self._next_write:
            self.flush()
        if metrics and self._stop_on_nan:
            for name, value in values.items():
                if value in NOT_FINITE:
                    raise Diverged(f"{name} is {value} at step {step}")

    def enter(self, part: str, total: int | None = None) -> None:
        """The run comes to another part, of ``total`` steps if that is known."""
        self._part, self._total, self._step, self._first = part, total, 0, None
        self.flush()

    def flush(self) -> None:
        """Write what is kept back; what the disk does not take is kept until the next time."""
        self._try(self._write)
        self._next_write = time.monotonic() + INTERVAL

    def _write(self) -> None:
        if self._metric_lines:
            append_text(self._folder, run_files.METRICS, "\n".join(self._metric_lines) + "\n")
            self._metric_lines.clear()
        progress = {
            "part": self._part,
            "step": self._step,
            "total": self._total,
            "rate": self._rate(),
            "metrics": self._shown,
        }
        write_json(self._folder, run_files.PROGRESS, progress)

    def _try(self, write: Callable[[], None]) -> None:
        """A disk that refuses a report must not end the training."""
        try:
            write()
        except OSError as error:
            if self._refused != str(error):
                self._refused = str(error)
                with suppress(OSError, ValueError):
                    print(f"mlpipeline: progress can't be written: {error}", file=sys.stderr)

    def _rate(self) -> float | None:
        """Steps a second since the first report of this count, wherever that began."""
        if self._first is None or self._step <= self._first[0]:
            return None
        return (self._step - self._first[0]) / (time.monotonic() - self._first[1])
