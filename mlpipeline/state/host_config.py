"""What mlp.config says of the host: runs at a time, and what they may ask for."""

from __future__ import annotations

import re

from mlpipeline.errors import ConfigError
from mlpipeline.state.ini import MAIN, IniFile
from mlpipeline.state.machine import cpu_count

AUTO = "auto"
GPU = re.compile(r"[0-9]+|(GPU|MIG)-[0-9A-Za-z/-]+")  # as CUDA_VISIBLE_DEVICES names one


def parallel(ini: IniFile, default: int) -> int:
    """Runs at a time; ``auto``: one for each CPU that this process may use; raises ConfigError."""
    text = ini.options(MAIN).get("parallel", str(default)) or ""
    if text.lower() == AUTO:
        return cpu_count()
    if not re.fullmatch(r"0*[1-9][0-9]*", text):
        raise ConfigError(
            ini.path,
            f"parallel is {text!r}, neither {AUTO} nor a whole number of at least 1",
            line=ini.line_of(MAIN, "parallel"),
            remedy=f"the default is parallel = {default}",
        )
    return int(text)


def counted(ini: IniFile, option: str) -> float | None:
    """How much there is of what runs may ask for; None: the machine tells; raises ConfigError."""
    text = ini.options(MAIN).get(option, AUTO)
    if (text or "").lower() == AUTO:
        return None
    try:
        value = float(text or "")
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigError(
            ini.path,
            f"{option} is {text or ''!r}, neither {AUTO} nor a number above 0",
            line=ini.line_of(MAIN, option),
            remedy=f"the default is {option} = {AUTO}",
        )
    return value


def gpus(ini: IniFile) -> tuple[str, ...] | None:
    """The GPUs that runs may use, in their order; None: all that there are; raises ConfigError."""
    text = ini.options(MAIN).get("gpus", AUTO) or ""
    if text.lower() in (AUTO, "none"):
        return None if text.lower() == AUTO else ()
    names = tuple(name.strip() for name in text.split(","))
    if len(set(names)) < len(names) or not all(GPU.fullmatch(name) for name in names):
        raise ConfigError(
            ini.path,
            f"gpus is {text!r}, neither {AUTO}, none nor a list of different GPUs",
            line=ini.line_of(MAIN, "gpus"),
            remedy="name them by numbers or UUIDs, as nvidia-smi -L has them: gpus = 0, 1",
        )
    return names
