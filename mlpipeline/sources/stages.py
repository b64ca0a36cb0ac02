"""Versions that come after others of their model: what a model file says of that, checked."""

from __future__ import annotations

from mlpipeline.api.keys import AFTER
from mlpipeline.core.circles import circle
from mlpipeline.errors import ModelError

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

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
    found = circle(after)
    if found:
        end = [found[0]]
        shown = found + end if len(found) <= SHOWN else [*found[:SHOWN], "…", *end]
        raise ModelError(
            f"version {found[0]!r} comes after itself: {' after '.join(shown)}; "
            "take one of them out of the circle"
        )


def _unknown(name: str, missing: str, known: Collection[str]) -> str:
    from mlpipeline.core.spelling import nearest  # for errors only

    return f"version {name!r} comes after {missing!r}, which no version is called" + (
        nearest(missing, known)
        or f"; its versions: {', '.join(sorted(known)[:20])}{', …' if len(known) > 20 else ''}"
    )
