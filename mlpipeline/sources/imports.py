"""How a model script and the modules beside it are imported: as they are now.

Python finds what it compiled by the source's size and its mtime in whole seconds, so that a script
that is edited twice within one may be run as it was before. Here, what was written within the last
two seconds is compiled anew, and that is not kept. It is also noted what was loaded.
"""

from __future__ import annotations

import os
import re
import sys
import time
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)

from mlpipeline.core.ticks import RECENT

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

INSTALLED = re.compile(r"/(site|dist)-packages(/|$)")  # as in the project's own .venv

STAMPS: dict[str, tuple[int, int]] = {}  # mtime (ns) and size of what was loaded, by path
TEXTS: dict[str, bytes] = {}  # what was loaded of the recent ones


class LocalLoader(SourceFileLoader):
    """Loads a source file; of one that is recent, no compiled form is read or written."""

    def path_stats(self, path: str) -> Mapping[str, Any]:
        """As importlib asks for it; raises OSError where nothing compiled is to be used."""
        stat = os.stat(path)
        STAMPS[path] = (stat.st_mtime_ns, stat.st_size)
        TEXTS.pop(path, None)
        if time.time_ns() - stat.st_mtime_ns < RECENT:
            TEXTS[path] = b""
            raise OSError(f"{path} was just written")
        return {"mtime": stat.st_mtime, "size": stat.st_size}

    def get_data(self, path: str) -> bytes:
        """The content of a file."""
        content = super().get_data(path)
        if path in TEXTS:
            TEXTS[path] = content
        return content


def is_local(path: str, folders: Iterable[str]) -> bool:
    """Whether a file or folder is in one of ``folders``, and no package that is installed there."""
    return not INSTALLED.search(path) and any(
        path == folder or path.startswith(folder + os.sep) for folder in folders
    )


def load_locally(*folders: str) -> None:
    """From now on, have what is local to ``folders`` loaded by a LocalLoader."""
    make = FileFinder.path_hook(
        (ExtensionFileLoader, EXTENSION_SUFFIXES),
        (LocalLoader, SOURCE_SUFFIXES),
        (SourcelessFileLoader, BYTECODE_SUFFIXES),
    )

    def hook(path: str) -> Any:
        if not is_local(path, folders):
            raise ImportError("not there", path=path)
        return make(path)

    sys.path_hooks.insert(0, hook)
