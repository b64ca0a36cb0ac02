"""What a command runs of Python: which interpreter, and which file or module of whose."""

from __future__ import annotations

import os
import re
import sys

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PYTHON = re.compile(r"(python|pypy)[\d.]*t?")
_WITH_VALUE = "WX"  # options of Python's that a value follows
_LONG_WITH_VALUE = "--check-hash-based-pycs"


def is_python(name: str) -> bool:
    """Whether a command's first word is an interpreter of Python's, by its name."""
    return name == "{python}" or bool(_PYTHON.fullmatch(os.path.basename(name)))


def is_this_python(program: str) -> bool:
    """Whether it is what runs here: the same file, with the same packages beside it."""
    if not program:
        return False
    mine = sys.executable
    return os.path.realpath(program) == os.path.realpath(mine) and os.path.realpath(
        os.path.dirname(program)
    ) == os.path.realpath(os.path.dirname(mine))


def has_module(name: str) -> bool:
    """Whether this Python has the package of a module, or may have it: nothing is imported."""
    from importlib.util import find_spec  # costs each run 2 ms, and few need it

    try:
        return find_spec(name.partition(".")[0]) is not None
    except (ImportError, ValueError):  # it is odd, but something is there
        return True


def main_of(argv: Sequence[str]) -> tuple[str, str]:
    """The script, or else the module, that ``python …`` runs; both empty where it is neither."""
    words = iter(argv[1:])
    for word in words:
        if word == _LONG_WITH_VALUE:
            next(words, "")
        elif not word.startswith("-"):
            return word, ""
        elif word.startswith("--") or word == "-":
            return "", ""
        else:
            for at, flag in enumerate(word[1:], start=1):
                rest = word[at + 1 :]
                if flag == "c":
                    return "", ""
                if flag == "m":
                    return "", rest or next(words, "")
                if flag in _WITH_VALUE:
                    if not rest:
                        next(words, "")
                    break
    return "", ""


def python_path(env: Mapping[str, str]) -> list[str]:
    """Folders where Python looks for modules, besides those of its own."""
    path = env.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    return [folder for folder in path.split(os.pathsep) if folder]
