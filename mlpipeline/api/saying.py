"""What a program that a command starts says of itself: put into its run's folder, line by line.

The worker that waits for the program takes it from there, as execution/sayings.py has it.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress

from mlpipeline.api.reporting import Reporter

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MOST_WARNINGS = 1_000
FILE = "said.jsonl"  # one JSON object a line; gone when the run has ended


class SayingReporter(Reporter):
    """Writes metrics, progress and messages for the log. A forked child says nothing: its parent
    does.
    """

    def __init__(self, folder: str):
        self._path = os.path.join(folder, FILE)
        self._pid = os.getpid()
        self._file: int | None = None
        self._warned: set[str] = set()

    def message(self, text: str, level: str, log_to_file: bool) -> None:
        """Print ``text``; with ``log_to_file``, it goes into the log, too."""
        print(text, flush=True)
        if log_to_file:
            self._say({"message": text, "level": level})

    def progress(self, step: int, total: int | None, metrics: Mapping[str, float]) -> None:
        """Note that ``step`` of ``total`` steps are done."""
        count = None if total is None else self._number("total", total)
        told = {"progress": int(step), "total": count, "metrics": self._numbers(metrics)}
        self._say(told)

    def at(self, step: int) -> None:
        """Metrics without a step are of ``step`` from now on."""
        self._say({"at": int(step)})

    def metrics(self, values: Mapping[str, float], step: int | None) -> None:
        """Note the metrics ``values`` at ``step``; what is no number is left out."""
        number = None if step is None else self._number("step", step)
        told = self._numbers(values)
        if told:
            self._say({"metrics": told, "step": number})

    def artifact(self, path: object, artifact_path: object) -> None:
        """Keep it in the run's folder; a child process may do so, too."""
        from mlpipeline.api.artifacts import keep  # needed by few

        try:
            keep(os.path.dirname(self._path), path, artifact_path)
        except Exception as error:  # a full disk, or a wrong path, must not end the training
            self._warn(f"the artifact {path!r} is not kept: {error}")

    def _numbers(self, values: Any) -> dict[str, float]:
        try:
            items = [(str(name), value) for name, value in values.items()]
        except Exception:  # whatever a class of the user's does
            self._warn(
                "log_metrics takes names with numbers, such as {'loss': 0.1}, and was given "
                f"something of the type {type(values).__name__}: nothing is recorded"
            )
            return {}
        numbers = ((name, self._number(name, value)) for name, value in items)
        return {name: number for name, number in numbers if number is not None}

    def _number(self, name: str, value: Any) -> float | None:
        """``value`` as a number, also where it is a scalar of numpy or torch."""
        if type(value) is float or type(value) is int:
            return value
        with suppress(Exception):  # whatever a class of the user's does
            if hasattr(value, "item"):
                value = value.item()
            if hasattr(value, "__float__"):
                return float(value)
        self._warn(
            f"the metric {name!r} is left out: it is no number but of the type "
            f"{type(value).__name__}"
        )
        return None

    def _warn(self, text: str) -> None:
        """Say once what is wrong; the run goes on."""
        if text not in self._warned and len(self._warned) < MOST_WARNINGS:
            self._warned.add(text)
            self.message(f"mlpipeline: {text}", "WARNING", True)

    def _say(self, what: dict[str, Any]) -> None:
        if os.getpid() != self._pid:
            return
        try:
            text = json.dumps({**what, "time": time.time()}) + "\n"
            if self._file is None:
                self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            os.write(self._file, text.encode("utf-8", "replace"))
        except OSError:  # a full disk, or a deleted folder, must not end the training
            return
