"""Where the configs of a Hydra app lie, read from its command and its text: it is not run."""

from __future__ import annotations

import os
import re

from mlpipeline.sources.python_programs import is_python, main_of

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Sequence

_FLAGS = re.compile(r"(--config-path|-cp|--config-dir|-cd)(?:=(.*))?", re.DOTALL)
_MAIN = re.compile(rb"@(?:\w+\.)*main\((?:[^()]|\([^()]*\))*?config_path\s*=\s*r?(['\"])(.*?)\1")


def config_folder(command: Sequence[str], cwd: str) -> str | None:
    """The folder of configs of the app that ``command`` runs in ``cwd``; None where it can't be
    told.
    """
    script = _script(command, cwd)
    words = iter(command)
    for word in words:
        flag = _FLAGS.fullmatch(word)
        if flag is None:
            continue
        said = flag[2] if flag[2] is not None else next(words, "")
        if flag[1] in ("--config-dir", "-cd"):
            return _folder(cwd, said)
        return _folder(os.path.dirname(script), said) if script else None
    if script is None:
        return None
    try:
        with open(script, "rb") as file:
            found = _MAIN.search(file.read())
    except OSError:
        return None
    return _folder(os.path.dirname(script), os.fsdecode(found[2])) if found else None


def _script(command: Sequence[str], cwd: str) -> str | None:
    """The file that Python runs."""
    script, module = main_of(command) if is_python(command[0]) else ("", "")
    if script:
        return os.path.join(cwd, script)
    base = os.path.join(cwd, *module.split(".")) if module else ""
    places = (f"{base}.py", os.path.join(base, "__main__.py")) if base else ()
    return next(filter(os.path.isfile, places), None)


def _folder(base: str, path: str) -> str | None:
    folder = os.path.normpath(os.path.join(base, path))
    return folder if "://" not in path and os.path.isdir(folder) else None
