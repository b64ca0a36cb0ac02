"""For a forecast: which of the queued versions comes next, where some come after others."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from mlpipeline.core.standings import Standing, State

Key = tuple[str, str]  # model and version


class Going(Protocol):
    """Something that runs."""

    @property
    def standing(self) -> Standing: ...
    @property
    def ends(self) -> datetime | None: ...


class Turns:
    """Gives the queued ones of ``standings`` in their order, but each no sooner than what it comes
    after is over; what can start earlier is let past it.
    """

    def __init__(self, standings: Sequence[Standing], going: Iterable[Going]):
        """``going``: what runs, with its end where that is known."""
        self._queued = [s for s in standings if s.state is State.QUEUED and s.version]
        self.staged = any(standing.behind for standing in self._queued)
        self._open = [0] * len(self._queued)  # how many it comes after have no end yet
        self._since: dict[int, datetime] = {}  # when those are over that it comes after
        self._after: dict[Key, list[int]] = {}
        if self.staged:
            self._look_behind()
        self._ready = [number for number, count in enumerate(self._open) if not count]  # a heap
        self._later: list[tuple[datetime, int]] = []  # a heap: when it may start
        for each in going:
            if each.ends:
                self._note_end(each.standing, each.ends)
        if self._since:
            later = [number for number in self._ready if number in self._since]
            self._later = [(self._since[number], number) for number in later]
            heapq.heapify(self._later)
            self._ready = [number for number in self._ready if number not in self._since]

    def __bool__(self) -> bool:
        return bool(self._ready or self._later)

    def next(self, at: datetime) -> tuple[Standing, datetime | None]:
        """What a slot takes that is free from ``at`` on; and since when it may start, where it
        comes after others. Raises IndexError when nothing is left.
        """
        while self._later and (self._later[0][0] <= at or not self._ready):
            heapq.heappush(self._ready, heapq.heappop(self._later)[1])
        number = heapq.heappop(self._ready)
        return self._queued[number], self._since.get(number)

    def ends(self, standing: Standing, at: datetime) -> None:
        """One that was given will be over ``at`` that moment."""
        for number in self._note_end(standing, at):
            self._open[number] -= 1
            if not self._open[number]:
                heapq.heappush(self._later, (self._since[number], number))

    def _look_behind(self) -> None:
        queued = {_key(standing) for standing in self._queued}
        for number, standing in enumerate(self._queued):
            if not standing.behind or standing.version is None:
                continue
            for name in standing.version.after:
                key = standing.model.name, name
                self._after.setdefault(key, []).append(number)
                self._open[number] += key in queued

    def _note_end(self, standing: Standing, at: datetime) -> Sequence[int]:
        numbers = self._after.get(_key(standing), ())
        for number in numbers:
            self._since[number] = max(at, self._since.get(number, at))
        return numbers


def _key(standing: Standing) -> Key:
    return standing.model.name, standing.version.name if standing.version else ""
