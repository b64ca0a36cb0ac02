"""The section of a list that says which models go before others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from mlpipeline.core.spelling import nearest
from mlpipeline.errors import ConfigError, short
from mlpipeline.state.ini import IniFile

PRIORITIES = "PRIORITIES"


def read_priorities(ini: IniFile) -> dict[str, int]:
    """The priority of each model that has one, by its path; raises ConfigError."""
    return {
        PurePosixPath(os.path.normpath(name)).as_posix(): _whole(ini, name, text)
        for name, text in ini.options(PRIORITIES).items()
    }


def unknown_models(ini: IniFile, models_dir: Path, known: Iterable[str]) -> Iterator[str]:
    """A warning for each name in the section that is no file, with the nearest of the ``known``.

    A model that is there and not listed may be listed again: its priority waits for that.
    """
    for name in ini.options(PRIORITIES):
        if not (models_dir / name).is_file():
            where = f"{short(ini.path)}:{ini.line_of(PRIORITIES, name)}"
            yield f"{where}: [{PRIORITIES}] names {name}, which is no model{nearest(name, known)}"


def _whole(ini: IniFile, name: str, text: str | None) -> int:
    try:
        return int(text or "")
    except ValueError:
        raise ConfigError(
            ini.path,
            f"the priority of {name} is {text or ''!r}, not a whole number",
            line=ini.line_of(PRIORITIES, name),
            remedy=f"write {name} = 10; higher ones start first, and 0 is what all others have",
        ) from None
