"""The composed configs of a sweep's jobs, on their way from the launcher to the runs.

Jobs that differ in values only share one file, with the config that these are set in. It is a
pickle, as Hydra's own launchers send configs to other processes, and trusted as far as the scripts
of the project are. Each job's config has a digest, by which the run knows that it is the right one.
"""

from __future__ import annotations

import pickle
from collections import Counter
from hashlib import sha256

from mlpipeline.api.composing import set_values, task_container
from mlpipeline.api.hydra_adapter import FALLING_BACK, JobRuntime, OmegaConf, OverridesParser

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from mlpipeline.api.composing import Base, FastLoader
    from mlpipeline.api.hydra_adapter import DictConfig

DIGITS = 16  # hex digits that name a file
CONFIG_DIGITS = 12  # hex digits that stand for a config


class Handovers:
    """What is handed over for the jobs of one sweep: ``files`` has it, by name."""

    def __init__(self, loader: FastLoader, master: DictConfig, said: Sequence[str]):
        """``said``: the overrides of Hydra's own that all jobs are run with."""
        self._loader = loader
        self._master = master
        self._hydra = list(said)
        self._named: dict[int, tuple[Base, str]] = {}  # by the id of the base, which is kept
        self.files: dict[str, bytes] = {}

    def add(self, overrides: Sequence[str]) -> tuple[str, str]:
        """The digest of a job's config, and the file that it is made of.

        The latter is empty where there can be none; raises what Hydra raises for a config that
        can't be composed.
        """
        container = self._loader.load_container(self._master, list(overrides))
        return config_digest(container), self._file(overrides)

    def _file(self, overrides: Sequence[str]) -> str:
        try:
            base, values = self._loader.base(self._master, overrides)
        except FALLING_BACK:
            whole = self._loader.load_sweep_config(self._master, list(overrides))
            return self._put(whole, overrides)
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
    path: str, overrides: Sequence[str], digest: str
) -> tuple[DictConfig, str] | None:
    """The config of a job, and the name of its app.

    None where the file is gone, or what comes of it is not what ``digest`` stands for: then the
    overrides have been edited, say.
    """
    try:
        with open(path, "rb") as file:
            content = pickle.load(file)
        rest: Counter[str | None] = Counter(overrides)
        rest.subtract(content["lines"])
        if min(rest.values(), default=0) < 0:
            return None
        config: DictConfig = content["config"]
        if any(rest.values()):
            parsed = OverridesParser.create().parse_overrides(list(overrides))
            set_values(config, [each for each in parsed if rest[each.input_line]], parsed)
        if config_digest(task_container(config)) != digest:
            return None
        return config, content["task"]
    except Exception:  # cut short, or of another version of something: the app composes it
        return None


def config_digest(container: Any) -> str:
    """Hex digits that stand for a task's config, unresolved and in whatever order."""
    return sha256(_canonical(container).encode("utf-8", "replace")).hexdigest()[:CONFIG_DIGITS]


def _canonical(value: Any) -> str:
    if isinstance(value, dict):
        items = sorted(f"{key!r}:{_canonical(item)}" for key, item in value.items())
        return f"{{{','.join(items)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_canonical, value))}]"
    return repr(value)
