"""The child process that sends a message through apprise; addresses reach it on stdin alone."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from urllib.parse import unquote

import msgspec

from mlpipeline.core.masking import masked
from mlpipeline.core.variables import resolved

MISSING = "apprise is not installed: pip install 'mlpipeline[notify]'"
SHORTEST_SECRET = 3  # characters


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is to send."""

    urls: tuple[str, ...]
    title: str
    message: str
    event: str

    def __repr__(self) -> str:
        """Without the addresses."""
        return f"Parcel({self.title!r})"


def main() -> None:
    """Send the Parcel on stdin; the last line on stderr says what went wrong (exit status 1)."""
    parcel = msgspec.json.decode(sys.stdin.buffer.read(), type=Parcel)
    try:
        problems = list(_send(parcel))
    except ImportError:
        problems = [MISSING]
    if problems:
        print("; ".join(problems), file=sys.stderr)
        sys.exit(1)


def _send(parcel: Parcel) -> Iterator[str]:
    import apprise  # an extra that few install

    said = _Said()
    logging.getLogger("apprise").addHandler(said)
    kinds = {"failed": apprise.NotifyType.FAILURE, "best": apprise.NotifyType.SUCCESS}
    for place, named in enumerate(parcel.urls, start=1):
        said.last = ""
        url = resolved(named, os.environ)
        what = f"address {place} of url" if len(parcel.urls) > 1 else "it"
        if not url:
            yield f"{named} is not set in the environment"
            continue
        try:
            service = apprise.Apprise.instantiate(url)
            if service is None:
                yield f"{what} is none that apprise understands"
                continue
            if "overflow=" not in url:
                service.overflow_mode = apprise.OverflowMode.TRUNCATE
            kind = kinds.get(parcel.event, apprise.NotifyType.INFO)
            if service.notify(title=parcel.title, body=parcel.message, notify_type=kind):
                continue
        except Exception as error:  # of any of its hundred services
            said.last = f"{type(error).__name__}: {error}"
        reason = without_secrets(said.last, url)
        yield f"{url.partition('://')[0]}://… did not take it" + (f": {reason}" if reason else "")


def without_secrets(text: str, url: str) -> str:
    """``text`` without any part of ``url`` but the name of its service."""
    secret = url.partition("://")[2]
    pieces = (secret, *re.split(r"[/:@?&=#,+\s]+", secret))
    for piece in sorted({*pieces, *map(unquote, pieces)}, key=len, reverse=True):
        if len(piece) >= SHORTEST_SECRET:
            text = text.replace(piece, "…")
    return masked(text)


class _Said(logging.Handler):
    """Keeps the last warning or error of apprise."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep its first line."""
        self.last = record.getMessage().partition("\n")[0]
