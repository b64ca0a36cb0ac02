"""Keeping files in the folder of a run. Imported where a script calls ``log_artifact``."""

from __future__ import annotations

import _thread
import os
import shutil

from mlpipeline.api.reporting import ARTIFACTS


def keep(folder: str, path: object, artifact_path: object = None) -> None:
    """Copy the file or folder at ``path`` into ``artifacts/`` of the run in ``folder``.

    ``artifact_path`` is the folder in there. What is there by that name is replaced, at once: there
    is never half of a file by its own name. Raises OSError, ValueError, TypeError.
    """
    source = os.path.abspath(os.fspath(path))  # type: ignore[call-overload]
    inside = os.path.normpath(os.fspath(artifact_path)) if artifact_path else ""  # type: ignore[call-overload]
    if os.path.isabs(inside) or inside.split(os.sep)[0] == os.pardir:
        raise ValueError(f"{artifact_path!r} leads out of the run's artifacts")
    into = os.path.normpath(os.path.join(folder, ARTIFACTS, inside))
    name = os.path.basename(source)
    if not name:
        raise ValueError(f"{path!r} has no name")
    os.makedirs(into, exist_ok=True)
    target = os.path.join(into, name)
    half = os.path.join(folder, f".artifact-{os.getpid()}-{_thread.get_ident()}")
    try:
        if os.path.isdir(source):
            if os.path.commonpath([source, os.path.abspath(folder)]) == source:
                raise ValueError(f"{path!r} holds the run's own folder")
            shutil.copytree(source, half, ignore_dangling_symlinks=True)
        else:
            shutil.copy2(source, half)
        _put(half, target)
    finally:
        _remove(half)


def _put(half: str, target: str) -> None:
    """Rename, also where a folder is in the way; what was there is removed last, when it is not."""
    if not os.path.lexists(target) or not (os.path.isdir(half) or os.path.isdir(target)):
        os.replace(half, target)
    elif _swap(half, target):
        _remove(half)
    else:
        old = f"{half}-old"
        os.rename(target, old)
        try:
            os.rename(half, target)
        except OSError:
            os.rename(old, target)
            raise
        _remove(old)


def _swap(one: str, other: str) -> bool:
    """Have them trade names, at once; False where the system or the file system can't."""
    import ctypes  # 5 ms, where a folder is kept once more

    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE: renameat2(2)
    try:
        call = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError):  # of Linux only
        return False
    return bool(call(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)
