"""Versions from Hydra's configs: one for each job of a sweep, and what a run has of it.

Imported where a script calls ``Versions.from_hydra``, since Hydra takes its time.
"""

from __future__ import annotations

import os

from mlpipeline.api import listed, sweeps
from mlpipeline.api.composing import FastLoader
from mlpipeline.api.hydra_adapter import (
    DictConfig,
    HydraConfig,
    HydraProblem,
    OmegaConf,
    Override,
    OverridesParser,
    RunMode,
    axes,
    begin_app,
    open_dict,
    read_write,
    readable,
)
from mlpipeline.api.hydra_records import save_records
from mlpipeline.api.versions import modern

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from mlpipeline.api.versions import Version

AFTER = "after"  # the parameter that names the versions which come before one
# Parameters of ours that are numbers: a text for one is where in the config the number stands.
NUMBERS = frozenset(
    (
        *("batch_size", "epoc_count", "epoch_count", "learning_rate", "order"),
        *("timeout", "console_limit", "cpus", "memory", "gpus"),
    )
)
OURS = NUMBERS | {"name", "dataloader", "model_dir_suffix", "hooks", AFTER}
MOST_SHOWN = 20  # keys in a complaint


class Job:
    """One job of a sweep: its overrides, and its config when that is asked for."""

    def __init__(self, sweep: Sweep, overrides: sweeps.Job, from_config: dict[str, str]):
        """``from_config``: where in the config parameters stand, by their names."""
        self._sweep = sweep
        self.overrides = overrides
        self._from_config = from_config
        self._is_filled = False
        self._cfg: DictConfig | None = None

    @property
    def cfg(self) -> DictConfig:
        """The composed config, without Hydra's own part; raises HydraProblem."""
        if self._cfg is None:
            whole = self._sweep.config(self.overrides)
            if not HydraConfig.initialized():  # ${hydra:…} means the job that was asked for first
                HydraConfig.instance().set_config(whole)
            self._cfg = _task_part(whole)
        return self._cfg

    def parameters(self) -> dict[str, Any]:
        """The values of the config by their dotted keys, and the standard parameters among them.

        Raises HydraProblem.
        """
        self._is_filled = True
        container = self._sweep.container(self.overrides)
        own = dict(_flat(container))
        for parameter, key in self._from_config.items():
            own[parameter] = _value_at(self, container, parameter, key)
        return own

    def leave_out(self, version: Version) -> None:
        """Take from its version what :meth:`fill` is to put there."""
        if not self._is_filled:
            for key in modern(self._from_config):
                version.pop(key, None)

    def fill(self, version: Version) -> bool:
        """Give its version the parameters, unless it has them; whether it got them now."""
        if self._is_filled:
            return False
        version.update(modern(self.parameters()))
        return True

    def begin(self, folder: str) -> None:
        """Have ``cfg`` and HydraConfig be as in a task function of @hydra.main, whose output folder
        is ``folder``; write what that saves there.

        Raises HydraProblem, OSError.
        """
        with readable():
            whole = self._sweep.config(self.overrides)
            _run_in(whole, folder)
            self._cfg = _task_part(whole)
            os.environ.update({k: str(v) for k, v in whole.hydra.job.env_set.items()})
        save_records(whole, self._cfg)  # a full disk is not Hydra's problem


