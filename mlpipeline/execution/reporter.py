"""The worker's reporter: puts what a script says into files of the run's folder."""

from __future__ import annotations

import _thread
import os
import sys
import time
from contextlib import suppress

from mlpipeline.api.console import printable
from mlpipeline.api.reporting import Reporter
from mlpipeline.core import run_files
from mlpipeline.core.plain import NOT_FINITE, plain, safe_text
from mlpipeline.execution.metrics import MetricLog
from mlpipeline.execution.writing import (
    FULL,
    WAIT_FOR_ROOM,
    append_text,
    drop_ballast,
    iso_now,
    overwrite_json,
)

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

INTERVAL = 0.2  # seconds between two writes; what comes faster is kept until the next
AT_ONCE = 10  # writes that need not wait: what a script says now and then is on the disk at once
MOST_KEPT = 1_000  # lines of metrics after which there is a write in any case


class Diverged(BaseException):
    """A metric is no finite number. Not an Exception: a script's handlers are not meant for it."""


class FolderReporter(Reporter):
    """Messages go to the console and messages.log, progress to progress.json, metrics to
    metrics.jsonl (one JSON object a line, with ``time`` in seconds since the epoch).

    Any thread may report. A forked child of the run's process, such as a loader of data, may print
    and log; its progress and metrics are ignored, since the files and what waits for them are its
    parent's.
    """

    def __init__(self, folder: str, run: str, *, stop_on_nan: bool = False):
        """``stop_on_nan``: raise Diverged for a metric that is no finite number."""
        self._folder = folder
        self._run = run
        self._stop_on_nan = stop_on_nan
        self._pid = os.getpid()
        self._lock = _thread.RLock()  # threading's own; a handler of a signal may report, too
        self._is_writing = False
        self._is_full = False  # the disk, when it was written to last
        self._part = ""
        self._total: int | None = None
        self._longest = 0  # bytes that progress.json has had
        self._before = 0  # steps that earlier attempts have done
        self._step = 0
        self._shown: dict[str, Any] = {}
        self._at: int | None = None  # the step that metrics without one are of
        self._metrics = MetricLog(self._warn)
        self._write_at = MOST_KEPT  # lines
        self._first: tuple[int, float] | None = None  # step and time that the rate counts from
        self._due = self._next_write = 0.0  # see flush
        self._warned: set[str] = set()
        self._refused = ""  # why the disk took nothing at the last try

    def message(self, text: str, level: str, log_to_file: bool) -> None:
        """Print ``text``; with ``log_to_file``, put it into the log too, as plain text."""
        self._try(lambda: print(text, flush=True))
        if log_to_file:
            self.log(text, level)

    def log(self, text: str, level: str) -> None:
        """Put ``text`` into the log, as plain text."""
        first, *more = printable(text).splitlines() or [""]
        lines = [f"[{iso_now()}]::{level} - {self._run}: {first}", *(f"    {x}" for x in more)]
        self._try(lambda: append_text(self._folder, run_files.MESSAGES, "\n".join(lines) + "\n"))

    def warn_once(self, text: str) -> None:
        """Warn of something, if that has not been done."""
        if text not in self._warned:
            self._warned.add(text)
            self._warn(text)

    def progress(self, step: int, total: int | None, metrics: Mapping[str, float]) -> None:
        """Note how far the script is; written at once, but for what comes fast."""
        if os.getpid() != self._pid:  # before the lock, which nobody would release in a child
            return
        with self._lock:
            self._progress(int(step), total, metrics)

    def _progress(self, step: int, total: int | None, metrics: Mapping[str, float]) -> None:
        if self._first is None or step < self._step:  # a script may count each epoch anew
            self._first = (step, time.monotonic())
        self._step = self._at = step
        if total is not None:
            self._total = int(total) if total - total == 0 else None  # inf and nan are no number
        values = self._metrics.add(step, metrics) if metrics else {}
        if len(values) < len(metrics):  # what is no number is shown all the same
            self._shown = {
                name: values[name] if name in values else plain(value)
                for name, value in metrics.items()
            }
        elif values:
            self._shown = values
        self._added(step, values)

    def steps_before(self, count: int | None) -> int:
        """What earlier attempts have done, where ``count`` is all that is left of the part."""
        return self._before if count is not None and count == self._total else 0

    def at(self, step: int) -> None:
        """Metrics without a step are of ``step`` from now on."""
        self._at = step

    def metrics(self, values: object, step: object = None, at: float | None = None) -> None:
        """Record ``values`` at ``step``; by default the one that the script is at, else the next.

        What can't be recorded is left out, with a warning. ``at``: when they were logged, in
        seconds since the epoch; by default now.
        """
        if os.getpid() != self._pid:
            return
        with self._lock:
            number = self._at if step is None else self._metrics.step(step)
            if number is None:
                number = self._metrics.next_step()
            self._metrics.note_backward(number)
            added = self._metrics.add(number, values, at)
            self._shown = added or self._shown
            self._added(number, added)

    def artifact(self, path: object, artifact_path: object) -> None:
        """Keep it in the run's folder; a child process may do so, too."""
        from mlpipeline.api.artifacts import keep  # needed by few

        try:
            keep(self._folder, path, artifact_path)
        except Exception as error:  # a full disk, or a wrong path, must not end the training
            self.warn_once(f"the artifact {path!r} is not kept: {safe_text(error)}")

    def observed(self, step: int, values: Mapping[str, float]) -> None:
        """Record what was seen of a program; its metrics may each count steps of their own."""
        with self._lock:
            added = self._metrics.add(step, values)
            self._shown = {**self._shown, **added}
            self._added(step, added)

    def metric_summaries(self) -> dict[str, dict[str, Any]]:
        """What is kept of each metric: records like core/curves.Summary, by name."""
        with self._lock:
            return self._metrics.summaries()

    def enter(self, part: str, total: int | None = None, before: int = 0) -> None:
        """The run comes to another part, of ``total`` steps if that is known; ``before`` them, so
        many were done by earlier attempts.
        """
        if os.getpid() != self._pid:
            return
        with self._lock:
            self._part, self._total, self._step, self._first = part, total, 0, None
            self._before = before
            self.flush()

    def flush(self) -> None:
        """Write what is kept back; what the disk does not take is kept until the next time."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            if self._is_writing:  # and was interrupted by a signal: it takes the new lines, too
                return
            self._is_writing = True
            try:
                self._due = max(time.monotonic(), self._due) + INTERVAL
                self._next_write = self._due - AT_ONCE * INTERVAL
                self._try(self._write)
                self._metrics.trim()
                self._write_at = len(self._metrics.lines) + MOST_KEPT
            finally:
                self._is_writing = False

    def flush_at_last(self) -> None:
        """Write what is kept back; metrics, however long it takes until the disk has room for
        them. When it is full, the ballast is given up first.
        """
        self.flush()
        while self._metrics.lines and self._is_full:
            if not drop_ballast(self._folder):
                time.sleep(WAIT_FOR_ROOM)
            self.flush()

    def _added(self, step: int, values: dict[str, float | str]) -> None:
        """Write when it is time, and heed stop_on_nan."""
        if time.monotonic() >= self._next_write or len(self._metrics.lines) >= self._write_at:
            self.flush()
        if self._stop_on_nan:
            for name, value in values.items():
                if value in NOT_FINITE:
                    raise Diverged(f"{name} is {value} at step {step}")

    def _warn(self, text: str) -> None:
        self.message(f"mlpipeline: {text}", "WARNING", log_to_file=True)

    def _write(self) -> None:
        lines = self._metrics.lines
        if count := len(lines):  # the handler of a signal may add some meanwhile
            append_text(self._folder, run_files.METRICS, "\n".join(lines[:count]) + "\n")
            self._metrics.written(count)
        progress = {
            "part": self._part,
            "step": self._step,
            "total": self._total,
            "rate": self._rate(),
            "metrics": self._shown,
        }
        self._longest = overwrite_json(self._folder, run_files.PROGRESS, progress, self._longest)

    def _try(self, write: Callable[[], None]) -> None:
        """A disk that refuses a report must not end the training."""
        self._is_full = False
        try:
            write()
        except OSError as error:
            self._is_full = error.errno in FULL
            if self._refused != str(error):
                self._refused = str(error)
                with suppress(OSError, ValueError):
                    print(f"mlpipeline: progress can't be written: {error}", file=sys.stderr)

    def _rate(self) -> float | None:
        """Steps a second since the first report of this count, wherever that began."""
        if self._first is None or self._step <= self._first[0]:
            return None
        return (self._step - self._first[0]) / (time.monotonic() - self._first[1])
