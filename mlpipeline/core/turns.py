"""For a forecast: which of the queued versions comes next, where some come after others."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

from mlpipeline.core.standings import Standing, State

Key = tuple[str, str]  # model and version


class Turns:
    """Gives the queued ones of ``standings`` in their order, but each no sooner than what it comes
    after is over; what can start earlier is let past it. Moments are microseconds from now on.
    """

    def __init__(self, standings: Sequence[Standing], going: Iterable[tuple[Standing, int | None]]):
        """``going``: what runs, with its end where that is known."""
        self._queued = [s for s in standings if s.state is State.QUEUED and s.version]
        self.staged = any(standing.behind for standing in self._queued)
        self._open = [0] * len(self._queued)  # how many it comes after have no end yet
        self._since: dict[int, int] = {}  # when those are over that it comes after
        self._after: dict[Key, list[int]] = {}
        if self.staged:
            self._look_behind()
        self._ready: list[int] = []  # a heap
        self._later: list[tuple[int, int]] = []  # a heap: when it may start
        for standing, end in going:
            if end is not None:
                self._note_end(standing, end)

    def taken(self, free: Sequence[int]) -> Iterator[tuple[Standing, int]]:
        """What the next slot takes, and since when that may start.

        ``free[0]`` is when that slot is free, and :meth:`ends` is to be called for what it takes,
        where that is ``staged``.
        """
        if not self.staged:
            yield from ((standing, 0) for standing in self._queued)
            return
        for number, count in enumerate(self._open):
            if not count:
                self._let(number)
        while self._ready or self._later:
            while self._later and (self._later[0][0] <= free[0] or not self._ready):
                heapq.heappush(self._ready, heapq.heappop(self._later)[1])
            number = heapq.heappop(self._ready)
            yield self._queued[number], self._since.get(number, 0)

    def ends(self, standing: Standing, at: int) -> None:
        """One that was taken will be over ``at`` that moment."""
        for number in self._note_end(standing, at):
            self._open[number] -= 1
            if not self._open[number]:
                self._let(number)

    def _let(self, number: int) -> None:
        """It may start, when what it comes after is over."""
        if number in self._since:
            heapq.heappush(self._later, (self._since[number], number))
        else:
            heapq.heappush(self._ready, number)

    def _look_behind(self) -> None:
        queued = {_key(standing) for standing in self._queued}
        for number, standing in enumerate(self._queued):
            if not standing.behind or standing.version is None:
                continue
            for name in standing.version.after:
                key = standing.model.name, name
                self._after.setdefault(key, []).append(number)
                self._open[number] += key in queued

    def _note_end(self, standing: Standing, at: int) -> Sequence[int]:
        numbers = self._after.get(_key(standing), ())
        for number in numbers:
            self._since[number] = max(at, self._since.get(number, at))
        return numbers


def _key(standing: Standing) -> Key:
    return standing.model.name, standing.version.name if standing.version else ""
