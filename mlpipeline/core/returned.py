"""What the task of a Hydra job returned, on its way to the sweeper: pickled, as far as that goes.

A dict is pickled item by item, so that one that can't be does not lose the others.
"""

from __future__ import annotations

import pickle

from mlpipeline.core.plain import safe_text

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

VALUE, ITEMS = "pickled", "items"  # keys of what was packed: a value, or the items of a dict
MOST_NAMED = 5  # items in a sentence


def packed(value: Any) -> tuple[dict[str, Any], str]:
    """``value`` as it can be written, and in words, what of it can't be; empty for nothing."""
    if type(value) is not dict:
        made, lost = _each([("", value)], pickle.dumps)
        return ({VALUE: made[0]} if made else {}), _said(value, lost)
    made, lost = _each([(safe_text(pair[0]), pair) for pair in value.items()], pickle.dumps)
    return {ITEMS: made}, _said(value, lost)


def unpacked(pack: dict[str, Any]) -> tuple[Any, str]:
    """What is there of the value, and in words, what can't be read; as ``packed``."""
    if ITEMS in pack:
        pairs, lost = _each([("", each) for each in pack[ITEMS]], pickle.loads)
        return dict(pairs), _said({}, lost)
    values, lost = _each([("", pack[VALUE])] if VALUE in pack else [], pickle.loads)
    return (values[0] if values else None), _said(None, lost)


def _each(
    named: list[tuple[str, Any]], turn: Callable[[Any], Any]
) -> tuple[list[Any], list[tuple[str, str]]]:
    """What ``turn`` makes of each, and where it raises, the name and what it says."""
    made, lost = [], []
    for name, value in named:
        try:
            made.append(turn(value))
        except Exception as error:  # whatever the classes of users raise
            lost.append((name, f"{type(error).__name__}: {safe_text(error)}"))
    return made, lost


def _said(value: Any, lost: list[tuple[str, str]]) -> str:
    if not lost:
        return ""
    why = lost[0][1]
    if type(value) is not dict:
        what = "what the task returned" + (f", a {type(value).__qualname__}," if value else "")
        return f"{what} can't be handed on to the sweeper: {why}"
    names = [name for name, _ in lost if name][:MOST_NAMED]
    what = ", ".join(names) if names else f"{len(lost)} item{'s' * (len(lost) > 1)}"
    more = " …" if names and len(lost) > MOST_NAMED else ""
    return f"{what}{more} of what the task returned can't be handed on to the sweeper: {why}"
