"""What the scheduler tells whoever listens: screens, logs and records are all listeners."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import IntEnum

import msgspec

from mlpipeline.core.launch import Exit, Progress, Report
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.orders import Rehearsed
from mlpipeline.core.runs import Run
from mlpipeline.errors import StorageError


class Level(IntEnum):
    """How much a message matters, as in the standard library's ``logging``."""

    INFO = 20
    WARNING = 30
    ERROR = 40


class Launched(msgspec.Struct, frozen=True, kw_only=True):
    """A run with all that was known when it started."""

    run: Run
    model: ListedModel
    version: ListedVersion
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
    """Does nothing; listeners override what they care for.

    One that can't write somewhere may raise OSError or StorageError: see :class:`Audience`.
    """

    shows_output = False  # whether it wants to be told what runs print
    may_vanish = False  # whether nobody is to hear of it when it can't write any more

    def message(self, at: datetime, level: Level, text: str) -> None:
        """The scheduler has something to say to a person."""

    def ready(self) -> None:
        """The list and its scripts have been read for the first time."""

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

    def held(self, rehearsal: Rehearsed) -> None:
        """A version is held back, since its rehearsal failed."""

    def emptied(self, text: str) -> None:
        """The queue is empty; ``text`` is the digest of what ran."""

    def idle(self, why: str) -> None:
        """Nothing runs and nothing starts, for the reason ``why``; or, if that is empty, it does
        again.
        """

    def tick(self) -> None:
        """Some time has passed."""


class Audience(Listener):
    """All listeners as one; what one of them can't write, the others hear of."""

    def __init__(self, listeners: Iterable[Listener], now: Callable[[], datetime]):
        self._listeners = list(listeners)
        self._now = now
        self._said: set[str] = set()
        self._held: deque[Callable[[], object]] | None = None  # what is to be told later
        self.shows_output = any(listener.shows_output for listener in self._listeners)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Tell at the end what is told meanwhile, in that order: no run is to wait for it."""
        self._held = held = deque[Callable[[], object]]()
        try:
            yield
        finally:
            self._held = None
            while held:
                held.popleft()()

    def later(self, call: Callable[[], object]) -> None:
        """Make ``call`` when all has been told that came before; at once, unless it is held."""
        if self._held is None:
            call()
        else:
            self._held.append(call)

    def say(self, level: Level, text: str) -> None:
        """A message."""
        self.message(self._now(), level, text)

    def say_once(self, level: Level, text: str) -> None:
        """A message that is not repeated in this session."""
        if text not in self._said:
            self._said.add(text)
            self.say(level, text)

    def message(self, at: datetime, level: Level, text: str) -> None:
        """Tell all."""
        self._tell(lambda listener: listener.message(at, level, text))

    def ready(self) -> None:
        """Tell all."""
        self._tell(lambda listener: listener.ready())

    def started(self, launched: Launched) -> None:
        """Tell all."""
        self._tell(lambda listener: listener.started(launched))

    def adopted(self, run: Run) -> None:
        """Tell all."""
        self._tell(lambda listener: listener.adopted(run))

    def printed(self, run: Run, lines: list[str]) -> None:
        """Tell all."""
        self._tell(lambda listener: listener.printed(run, lines))

    def logged(self, run: Run, lines: list[str]) -> None:
        """Tell all."""
        self._tell(lambda listener: listener.logged(run, lines))

    def progressed(self, run: Run, progress: Progress) -> None:
        """Tell all."""
        self._tell(lambda listener: listener.progressed(run, progress))

    def ended(self, ended: Ended) -> None:
        """Tell all."""
        self._tell(lambda listener: listener.ended(ended))

    def held(self, rehearsal: Rehearsed) -> None:
        """Tell all."""
        self._tell(lambda listener: listener.held(rehearsal))

    def emptied(self, text: str) -> None:
        """Tell all."""
        self._tell(lambda listener: listener.emptied(text))

    def idle(self, why: str) -> None:
        """Tell all."""
        self._tell(lambda listener: listener.idle(why))

    def tick(self) -> None:
        """Tell all."""
        self._tell(lambda listener: listener.tick())

    def _tell(self, call: Callable[[Listener], object]) -> None:
        """Make ``call`` for each listener; one that fails loses this, and the queue goes on."""
        self.later(lambda: self._tell_now(call))

    def _tell_now(self, call: Callable[[Listener], object]) -> None:
        for listener in list(self._listeners):
            try:
                call(listener)
            except (OSError, StorageError) as error:
                if listener.may_vanish:
                    self._listeners.remove(listener)
                    continue
                self.say_once(Level.ERROR, f"a record can't be written: {error}")
