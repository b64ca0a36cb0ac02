"""The composed configs of a sweep's jobs, on their way from the launcher to the runs.

Jobs that differ in values only share one file, with the config that these are set in. It is a
pickle, as Hydra's own launchers send configs to other processes, and trusted as far as the scripts
of the project are.
"""

from __future__ import annotations

import pickle
from hashlib import sha256

from mlpipeline.api.composing import set_values
from mlpipeline.api.hydra_adapter import FALLING_BACK, JobRuntime, OmegaConf, OverridesParser

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from mlpipeline.api.composing import FastLoader
    from mlpipeline.api.hydra_adapter import DictConfig

DIGITS = 16  # hex digits that name a file


class Handovers:
    """What is handed over for the jobs of one sweep."""

    def __init__(self, loader: FastLoader, master: DictConfig):
        self._loader = loader
        self._master = master
        self._hydra = [str(each) for each in master.hydra.overrides.hydra]
        self._named: dict[int, tuple[Any, str]] = {}  # by the id of a base, which is kept
        self.files: dict[str, bytes] = {}  # by name

    def name_of(self, overrides: Sequence[str]) -> str:
        """The name of the file for a job; empty where its config can't be put into one."""
        try:
            base, values = self._loader.base(self._master, overrides)
        except FALLING_BACK:
            return self._put(self._loader.load_sweep_config(self._master, list(overrides)), overrides)
        known = self._named.get(id(base))
        if known is None:
            lines = [each for each in overrides if each not in values]
            known = self._named[id(base)] = base, self._put(base.copy(), lines)
        return known[1]

    def _put(self, config: DictConfig, lines: Sequence[str]) -> str:
        OmegaConf.copy_cache(from_config=self._master, to_config=config)
        content = {
            "config": config,
            "lines": [*self._hydra, *lines],
            "task": str(JobRuntime.instance().get("name")),
        }
        try:
            pickled = pickle.dumps(content, pickle.HIGHEST_PROTOCOL)
        except Exception:  # a class that is defined in a function, say
            return ""
        name = sha256(pickled).hexdigest()[:DIGITS]
        self.files[name] = pickled
        return name


def load_handover(
    path: str, overrides: Sequence[str], values: Sequence[str]
) -> tuple[DictConfig, str] | None:
    """The config of a job, and the name of its app; None where the file is gone or is for others.

    ``overrides``: all of the job; ``values``: those that the config in the file does not have yet.
    """
    try:
        with open(path, "rb") as file:
            content = pickle.load(file)
        if sorted([*content["lines"], *values]) != sorted(overrides):
            return None
        config: DictConfig = content["config"]
        if values:
            parsed = OverridesParser.create().parse_overrides(list(overrides))
            chosen = set(values)
            set_values(config, [each for each in parsed if each.input_line in chosen], parsed)
        return config, content["task"]
    except Exception:  # cut short, or pickled by other versions of things: the app composes it
        return None
