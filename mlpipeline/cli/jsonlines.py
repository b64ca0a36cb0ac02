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
from mlpipeline.core.orders import Rehearsed
from mlpipeline.core.runs import Run
from mlpipeline.core.sessions import Result


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened: ``event`` is message, started, adopted, printed, progressed, ended,
    held, idle, or summary, which is the last one.
    """

    event: str
    at: datetime  # when it was told
    run: str = ""  # MODEL/VERSION#ATTEMPT; of one that is held, without an attempt
    level: str = ""  # of a message: INFO, WARNING or ERROR
    text: str = ""  # the message; what was printed; why nothing runs
    resumed: bool = False
    outcome: str = ""
    reason: str = ""  # of an outcome, and why a version is held: what its rehearsal came to
    seconds: float | None = None  # that the run took
    progress: Progress | None = None
    results: dict[str, Any] = {}
    counts: dict[str, int] = {}  # of the session's runs by outcome
    skipped: tuple[str, ...] = ()  # versions that come after something that failed, say
    failed: bool = False  # whether the session's exit status says that something is wrong


class JsonScreen(Screen):
    """Prints a Line for everything that happens."""

    def message(self, at: datetime, level: Level, text: str) -> None:
        """A message."""
        _say("message", at=at, level=level.name, text=text)

    def started(self, launched: Launched) -> None:
        """A start."""
        run = launched.run
        _say("started", run=self.name(run), resumed=run.resume)

    def adopted(self, run: Run) -> None:
        """An adoption."""
        _say("adopted", run=self.name(run))

    def printed(self, run: Run, lines: list[str]) -> None:
        """What the run printed."""
        _say("printed", run=self.name(run), text="\n".join(lines))

    def progressed(self, run: Run, progress: Progress) -> None:
        """How far it is."""
        _say("progressed", run=self.name(run), progress=progress)

    def ended(self, ended: Ended) -> None:
        """How it ended, and its results."""
        run = ended.run
        assert run.verdict is not None
        _say(
            "ended",
            run=self.name(run),
            outcome=run.verdict.outcome.value,
            reason=run.verdict.reason,
            seconds=run.seconds,
            results=run.results,
        )

    def held(self, rehearsal: Rehearsed) -> None:
        """A failed rehearsal."""
        name = f"{rehearsal.model}/{rehearsal.version}"
        _say("held", run=name, reason=rehearsal.problem)

    def idle(self, why: str) -> None:
        """Why nothing runs."""
        if why:
            _say("idle", text=why)

    def summary(self, result: Result, output: Path | None) -> None:
        """Counts."""
        skipped = [f"{s.model.name}/{s.version.name}" for s in result.skipped if s.version]
        _say("summary", counts=result.counts, skipped=tuple(skipped), failed=result.failed)


def _say(event: str, *, at: datetime | None = None, **told: Any) -> None:
    line = Line(event=event, at=at or datetime.now().astimezone(), **told)
    say(msgspec.json.encode(line))
