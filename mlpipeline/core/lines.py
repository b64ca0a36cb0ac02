"""A line of numbers that wait, in their order; of those that share a place, one goes at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from heapq import heappop, heappush

from sortedcontainers import SortedList


class Line:
    """Numbers, each of which wants some place; the first of each place stands before the others.

    So who looks for one whose place is free passes each place once, however many want it.
    """

    __slots__ = ("_behind", "_first", "_heads", "_place")

    def __init__(self, place: Callable[[int], str], numbers: Iterable[int] = ()):
        """``place``: which one a number wants; it stays the same. ``numbers`` are in order."""
        self._place = place
        self._first: dict[str, int] = {}
        behind: dict[str, list[int]] = {}
        for number in numbers:
            first = self._first.setdefault(place(number), number)
            if first != number:
                behind.setdefault(place(number), []).append(number)
        self._heads = SortedList(self._first.values())
        self._behind = {where: SortedList(others) for where, others in behind.items()}

    def __bool__(self) -> bool:
        return bool(self._first)

    @property
    def first(self) -> int:
        """The first of all; raises IndexError for a line that is empty."""
        return self._heads[0]

    def add(self, number: int) -> None:
        """One more; it must not be there yet."""
        place = self._place(number)
        first = self._first.get(place)
        if first is None:
            self._stand_first(place, number)
        elif first < number:
            self._behind.setdefault(place, SortedList()).add(number)
        else:
            self._heads.remove(first)
            self._stand_first(place, number)
            self._behind.setdefault(place, SortedList()).add(first)

    def remove(self, number: int) -> None:
        """One less; raises KeyError or ValueError where it is not there."""
        place = self._place(number)
        if number != self._first[place]:
            self._behind[place].remove(number)
        else:
            self._heads.remove(number)
            del self._first[place]
            if place in self._behind:
                self._stand_first(place, self._behind[place].pop(0))
        if place in self._behind and not self._behind[place]:
            del self._behind[place]

    def walk(self, taken: Set[str]) -> Iterator[int]:
        """All whose place is not ``taken``, in order; ``taken`` may grow meanwhile."""
        heads = iter(self._heads)
        head = next(heads, None)
        followers: list[tuple[int, Iterator[int]]] = []  # a heap: behind the heads that are passed
        while head is not None or followers:
            if head is None or (followers and followers[0][0] < head):
                number, others = heappop(followers)
            else:
                number, others = head, iter(self._behind.get(self._place(head), ()))
                head = next(heads, None)
            if self._place(number) in taken:
                continue
            yield number
            following = next(others, None)
            if following is not None:
                heappush(followers, (following, others))

    def _stand_first(self, place: str, number: int) -> None:
        self._first[place] = number
        self._heads.add(number)
