"""What a view asks of the scheduler of its host: files that one puts down and the other takes."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from mlpipeline.core.sessions import StopMode
from mlpipeline.state.files import read_record, storage, write_whole
from mlpipeline.state.layout import Layout, safe_name


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """End the session."""

    mode: StopMode


class Target(msgspec.Struct, frozen=True):
    """A version that something is asked for."""

    model: str
    version: str


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """End the runs of these versions, and start them no more."""

    targets: tuple[Target, ...]


class Skip(msgspec.Struct, frozen=True, tag="skip"):
    """Start these versions no more; what runs runs on."""

    targets: tuple[Target, ...]


class Retry(msgspec.Struct, frozen=True, tag="retry"):
    """Forget how these versions ended, and that they were skipped."""

    targets: tuple[Target, ...]


class LoseHost(msgspec.Struct, frozen=True, tag="lose-host"):
    """Take ``host`` for lost: what it runs is run again."""

    host: str


Request = Stop | LoseHost | Cancel | Skip | Retry


class _Envelope(msgspec.Struct, frozen=True):
    request: Request


def put(layout: Layout, request: Request, host: str | None = None) -> Path:
    """Ask the scheduler of ``host`` (by default this one).

    The file is gone as soon as it has taken the request. Raises StorageError when it can't be
    written.
    """
    folder = layout.requests_to(host or layout.host)
    path = folder / f"{time.time_ns()}-{safe_name(layout.host)}-{os.getpid()}.json"
    with storage(f"{folder} can't be written to"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, msgspec.json.encode(_Envelope(request)))
    return path


def take(layout: Layout) -> list[Request]:
    """What is asked, in the order of asking; each request is handed out once."""
    requests = []
    for path in sorted(layout.requests.glob("[!.]*.json")):
        envelope = read_record(path, _Envelope)
        with suppress(OSError):
            path.unlink()
        if envelope:
            requests.append(envelope.request)
    return requests
