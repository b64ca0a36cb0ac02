"""How a session is asked to end, by signals and by views, and what that asks of its runs."""

from __future__ import annotations

import signal

from mlpipeline.core.sessions import StopMode
from mlpipeline.execution.rehearsals import Rehearsals
from mlpipeline.execution.watched_runs import WatchedRuns


class Ending:
    """What has asked a session to end so far."""

    def __init__(self) -> None:
        self._signals: list[int] = []
        self._mode: StopMode | None = None
        self._acted_on: tuple[StopMode | None, int] = (None, 0)  # mode and number of signals

    def add_signal(self, number: int) -> None:
        """Signal ``number`` has come. May be called from a signal handler."""
        self._signals.append(number)

    def add(self, mode: StopMode | None) -> None:
        """A view has asked for it; None: it has not."""
        self._mode = mode or self._mode

    @property
    def is_asked_for(self) -> bool:
        """Whether the session is to end."""
        return bool(self._signals) or self._mode is not None

    @property
    def leaves_runs(self) -> bool:
        """Whether runs are to go on without it."""
        return self._mode is StopMode.DETACH

    @property
    def signal(self) -> int | None:
        """The first signal, if there was one."""
        return self._signals[0] if self._signals else None

    @property
    def mode(self) -> StopMode | None:
        """What was asked for last; a signal alone asks for a graceful end."""
        return self._mode or (StopMode.GRACEFUL if self._signals else None)

    def stop(self, runs: WatchedRuns, rehearsals: Rehearsals) -> None:
        """Ask the runs to stop, once for each signal or request; the second signal kills them."""
        asked = (self._mode, len(self._signals))
        fresh, self._acted_on = asked != self._acted_on, asked
        rehearsals.stop()
        if not self._signals and self._mode in (StopMode.AFTER_CURRENT, StopMode.DETACH):
            return
        # A terminal that is closed may hang up twice; a person who is in a hurry presses Ctrl-C.
        urgent = [number for number in self._signals if number != signal.SIGHUP]
        at_once = len(urgent) > 1 or self._mode is StopMode.NOW
        runs.stop(at_once=at_once, again=fresh)
