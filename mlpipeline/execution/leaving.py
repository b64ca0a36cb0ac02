"""How a forked run ends: as Python would end it, but for what its nursery had imported."""

from __future__ import annotations

import atexit
import ctypes
import gc
import io
import os
import sys
from contextlib import suppress

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Collection

_c_library = ctypes.CDLL(None)

STREAMS = 3  # that every process has


def known_modules() -> frozenset[str]:
    """Names of the modules that runs need not take down; call it before the first fork.

    This module is the last of them then: see _own_modules.
    """
    sys.modules[__name__] = sys.modules.pop(__name__)
    return frozenset(sys.modules)


def end(status: int, inherited: Collection[str]) -> None:
    """End a run as Python would, but for taking down what the nursery had imported: of that, all
    pages would be copied, which takes five times as long as the rest of a short run.

    As in Py_FinalizeEx: threads are waited for, exit handlers called, the run's own modules and
    what they hold let go, streams flushed, and the C library's exit handlers called.
    """
    threading = sys.modules.get("threading")
    try:
        if threading:
            threading._shutdown()
        atexit._run_exitfuncs()
    except BaseException as error:  # Ctrl-C, say
        sys.excepthook(type(error), error, error.__traceback__)
    _flush_files()
    # A command's program has been put in the place of __main__.
    for name in ("__main__", *_own_modules(inherited)):
        sys.modules.pop(name, None)
    gc.collect()
    for stream in (sys.stdout, sys.stderr):
        if stream is None or getattr(stream, "closed", False):
            continue
        try:
            stream.flush()
        except Exception:  # a full disk, or whatever a script has put there
            status = status or 120  # as Python has it
    _c_library.exit(status)


def _own_modules(inherited: Collection[str]) -> list[str]:
    """What the run has imported, in that order.

    It stands behind this module; to look at what stands before would copy the pages of all names.
    """
    names = []
    for name in reversed(sys.modules):
        if name == __name__:
            break
        if name not in inherited:  # else the script has taken it out, and imported it anew
            names.append(name)
    return names[::-1]


def _flush_files() -> None:
    """Files that were never closed lose their last words when they are collected in a cycle, the
    buffer before its text (bpo-17852).
    """
    with suppress(OSError):  # not Linux
        if len(os.listdir("/proc/self/fd")) <= STREAMS + 1:  # the folder itself is open, too
            return
    for each in gc.get_objects():
        if isinstance(each, io.IOBase):
            with suppress(Exception):  # closed, or not for writing
                each.flush()
