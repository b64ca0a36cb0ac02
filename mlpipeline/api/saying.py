"""What a program that a command starts says of itself: put into its run's folder, line by line.

The worker that waits for the program takes it from there, as execution/sayings.py has it.
"""

from __future__ import annotations

import json
import os
import time

from mlpipeline.api.reporting import Reporter

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FILE = "said.jsonl"  # one JSON object a line; gone when the run has ended


class SayingReporter(Reporter):
    """Writes metrics, progress and messages for the log. A forked child says nothing: its parent
    does.
    """

    def __init__(self, folder: str):
        self._path = os.path.join(folder, FILE)
        self._pid = os.getpid()
        self._file: int | None = None

    def message(self, text: str, level: str, log_to_file: bool) -> None:
        """Print ``text``; with ``log_to_file``, it goes into the log, too."""
        print(text, flush=True)
        if log_to_file:
            self._say({"message": text, "level": level})

    def progress(self, step: int, total: int | None, metrics: Mapping[str, float]) -> None:
        """Note that ``step`` of ``total`` steps are done."""
        self._say({"progress": int(step), "total": total, "metrics": _numbers(metrics)})

    def at(self, step: int) -> None:
        """Metrics without a step are of ``step`` from now on."""
        self._say({"at": int(step)})

    def metrics(self, values: Mapping[str, float], step: int | None) -> None:
        """Note the metrics ``values`` at ``step``."""
        self._say({"metrics": _numbers(values), "step": step if step is None else _number(step)})

    def _say(self, what: dict[str, Any]) -> None:
        if os.getpid() != self._pid:
            return
        text = json.dumps({**what, "time": time.time()}, default=str) + "\n"
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            os.write(self._file, text.encode("utf-8", "replace"))
        except OSError:  # a full disk, or a deleted folder, must not end the training
            return


def _numbers(values: object) -> object:
    """``values`` as JSON can have them; what is no number is left to whoever reads it."""
    try:
        return {str(name): _number(value) for name, value in values.items()}  # type: ignore[attr-defined]
    except Exception:  # whatever a class of the user's does
        return type(values).__name__


def _number(value: Any) -> Any:
    try:
        if hasattr(value, "item"):
            value = value.item()
        if isinstance(value, (int, float)):
            return value
        return float(value) if hasattr(value, "__float__") else {"type": type(value).__name__}
    except Exception:
        return {"type": type(value).__name__}
