"""Versions that come after others of their model: in which order that leaves them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush


class Stages:
    """Which versions of one model come after which, by their numbers.

    The listed ones have the first numbers, in their order; the rest are there to be waited for.
    ``before`` has the numbers of those that a listed one comes after; ``after``, of those that come
    after one; ``order``, all of them in an order in which each is behind what it comes after.
    """

    __slots__ = ("after", "before", "listed", "order")

    def __init__(self, names: Sequence[str], after: Sequence[Sequence[str]]):
        """``after``: what each of the listed ones comes after; they are the first of ``names``."""
        numbers = {name: number for number, name in enumerate(names)}
        self.listed = len(after)  # how many are listed
        self.before = [tuple(map(numbers.__getitem__, each)) for each in after]
        self.after: list[list[int]] = [[] for _ in names]
        for number, before in enumerate(self.before):
            for each in before:
                self.after[each].append(number)
        open_ = [*map(len, self.before), *(0 for _ in range(len(after), len(names)))]
        self.order = [number for number, count in enumerate(open_) if not count]
        for number in self.order:  # which grows meanwhile
            for each in self.after[number]:
                open_[each] -= 1
                if not open_[each]:
                    self.order.append(each)

    def in_turn(self, waits: Callable[[int], bool]) -> Iterator[int]:
        """The listed ones in their order, but each that ``waits`` behind those that it comes
        after.
        """
        listed = self.listed
        open_ = {
            number: sum(each < listed for each in before)
            for number, before in enumerate(self.before)
            if before and waits(number)
        }
        ready = [number for number in range(listed) if not open_.get(number)]  # a heap
        while ready:
            number = heappop(ready)
            yield number
            for each in self.after[number]:
                if each in open_:
                    open_[each] -= 1
                    if not open_[each]:
                        heappush(ready, each)


def told_apart(name: str, beside: str) -> str:
    """``name`` in short, for one who sees ``beside``: of names that are made of parts, those parts
    that the other one does not have. Beside ``stage=test,lr=0.1``, ``stage=train,lr=0.1`` is
    ``train``.
    """
    theirs = beside.split(",")
    own = [part for part in name.split(",") if part not in theirs]
    short = ",".join(own)
    if not own or any(bracket in short for bracket in "[](){}'\""):
        return name
    key, divider, value = short.partition("=")
    is_shared = len(own) == 1 and value and any(part.startswith(key + divider) for part in theirs)
    return value if is_shared else short
