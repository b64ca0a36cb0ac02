"""Moments as people say them: ``yesterday``, ``friday``, ``8h``, ``2026-11-20 18:00``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_AGO = re.compile(r"(?P<count>\d+(?:\.\d+)?)\s*(?P<unit>min|[mhdw])", re.IGNORECASE)
_UNITS = {
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
FORMS = "today, yesterday, friday, 90min, 8h, 3d, 2w, 2026-11-20 or 2026-11-20T18:00"


def moment_of(text: str, now: datetime) -> datetime:
    """The moment that ``text`` names, seen from ``now`` (which has a time zone).

    A day is its midnight; a weekday the last one before today. Raises ValueError for what is no
    moment (the message lists the forms), or one that is yet to come.
    """
    word = text.strip().lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    ago = _AGO.fullmatch(word)
    day = [name for name in _DAYS if len(word) >= 3 and name.startswith(word)]
    if word == "today":
        return _local(midnight, now)
    if word == "yesterday":
        return _local(midnight - timedelta(days=1), now)
    if ago:
        try:
            return now - float(ago["count"]) * _UNITS[ago["unit"]]
        except OverflowError:
            raise ValueError(f"{text!r} is before all time; write {FORMS}") from None
    if day:
        back = (now.weekday() - _DAYS.index(day[0])) % 7 or 7
        return _local(midnight - timedelta(days=back), now)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is no moment; write {FORMS}") from None
    moment = moment if moment.tzinfo else _local(moment, now)
    if moment > now:
        raise ValueError(f"{text} is yet to come")
    return moment


def _local(moment: datetime, now: datetime) -> datetime:
    """``moment`` of this place's clocks, which may have been changed for summer since then."""
    if now.astimezone().utcoffset() != now.utcoffset():  # of another place
        return moment.replace(tzinfo=now.tzinfo)
    try:
        return moment.astimezone()
    except (OverflowError, OSError, ValueError):  # before all that clocks know
        return moment.replace(tzinfo=now.tzinfo)
