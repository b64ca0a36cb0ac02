"""What ``hydra.launcher`` says, and how many jobs there would be, looked at before all else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from mlpipeline.api.hydra_adapter import ConfigLoader, HydraProblem, count_of_jobs
from mlpipeline.errors import MlpipelineError
from mlpipeline.service import sweeps

BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def check(settings: Mapping[str, Any]) -> None:
    """Raise MlpipelineError for what can't be meant."""
    priority = settings.get("priority")
    if priority is not None and not isinstance(priority, int):
        raise MlpipelineError(
            f"hydra.launcher.priority={priority}: it must be a whole number, such as 5 or -1"
        )
    rerun = settings.get("rerun", sweeps.RERUNS[0])
    if rerun not in sweeps.RERUNS:
        raise MlpipelineError(
            f"hydra.launcher.rerun={rerun}: it must be one of {', '.join(sweeps.RERUNS)}"
        )
    parallel = settings.get("parallel")
    if parallel not in (None, "auto") and not (isinstance(parallel, int) and parallel > 0):
        raise MlpipelineError(
            f"hydra.launcher.parallel={parallel}: it must be a number of jobs, or auto"
        )
    name = settings.get("name")
    if name is not None and not NAME.fullmatch(str(name)):
        raise MlpipelineError(
            f"hydra.launcher.name={name}: it may have letters, digits and . _ - in it, and begins "
            "with one of the former two"
        )


def is_basic(config: DictConfig) -> bool:
    """Whether the sweep is expanded by Hydra's own sweeper, which asks for no result."""
    sweeper = config.hydra.sweeper
    return sweeper is not None and sweeper.get("_target_") == BASIC


def check_count(settings: Mapping[str, Any], config: DictConfig, loader: ConfigLoader) -> None:
    """Raise MlpipelineError for a sweep with too many jobs, before Hydra's sweeper expands it.

    Other sweepers choose their jobs in ways of their own.
    """
    if not is_basic(config):
        return
    params = config.hydra.sweeper.get("params") or {}
    said = [f"{key}={value}" for key, value in params.items()]
    with suppress(HydraProblem):  # Hydra says what is wrong
        count = count_of_jobs([*said, *map(str, config.hydra.overrides.task)], loader)
        sweeps.check_count(sweeps.nearest(Path.cwd(), settings.get("project")), count)


def missing_modules(settings: Mapping[str, Any]) -> list[str]:
    """What of ``preload`` is not there, as far as can be told without importing anything."""
    return [name for name in map(str, settings.get("preload") or ()) if not _is_there(name)]


def _is_there(name: str) -> bool:
    try:
        return find_spec(name.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False
