"""What the program of a command tells: metrics in what it prints, and what it says by
``mlpipeline.log_metrics``. Both are read from files, now and then, so nobody waits for it.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress

from mlpipeline.api.saying import FILE
from mlpipeline.core import run_files

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from mlpipeline.execution.reporter import FolderReporter

_NUMBER = (int, float)
_NUMBER_OR_NONE = (int, float, type(None))
# The fields that api/saying.py writes, and what they may be.
_SAYINGS: tuple[dict[str, Any], ...] = (
    {"message": str, "level": str},
    {"progress": int, "total": _NUMBER_OR_NONE, "metrics": dict},
    {"at": int},
    {"metrics": dict, "step": _NUMBER_OR_NONE},
)
STEP = "step"  # the metric that says which step the others are of
CHUNK = 4 << 20  # bytes that are read at once
MOST_BEHIND = 64 << 20  # bytes; what prints more between two looks is not read as a whole
LONGEST_LINE = 1 << 20  # bytes
# ECMA-48: control sequences such as colours, and commands such as a window's title.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_OF_WHOLE_TEXT = re.compile(r"\\[AZ]")  # what would mean another thing in several lines at once


class Sayings:
    """Reads what one program tells, and passes it on to the run's reporter."""

    def __init__(self, folder: str, metrics: Mapping[str, str], reporter: FolderReporter):
        """``metrics`` are expressions by the metrics' names, each with one group."""
        self._said = _Tail(os.path.join(folder, FILE), MOST_BEHIND << 4)
        self._reporter = reporter
        self._console = _Tail(os.path.join(folder, run_files.CONSOLE), MOST_BEHIND)
        self._metrics = ConsoleMetrics(metrics, reporter) if metrics else None

    def look(self, *, last: bool = False) -> None:
        """Pass on what there is by now, with the ``last`` look all of it; raises Diverged."""
        for text in self._said.read(last=last):
            for line in text.splitlines():
                if said := _said(line):
                    self._pass_on(said)
        if self._metrics is None:
            return
        for text in self._console.read(last=last):
            self._metrics.see(text)
        if self._console.has_skipped:
            self._console.has_skipped = False
            self._reporter.warn_once(
                "it prints faster than metrics are read from that: some are left out"
            )

    def finish(self) -> None:
        """Pass on the rest, when the program has ended; raises Diverged."""
        try:
            self.look(last=True)
        finally:
            self._reporter.flush()
            self._said.remove()

    def _pass_on(self, said: dict[str, Any]) -> None:
        reporter, at = self._reporter, said["time"]
        if "message" in said:
            reporter.log(said["message"], said["level"])
        elif "progress" in said:
            reporter.progress(said["progress"], said["total"], said["metrics"])
        elif "at" in said:
            reporter.at(said["at"])
        else:
            reporter.metrics(said["metrics"], said["step"], at)


def _said(line: str) -> dict[str, Any] | None:
    """What a line of SayingReporter's says; None of one that is cut, or somebody else's."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not isinstance(said.get("time"), _NUMBER):
        return None
    for fields in _SAYINGS:
        if all(key in said and isinstance(said[key], kinds) for key, kinds in fields.items()):
            return said
    return None


class ConsoleMetrics:
    """Finds metrics in lines of text.

    Without a metric ``step``, the n-th value of each is that of step n.
    """

    def __init__(self, metrics: Mapping[str, str], reporter: FolderReporter):
        self._reporter = reporter
        self._expressions = {name: re.compile(text, re.MULTILINE) for name, text in metrics.items()}
        self._step: int | None = None
        self._counts: dict[str, int] = {}

    def see(self, text: str) -> None:
        """Record what ``text`` has, which is whole lines; raises Diverged."""
        text = text.replace("\r", "\n")
        if "\x1b" in text:
            text = _ESCAPES.sub("", text)
        there = [
            (name, each)
            for name, each in self._expressions.items()
            if _OF_WHOLE_TEXT.search(each.pattern) or each.search(text)
        ]
        if not there:
            return
        for line in text.split("\n"):
            found = {}
            for name, each in there:
                match = each.search(line)
                if match and match[1] is not None:
                    number = self._number(name, match[1])
                    if number is not None:
                        found[name] = number
            if found:
                self._record(found)

    def _record(self, found: dict[str, float]) -> None:
        step = found.pop(STEP, None)
        if step is not None and step - step == 0:
            self._step = int(step)
            self._reporter.progress(self._step, None, found)
        elif self._step is not None:
            self._reporter.observed(self._step, found)
        else:
            by_step: dict[int, dict[str, float]] = {}
            for name, value in found.items():
                count = self._counts[name] = self._counts.get(name, 0) + 1
                by_step.setdefault(count, {})[name] = value
            for count, values in by_step.items():
                self._reporter.observed(count, values)

    def _number(self, name: str, text: str) -> float | None:
        try:
            return float(text)
        except ValueError:
            self._reporter.warn_once(
                f"the expression of the metric {name} finds {text[:40]!r}, which is no number"
            )
            return None


class _Tail:
    """Whole lines of a file that grows."""

    def __init__(self, path: str, most_behind: int):
        self._path = path
        self._most_behind = most_behind  # bytes; what is further back is skipped
        self._offset = 0
        self._rest = b""  # of a line that has no end yet
        self.has_skipped = False

    def read(self, *, last: bool) -> Iterator[str]:
        """Text that has come since; with the ``last`` call all of it, else as much as is quick."""
        try:
            size = os.stat(self._path).st_size
            if size == self._offset:
                if last and self._rest:
                    yield self._decoded(b"\n")
                return
            file = os.open(self._path, os.O_RDONLY)
        except OSError:  # it is not there yet, or no more
            return
        try:
            yield from self._read(file, size, last)
        finally:
            os.close(file)

    def _read(self, file: int, size: int, last: bool) -> Iterator[str]:
        if size < self._offset:  # somebody emptied it
            self._offset, self._rest = 0, b""
        if size - self._offset > self._most_behind:
            self._skip_to(size - CHUNK)
        while True:
            self._skip_hole(file)
            content = os.pread(file, CHUNK, self._offset)
            self._offset += len(content)
            end = max(content.rfind(b"\n"), content.rfind(b"\r")) + 1
            if end:
                yield self._decoded(content[:end])
            self._rest += content[end:]
            if len(self._rest) > LONGEST_LINE:
                yield self._decoded(b"\n")
            if not (last and content):
                break
        if last and self._rest:
            yield self._decoded(b"\n")

    def remove(self) -> None:
        """Delete the file, if it is there."""
        with suppress(OSError):
            os.unlink(self._path)

    def _decoded(self, text: bytes) -> str:
        whole, self._rest = self._rest + text, b""
        return whole.decode("utf-8", "replace")

    def _skip_to(self, offset: int) -> None:
        self._offset, self._rest, self.has_skipped = offset, b"", True

    def _skip_hole(self, file: int) -> None:
        """Go on behind what console_limit has given back."""
        if not hasattr(os, "SEEK_DATA"):
            return
        with suppress(OSError):  # there is no more, or the file system can't tell
            data = os.lseek(file, self._offset, os.SEEK_DATA)
            if data > self._offset:
                self._skip_to(data)
