"""What mlp.config says of how much is kept of what runs print."""

from __future__ import annotations

import re

from mlpipeline.api.keys import CONSOLE_LIMIT, NO_LIMIT
from mlpipeline.errors import ConfigError
from mlpipeline.state.ini import MAIN, IniFile

# What people write who think of another unit.
WITH_UNIT = re.compile(r"([0-9.]+) *([kMGT]?)i?B?", re.IGNORECASE)
IN_GB = {"": 1e-9, "k": 1e-6, "m": 1e-3, "g": 1.0, "t": 1e3}


def console_limit(ini: IniFile, default: float) -> float:
    """GB that are kept of a run's output; 0 where the option is ``none``; raises ConfigError."""
    options = ini.options(MAIN)
    if CONSOLE_LIMIT not in options:
        return default
    text = options[CONSOLE_LIMIT] or ""
    if text.lower() == NO_LIMIT:
        return 0.0
    value = _number(text)
    if not 0 < value < float("inf"):
        raise ConfigError(
            ini.path,
            f"{CONSOLE_LIMIT} is {text!r}, neither {NO_LIMIT} nor a number of GB above 0",
            line=ini.line_of(MAIN, CONSOLE_LIMIT),
            remedy=_remedy(text, default),
        )
    return value


def _remedy(text: str, default: float) -> str:
    """The same in GB, where that is clear."""
    found = WITH_UNIT.fullmatch(text)
    meant = _number(found[1]) * IN_GB[found[2].lower()] if found else 0.0
    if 0 < meant < float("inf"):
        return f"write {CONSOLE_LIMIT} = {meant:g}"
    return f"the default is {CONSOLE_LIMIT} = {default:g}; {NO_LIMIT} keeps all"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
