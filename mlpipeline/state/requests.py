"""What a view asks of the scheduler of its host: files that one puts down and the other takes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from mlpipeline.core.orders import Ordered
from mlpipeline.core.sessions import StopMode
from mlpipeline.state.files import read_record, storage, write_whole
from mlpipeline.state.layout import Layout, safe_name


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """End the session of that name; where it has none, whichever there is."""

    mode: StopMode
    session: str = ""


class LoseHost(msgspec.Struct, frozen=True, tag="lose-host"):
    """Take ``host`` for lost: what it runs is run again."""

    host: str


class Steer(msgspec.Struct, frozen=True, tag="steer"):
    """Record these orders, unless later ones hold; runs that are to be skipped end."""

    orders: tuple[Ordered, ...]


class Widen(msgspec.Struct, frozen=True, tag="widen"):
    """Where the session is for some models only, it is for these, too."""

    models: tuple[str, ...]  # names


Request = Stop | LoseHost | Steer | Widen


class _Envelope(msgspec.Struct, frozen=True):
    request: Request


def put(layout: Layout, request: Request, host: str | None = None) -> Path:
    """Ask the scheduler of ``host`` (by default this one).

    The file is gone as soon as it has done what is asked. Raises StorageError when it can't be
    written.
    """
    folder = layout.requests_to(host or layout.host)
    path = folder / f"{time.time_ns()}-{safe_name(layout.host)}-{os.getpid()}.json"
    with storage(f"{folder} can't be written to"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, msgspec.json.encode(_Envelope(request)))
    return path


def waiting(layout: Layout) -> list[tuple[Path, Request | None]]:
    """What is asked of this host, in the order of asking; None for what can't be read."""
    found: list[tuple[Path, Request | None]] = []
    try:  # each turn of a session asks, and a glob takes ten times as long
        names = sorted(os.listdir(layout.requests))  # noqa: PTH208
    except OSError:  # there is no such folder as long as nobody has asked
        return found
    for name in names:
        if name.startswith(".") or not name.endswith(".json"):
            continue
        path = layout.requests / name
        envelope = read_record(path, _Envelope)
        found.append((path, envelope.request if envelope else None))
    return found


def remove(path: Path) -> bool:
    """Say that a request is done, or that nobody need do it; whether that worked."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True
