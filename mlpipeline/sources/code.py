"""Compiled scripts: a nursery keeps some, so that the runs it forks need not compile them anew."""

from __future__ import annotations

import os
import warnings

from mlpipeline.sources.imports import STAMPS, TEXTS

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from types import CodeType

MOST = 8  # scripts that are kept

# By path: mtime (ns) and size, the source, and what it became.
_kept: dict[str, tuple[tuple[int, int], bytes, CodeType]] = {}


def code_of(script: str) -> CodeType:
    """The code of ``script`` as it is now; raises what ``open`` and ``compile`` do.

    Not through __pycache__, where an edit within a second that keeps the size goes unnoticed.
    """
    with open(script, "rb") as file:
        stat = os.fstat(file.fileno())
        source = file.read()
    STAMPS[script], TEXTS[script] = (stat.st_mtime_ns, stat.st_size), source
    _, known, code = _kept.get(script, (None, None, None))
    return code if code and known == source else _compile(source, script)


def keep(script: str) -> None:
    """Have the code of ``script`` at hand; what can't be compiled is left alone."""
    try:
        stat = os.stat(script)
        stamp = stat.st_mtime_ns, stat.st_size
        if script in _kept and _kept[script][0] == stamp:
            return
        with open(script, "rb") as file:
            source = file.read()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are for those who read the run's console
            code = _compile(source, script)
    except Exception:  # the run says why
        return
    while len(_kept) >= MOST:
        del _kept[next(iter(_kept))]
    _kept[script] = stamp, source, code


def _compile(source: bytes, script: str) -> CodeType:
    code: CodeType = compile(source, script, "exec", dont_inherit=True)
    return code
