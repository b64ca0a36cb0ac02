"""Which files below models_dir are model files, or may be."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from mlpipeline.core.model_files import SCRIPT, SUFFIXES, is_command_file, model_name

HEAD = 1 << 16  # bytes of a YAML file in which its command stands
_COMMAND_KEY = re.compile(rb"""^(["']?)command\1[ \t]*:""", re.MULTILINE)
_STEPS_KEY = re.compile(rb"""^(["']?)steps\1[ \t]*:""", re.MULTILINE)
_COMPONENT = b"component"  # that each step has; others write steps, too
# By path: mtime (ns) and size, and whether the file has a command. A session looks once a second.
_looked: dict[str, tuple[tuple[int, int], bool]] = {}


class FilesBelow:
    """The scripts and command files below models_dir, looked for once, and only if asked for."""

    def __init__(self, models_dir: Path):
        self._models_dir = models_dir
        self._paths: list[str] | None = None

    def __call__(self) -> list[str]:
        """Their paths in models_dir, as :func:`files_below` has them."""
        if self._paths is None:
            self._paths = files_below(self._models_dir)
        return self._paths


def model_files(paths: Iterable[str]) -> list[str]:
    """Those of ``paths``, as :func:`files_below` has them, that are model files, in path order:
    what is not named ``_…`` or ``.…``, and of several with one model's name only the first kind.
    """
    return sorted(_by_name(paths).values())


def twins(paths: Iterable[str]) -> list[tuple[str, str]]:
    """What :func:`model_files` leaves out for its name, each with the one that has that name."""
    paths = list(paths)
    chosen = _by_name(paths)
    pairs = ((path, chosen.get(model_name(path), path)) for path in sorted(paths))
    return [(path, other) for path, other in pairs if path != other]


def _by_name(paths: Iterable[str]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for path in paths:
        if path[0] in "_." or "/_" in path or "/." in path or not is_text(path):
            continue
        other = chosen.setdefault(model_name(path), path)
        if _kind(path) < _kind(other):
            chosen[model_name(path)] = path
    return chosen


def _kind(path: str) -> int:
    return next(n for n, suffix in enumerate(SUFFIXES) if path.endswith(suffix))


def files_below(models_dir: Path) -> list[str]:
    """All ``.py`` files below ``models_dir``, helpers too, and the YAML files that have a command
    or steps, but none of those in outputs.
    """
    found: list[str] = []
    folders = [""]
    for prefix in folders:  # it grows meanwhile
        try:
            with os.scandir(f"{models_dir}/{prefix}") as entries:
                for entry in entries:
                    name = entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if prefix or name != "outputs":
                            folders.append(f"{prefix}{name}/")
                    elif name.endswith(SCRIPT):
                        if not entry.is_dir():
                            found.append(prefix + name)
                    elif is_command_file(name) and _has_command(entry):
                        found.append(prefix + name)
        except OSError:  # it is gone, or not for us
            continue
    return found


def is_text(path: str) -> bool:
    """Whether a path can stand in a list and in a record: a name may be any bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _has_command(entry: os.DirEntry[str]) -> bool:
    """Whether a YAML file has a ``command`` or ``steps`` of its own: others are somebody else's."""
    try:
        stat = entry.stat()
        stamp = stat.st_mtime_ns, stat.st_size
        known = _looked.get(entry.path)
        if known is None or known[0] != stamp:
            with open(entry.path, "rb") as file:
                known = stamp, _is_model(file.read(HEAD))
            _looked[entry.path] = known
    except OSError:  # a folder, gone, or not for us
        return False
    return known[1]


def _is_model(head: bytes) -> bool:
    """Whether a YAML file that begins so is a command or a pipeline of steps."""
    if _COMMAND_KEY.search(head):
        return True
    return _STEPS_KEY.search(head) is not None and _COMPONENT in head
