"""Versions that come after others of their model: what a model file says of that, checked."""

from __future__ import annotations

from mlpipeline.api.keys import AFTER
from mlpipeline.errors import ModelError

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mlpipeline.api.versions import Version

SHOWN = 6  # versions of a circle


def comes_after(version: Version) -> list[str]:
    """The versions that ``version`` comes after, by name, each once; raises ModelError."""
    value = dict.get(version, AFTER)  # Version.get takes longer, and few come after others
    if value is None:
        return []
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise ModelError(
            f"version {version.name!r} has after={value!r}; "
            "it must be the name of a version, or a list of names"
        )
    return list(dict.fromkeys(names))


def check_stages(versions: Sequence[Version]) -> None:
    """Raise ModelError where one of ``versions``, all of a model, comes after one that is not there
    or, in the end, after itself.
    """
    after = {version.name: names for version in versions if (names := comes_after(version))}
    if not after:
        return
    known = {version.name for version in versions}
    for name, names in after.items():
        for each in names:
            if each not in known:
                raise ModelError(_unknown(name, each, known))
    circle = _circle(after)
    if circle:
        end = [circle[0]]
        shown = circle + end if len(circle) <= SHOWN else [*circle[:SHOWN], "…", *end]
        raise ModelError(
            f"version {circle[0]!r} comes after itself: {' after '.join(shown)}; "
            "take one of them out of the circle"
        )


def _unknown(name: str, missing: str, known: Collection[str]) -> str:
    from mlpipeline.core.spelling import nearest  # for errors only

    return f"version {name!r} comes after {missing!r}, which no version is called" + (
        nearest(missing, known)
        or f"; its versions: {', '.join(sorted(known)[:20])}{', …' if len(known) > 20 else ''}"
    )


def _circle(after: Mapping[str, Sequence[str]]) -> list[str]:
    """The names of a circle, each after the next one and the last after the first; else none."""
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
