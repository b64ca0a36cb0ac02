"""What a version may be called: a run is ``model/version#attempt``, and read as that again."""

from __future__ import annotations

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from typing import Any

ONLY = "main"  # a version that there is nothing to say of


def reads_as_attempt(name: str) -> bool:
    """Whether ``name`` ends as the number of an attempt does: ``a#2`` is the second of ``a``."""
    return "#" in name and name.rpartition("#")[2].isdecimal()


def problem_with(name: Any) -> str:
    """Why no version can be called ``name``, and what to do; empty where one can."""
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        return f"a version's name must be a printable, non-empty string, got {name!r}"
    if reads_as_attempt(name):
        head, _, number = name.rpartition("#")
        return (
            f"no version can be called {name!r}, since #{number} behind a name is the number of "
            f"an attempt; call it {f'{head}-{number}'.lstrip('-')!r}, say"
        )
    return ""


def made_of(text: str) -> str:
    """``text``, of what a version says, as its name: what reads as an attempt's number does not."""
    if not reads_as_attempt(text):
        return text
    head, _, number = text.rpartition("#")
    return f"{head}_{number}"
