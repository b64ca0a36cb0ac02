"""How records and numbers are worded for people, on every screen and in every file alike."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what is shown first, a help, needs no records
    from mlpipeline.core.listening import Level


INSPECTED = 3  # scripts that are named


def log_line(at: datetime, level: Level, text: str) -> str:
    """A line of the log; further lines of ``text`` are indented below it."""
    first, *more = text.splitlines() or [""]
    return "\n".join([f"[{at.isoformat()}]::{level.name} - {first}", *(f"    {x}" for x in more)])


def shown(value: Any, digits: int = 5) -> str:
    """Plain data in one readable line: ``accuracy 0.94, loss 0.21``."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {shown(item, digits)}" for key, item in value.items())
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, list):
        return "[" + ", ".join(shown(item, digits) for item in value) + "]"
    return str(value)


def moment(at: datetime, now: datetime) -> str:
    """A time near ``now`` for people: ``14:00``, ``Thu 14:00``, ``Thu 3 Dec 14:00``."""
    at = at.astimezone(now.tzinfo)
    if at.date() == now.date():
        return f"{at:%H:%M}"
    if abs((at.date() - now.date()).days) < 7:
        return f"{at:%a %H:%M}"
    year = "" if at.year == now.year else f" {at.year}"
    return f"{at:%a} {at.day} {at:%b}{year} {at:%H:%M}"


def plural(count: int, word: str) -> str:
    """``1 run``, ``2,000 runs``."""
    return f"{count} {word}" if count == 1 else f"{count:,} {word}s"


def as_far_as_known(about: str, at_least: str, *, unknown: int, count: int) -> str:
    """A forecast for ``count`` versions: what is ``about`` so, or ``at_least``, where nothing tells
    how long an ``unknown`` number of them take; if that is most of them, no forecast at all.
    """
    if not unknown:
        return about
    if 2 * unknown <= count:
        return f"{at_least}: nothing tells how long {plural(unknown, 'version')} will take"
    them = "all of them" if unknown == count else f"{unknown:,} of them"
    return f"nothing tells how long {them if count > 1 else 'it'} will take"


def enumeration(names: Sequence[str], most: int) -> str:
    """``a``, ``a and b``, ``a, b and 7 more``: ``most`` of them are named."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def being_inspected(scripts: Sequence[str]) -> str:
    """That ``scripts`` are looked at, so that what is said of their versions is not sure yet."""
    return f"{enumeration(scripts, INSPECTED)} being inspected"


def width(text: str) -> int:
    """The columns that ``text`` takes on a terminal: a character of Chinese takes two, an accent
    none (Unicode Standard Annex 11).
    """
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(text: str, longest: int) -> str:
    """``text`` in at most ``longest`` columns (1 or more); a longer one lacks its end."""
    return text if width(text) <= longest else f"{_beginning(text, longest - 1)}…"


def shortened(text: str, longest: int) -> str:
    """``text`` in at most ``longest`` columns (3 or more); a longer one lacks its middle."""
    if width(text) <= longest:
        return text
    head = longest // 2
    tail = _beginning(text[::-1], longest - head - 1)[::-1]
    return f"{_beginning(text, head)}…{tail}"


def _beginning(text: str, longest: int) -> str:
    used = 0
    for place, character in enumerate(text):
        used += _columns(character)
        if used > longest:
            return text[:place]
    return text


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def duration(seconds: float) -> str:
    """How long something took, for people: ``25 ms``, ``0.4 s``, ``3 min 5 s``, ``2 h 4 min``."""
    if 0 < seconds < 0.0995:
        return f"{max(1, round(seconds * 1000))} ms"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
