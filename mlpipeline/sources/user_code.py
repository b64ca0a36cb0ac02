"""What users see of an exception in their own code: their frames, not the pipeline's."""

from __future__ import annotations

import os
import traceback

import mlpipeline

_HERE = os.path.dirname(os.path.abspath(mlpipeline.__file__)) + os.sep
_MACHINERY = ("<frozen importlib", "<frozen runpy", "<string>")


def user_traceback(error: BaseException) -> str:
    """The traceback of ``error``, and of what caused it, without the pipeline's own frames."""
    summary = traceback.TracebackException.from_exception(error)
    _strip(summary, set())
    return "".join(summary.format())


def user_frames(error: BaseException) -> list[tuple[str, int, str]]:
    """The file, the line (from 1) and the function of each of its frames but the pipeline's own."""
    frames = traceback.extract_tb(error.__traceback__)
    return [(f.filename, f.lineno or 0, f.name) for f in frames if not _is_ours(f.filename)]


def _strip(summary: traceback.TracebackException | None, seen: set[int]) -> None:
    if summary is None or id(summary) in seen:
        return
    seen.add(id(summary))
    kept = [frame for frame in summary.stack if not _is_ours(frame.filename)]
    summary.stack = traceback.StackSummary.from_list(kept)
    _strip(summary.__cause__, seen)
    _strip(summary.__context__, seen)
    for inner in getattr(summary, "exceptions", None) or ():
        _strip(inner, seen)


def _is_ours(filename: str) -> bool:
    return filename.startswith((_HERE, *_MACHINERY))
