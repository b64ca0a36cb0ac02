"""What the scheduler tells whoever listens: screens, logs and records are all listeners."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

import msgspec

from mlpipeline.core.launch import Exit, Progress, Report
from mlpipeline.core.planning import Model, Version
from mlpipeline.core.runs import Run


class Level(IntEnum):
    """How much a message matters, as in the standard library's ``logging``."""

    INFO = 20
    WARNING = 30
    ERROR = 40


class Launched(msgspec.Struct, frozen=True, kw_only=True):
    """A run with all that was known when it started."""

    run: Run
    model: Model
    version: Version
    git: dict[str, object] | None = None  # commit and dirty, None outside a repository


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is over, with what its processes left.

    ``launched`` is None for a run that an earlier session started.
    """

    launched: Launched | None
    run: Run
    exit: Exit | None
    report: Report | None


class Listener:
    """Does nothing; listeners override what they care for. None of it may raise for the disk."""

    def message(self, at: datetime, level: Level, text: str) -> None:
        """The scheduler has something to say to a person."""

    def started(self, launched: Launched) -> None:
        """A run starts."""

    def adopted(self, run: Run) -> None:
        """A run of an earlier session is alive, and is watched from now on."""

    def printed(self, run: Run, lines: list[str]) -> None:
        """A run printed ``lines``."""

    def logged(self, run: Run, lines: list[str]) -> None:
        """A run's script logged ``lines``, each ready for the log."""

    def progressed(self, run: Run, progress: Progress) -> None:
        """A run got on."""

    def ended(self, ended: Ended) -> None:
        """A run is over and recorded."""

    def tick(self) -> None:
        """Some time has passed."""
