"""Copies of the scripts that ran, so that it can be told later what has changed since.

They are as the scripts are, with whatever those say, so that only their owner may read them; where
the folder is shared, the group, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from mlpipeline.state.files import write_whole
from mlpipeline.state.layout import Layout


class Sources:
    """Keeps each content once, named by its SHA-256."""

    def __init__(self, layout: Layout, *, shared: bool = False):
        """``shared``: let the group read what is kept."""
        self._folder = layout.sources
        self._models_dir = layout.models_dir
        self._mode = 0o770 if shared else 0o700
        self._kept: set[str] = set()

    def keep(self, digests: Mapping[str, str]) -> None:
        """Copy the files (paths in models_dir, each with its digest) that are not kept yet.

        One that was edited since, or can't be copied, is not: no run is worth less for that.
        """
        for path, digest in digests.items():
            if not digest or digest in self._kept:
                continue
            with suppress(OSError):
                self._copy(self._models_dir / path, self._path(digest), digest)
                self._kept.add(digest)

    def text(self, path: str, digest: str) -> str | None:
        """What the file ``path`` was when it had that digest, empty where there was none.

        None where that was not kept, and the file is another one now.
        """
        if not digest:
            return ""
        for place in (self._path(digest), self._models_dir / path):
            with suppress(OSError):
                content = place.read_bytes()
                if hashlib.sha256(content).hexdigest() == digest:
                    return content.decode("utf-8", "replace")
        return None

    def _copy(self, source: Path, target: Path, digest: str) -> None:
        if target.exists():
            return
        content = source.read_bytes()
        if hashlib.sha256(content).hexdigest() == digest:
            target.parent.mkdir(mode=self._mode, parents=True, exist_ok=True)
            write_whole(target, content)

    def _path(self, digest: str) -> Path:
        return self._folder / digest
