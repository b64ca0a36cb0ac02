"""A session as JSON lines: one object for each thing that happens."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from mlpipeline.cli.screen import Screen
from mlpipeline.cli.streams import say
from mlpipeline.core.launch import Progress
from mlpipeline.core.listening import Ended, Launched, Level
from mlpipeline.core.runs import Run
from mlpipeline.core.sessions import Result


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened: ``event`` is message, started, adopted, printed, progressed, ended, idle, or
    summary, which is the last one.
    """

    event: str
    run: str = ""  # MODEL/VERSION#ATTEMPT
    level: str = ""  # of a message: INFO, WARNING or ERROR
    text: str = ""  # the message; what was printed; why nothing runs
    resumed: bool = False
    outcome: str = ""
    reason: str = ""
    seconds: float | None = None  # that the run took
    progress: Progress | None = None
    results: dict[str, Any] = {}
    counts: dict[str, int] = {}  # of the session's runs by outcome
    failed: bool = False  # whether the session's exit status says that something is wrong


class JsonScreen(Screen):
    """Prints a Line for everything that happens."""

    def message(self, at: datetime, level: Level, text: str) -> None:
        """A message."""
        _say(Line(event="message", level=level.name, text=text))

    def started(self, launched: Launched) -> None:
        """A start."""
        run = launched.run
        _say(Line(event="started", run=self.name(run), resumed=run.resume))

    def adopted(self, run: Run) -> None:
        """An adoption."""
        _say(Line(event="adopted", run=self.name(run)))

    def printed(self, run: Run, lines: list[str]) -> None:
        """What the run printed."""
        _say(Line(event="printed", run=self.name(run), text="\n".join(lines)))

    def progressed(self, run: Run, progress: Progress) -> None:
        """How far it is."""
        _say(Line(event="progressed", run=self.name(run), progress=progress))

    def ended(self, ended: Ended) -> None:
        """How it ended, and its results."""
        run = ended.run
        assert run.verdict is not None
        _say(
            Line(
                event="ended",
                run=self.name(run),
                outcome=run.verdict.outcome.value,
                reason=run.verdict.reason,
                seconds=run.seconds,
                results=run.results,
            )
        )

    def idle(self, why: str) -> None:
        """Why nothing runs."""
        if why:
            _say(Line(event="idle", text=why))

    def summary(self, result: Result, output: Path | None) -> None:
        """Counts."""
        _say(Line(event="summary", counts=result.counts, failed=result.failed))


def _say(line: Line) -> None:
    say(msgspec.json.encode(line))
