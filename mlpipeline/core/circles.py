"""Circles among things that come after others: none of them could ever begin."""

from __future__ import annotations

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def circle(after: Mapping[str, Iterable[str]]) -> list[str]:
    """The names of a circle, each after the next one and the last after the first; else none.

    ``after``: what each comes after; names that it has nothing of are no part of one.
    """
    looked_at: set[str] = set()
    for start in after:
        path: dict[str, None] = {}  # in its order
        ahead = [(start, iter(after[start]))] if start not in looked_at else []
        path[start] = None
        while ahead:
            name, names = ahead[-1]
            following = next(names, None)
            if following is None:
                looked_at.add(name)
                ahead.pop()
                del path[name]
            elif following in path:
                names_on_it = list(path)
                return names_on_it[names_on_it.index(following) :]
            elif following in after and following not in looked_at:
                path[following] = None
                ahead.append((following, iter(after[following])))
    return []
