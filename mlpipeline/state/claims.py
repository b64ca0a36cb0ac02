"""Which host has which attempt: how hosts that share a folder split the queue.

A claim is a file that is created exclusively, one for each attempt, and stays. A second kind, for a
model_dir that is in use, goes with the run. Each host's scheduler renews a beat, by which others
may tell that it is silent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from mlpipeline.core.runs import Claim, RunId
from mlpipeline.state.files import NOT_A_RECORD, read_record, storage, write_whole
from mlpipeline.state.layout import Layout

UNKNOWN_HOST = "another host"  # where a claim can't be read, since it is just being written
BEING_WRITTEN = 60.0  # seconds; what can't be read after that is damaged


class Claims:
    """The claims of all hosts, as one host's session takes them."""

    def __init__(self, layout: Layout):
        self._layout = layout

    def take(self, run: RunId, model_dir: str, at: datetime) -> Claim | None:
        """The claim on ``run``: this host's own, unless another host has it.

        None where the claim is damaged: then nobody can have this attempt. Raises StorageError when
        it can't be written.
        """
        return self._take(self._layout.claim(run), run, model_dir, at)

    def take_model_dir(self, run: RunId, model_dir: str, at: datetime) -> Claim:
        """The claim on ``model_dir``: for ``run`` of this host, unless another host has it."""
        path = self._layout.model_dir_claim(model_dir)
        claim = self._take(path, run, model_dir, at)
        # Damaged, or this host's own, whose run is over or never was.
        if claim is None or (claim.host == self._layout.host and claim.run != run):
            with storage(f"{path} can't be written"):
                claim = self._own(run, model_dir, at)
                write_whole(path, msgspec.json.encode(claim))
        return claim

    def release_model_dir(self, model_dir: str) -> None:
        """Give up this host's claim on ``model_dir``; that of another host stays."""
        path = self._layout.model_dir_claim(model_dir)
        claim = read_record(path, Claim)
        if claim is None or claim.host == self._layout.host:
            with suppress(OSError):
                path.unlink()

    def of_host(self, host: str) -> Iterator[Claim]:
        """All claims of ``host`` on attempts."""
        for path in sorted(self._layout.claims.glob("[!.]*/*/[!.]*")):
            claim = read_record(path, Claim)
            if claim and claim.host == host:
                yield claim

    def unreadable(self) -> Iterator[Path]:
        """Claims that do not say whose they are: just being written, or cut."""
        for pattern in ("[!.]*/*/[!.]*", ".model_dirs/[!.]*"):
            for path in sorted(self._layout.claims.glob(pattern)):
                if path.is_file() and read_record(path, Claim) is None:
                    yield path

    def release_all_model_dirs(self, host: str) -> None:
        """Free what ``host``, which is lost, has in use."""
        for path in self._layout.model_dir_claim("x").parent.glob("*"):
            claim = read_record(path, Claim)
            if claim and claim.host == host:
                with suppress(OSError):
                    path.unlink()

    def beat(self, at: datetime) -> None:
        """Say that this host's scheduler is alive; what can't be written is not."""
        path = self._layout.beat(self._layout.host)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, at.isoformat().encode())

    def beats(self) -> dict[str, str]:
        """What each other host's beat says; it is another text after each beat."""
        found = {}
        for path in self._layout.beat(self._layout.host).parent.glob("[!.]*"):
            with suppress(OSError, UnicodeDecodeError):
                found[path.name] = path.read_text()
        found.pop(self._layout.beat(self._layout.host).name, None)
        return found

    def beat_times(self) -> dict[str, datetime]:
        """When each other host gave its last beat, by its own clock; by the beats' file names."""
        found = {}
        for name, text in self.beats().items():
            with suppress(ValueError):
                found[name] = datetime.fromisoformat(text)
        return found

    def _own(self, run: RunId, model_dir: str, at: datetime) -> Claim:
        return Claim(host=self._layout.host, run=run, model_dir=model_dir, at=at)

    def _take(self, path: Path, run: RunId, model_dir: str, at: datetime) -> Claim | None:
        own = self._own(run, model_dir, at)
        with storage(f"{path} can't be written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                _create(path, msgspec.json.encode(own))
            except FileExistsError:
                return _holder(path, own)
        return own


def _create(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` at once, unless there is something; then FileExistsError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Not synced, which would cost each run two waits for the disk: what a power cut leaves of a
        # claim is damaged, and passed over.
        temporary.write_bytes(content)
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            _create_in_place(path, content)
    finally:
        temporary.unlink(missing_ok=True)


def _create_in_place(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        try:
            file.write(content)
            file.flush()
        except OSError:
            path.unlink()
            raise


def _holder(path: Path, own: Claim) -> Claim | None:
    """Who holds the claim at ``path``; None when it is damaged, and so nobody's."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Claim)
    except NOT_A_RECORD:
        is_damaged = time.time() - path.stat().st_mtime > BEING_WRITTEN
        return None if is_damaged else msgspec.structs.replace(own, host=UNKNOWN_HOST)
    except FileNotFoundError:  # it was given up just now: next time it may be ours
        return msgspec.structs.replace(own, host=UNKNOWN_HOST)