class Sweep:
    """The jobs of one call of ``from_hydra``. Raises HydraProblem for what Hydra can't use."""

    def __init__(
        self, config_dir: str, config_name: str, overrides: Sequence[str], task: str, base: Any
    ):
        """``task``: what Hydra calls the app; ``base``: as ``version_base`` of @hydra.main."""
        listed.now.note_files(config_dir)  # an edit may mend what is wrong with them
        with readable():
            loader = begin_app(task, config_dir, base)
            own = OverridesParser.create().parse_overrides(list(overrides))
            self._loader = FastLoader(loader)
            self._name = config_name
            added = listed.now.overrides(lambda: self._compose(own)[2])
            parsed = OverridesParser.create().parse_overrides(added)
            self._master, self._axes, self.names = self._compose([*own, *parsed])
        listed.now.largest = max(listed.now.largest, len(self.names))
        self.jobs = sweeps.jobs(self._axes)

    def _compose(
        self, overrides: Sequence[Override]
    ) -> tuple[DictConfig, list[list[str]], list[str]]:
        """The config that all jobs have in common, the axes, and the names of the jobs."""
        hydra = [_text(each) for each in overrides if each.is_hydra_override()]
        task = [_text(each) for each in overrides if not each.is_hydra_override()]
        axes(hydra)  # which nobody may sweep over
        master = self._loader.load_configuration(self._name, hydra, RunMode.MULTIRUN)
        for source in master.hydra.runtime.config_sources:
            if source.schema == "file":
                listed.now.note_files(source.path)
        found = axes(task, self._loader, listed.now.most)
        kept = master.hydra.job.config.override_dirname
        names = sweeps.override_dirnames(
            found,
            item_sep=kept.item_sep,
            kv_sep=kept.kv_sep,
            exclude_keys=list(kept.exclude_keys),
        )
        return master, found, names

    def config(self, job: sweeps.Job) -> DictConfig:
        """The whole config of a job, a new one each time; raises HydraProblem."""
        with readable():
            return self._loader.load_sweep_config(self._master, list(job))

    def container(self, job: sweeps.Job) -> dict[Any, Any]:
        """Its task's part as plain data, unresolved; not to be changed. Raises HydraProblem."""
        with readable():
            plain: dict[Any, Any] = self._loader.load_container(self._master, job)
        return plain


def parameters_of(
    sweep: Sweep, given: dict[str, Any], chain: str | None
) -> Iterator[tuple[str, Job, dict[str, Any]]]:
    """For each job its name, itself and its own parameters; ``given`` are those of all.

    In a run, the jobs of others have theirs when they are asked for. Raises HydraProblem, and
    NoStages for a chain of what no job has.
    """
    from_config = {k: v for k, v in given.items() if k in NUMBERS and _is_key(v)}
    befores = sweeps.chained(sweep.jobs, sweep.names, chain) if chain else ()
    wanted = listed.now.wanted
    for i, (overrides, name) in enumerate(zip(sweep.jobs, sweep.names, strict=True)):
        job = Job(sweep, overrides, from_config)
        own = job.parameters() if wanted in ("", name) else {}
        if chain:
            own[AFTER] = befores[i]
        yield name, job, own


def _text(override: Override) -> str:
    return override.input_line or ""


def _is_key(value: Any) -> bool:
    return isinstance(value, str) and value != "none"


def _flat(container: dict[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a config by their dotted keys; what is a word of ours, below ``cfg``."""
    for key, value in container.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        elif prefix or key not in OURS:
            yield f"{prefix}{key}", value
        else:
            yield f"cfg.{key}", value


def _value_at(job: Job, container: dict[Any, Any], parameter: str, key: str) -> Any:
    """What the config has at a dotted key, resolved; raises HydraProblem."""
    value: Any = container
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None or isinstance(value, str):  # an interpolation, or below one, or nothing
        with readable():
            value = OmegaConf.select(job.cfg, key, throw_on_missing=True)
    if value is None:
        keys = list(dict(_flat(container)))
        known = f"{', '.join(keys[:MOST_SHOWN])}{' …' if len(keys) > MOST_SHOWN else ''}"
        raise HydraProblem(f"{parameter}: the config has no value at {key}; it has: {known}")
    return value


def _task_part(whole: DictConfig) -> DictConfig:
    """A config without Hydra's own part, as a task function gets it."""
    part = whole.copy()
    with read_write(part), open_dict(part):
        del part["hydra"]
    return part


def _run_in(whole: DictConfig, folder: str) -> None:
    """What hydra.core.utils.run_job makes of a config for a single run in ``folder``."""
    said = [f"hydra.run.dir={listed.quoted(folder)}", "hydra.mode=RUN"]
    whole.hydra.run.dir = folder
    whole.hydra.mode = RunMode.RUN
    whole.hydra.overrides.hydra = [*whole.hydra.overrides.hydra, *said]
    HydraConfig.instance().set_config(whole)
    with read_write(whole.hydra.runtime), open_dict(whole.hydra.runtime):
        whole.hydra.runtime.output_dir = os.path.abspath(folder)
    HydraConfig.instance().set_config(whole)


def where_is(config_dir: str, script: str) -> str:
    """The folder of configs that a script means, from where it lies itself."""
    if "://" in config_dir:
        return config_dir
    return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(script)), config_dir))
