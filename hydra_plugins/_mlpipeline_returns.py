"""What the jobs of a sweep came to, as Hydra's sweepers want to have it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf, open_dict

from mlpipeline.api.composing import FastLoader
from mlpipeline.core.run_files import RETURNED
from mlpipeline.errors import short
from mlpipeline.service.following import Settled
from mlpipeline.service.project import Project
from mlpipeline.service.sweep_files import SweptJob


class JobFailed(Exception):
    """A job has not run well, and left no exception of its own."""


class InItsRun(Exception):
    """The traceback of an exception in a job's own process, as the cause of it here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


InItsRun.__module__ = "builtins"  # a traceback shows it by its name alone


class Returned(JobReturn):
    """What became of a job; its configs are composed when somebody asks for them."""

    def __init__(self, configs: Callable[[], tuple[DictConfig, DictConfig]], **fields: Any):
        """``configs``: gives the task's config and Hydra's own. ``fields``: of JobReturn."""
        self._configs: tuple[Any, Any] | None = None
        self._compose = configs
        super().__init__(**fields)

    @property  # type: ignore[override]
    def cfg(self) -> Any:
        """The config that the task had."""
        return self._both()[0]

    @cfg.setter
    def cfg(self, value: Any) -> None:
        self._set(0, value)

    @property  # type: ignore[override]
    def hydra_cfg(self) -> Any:
        """Hydra's own config of the job."""
        return self._both()[1]

    @hydra_cfg.setter
    def hydra_cfg(self, value: Any) -> None:
        self._set(1, value)

    @property
    def return_value(self) -> Any:
        """What the task returned; raises what it raised. None of a job that is not followed."""
        if self.status is JobStatus.UNKNOWN:
            return None
        return run_job(lambda: JobReturn.return_value.fget(self))  # type: ignore[attr-defined]

    @return_value.setter
    def return_value(self, value: Any) -> None:
        self._return_value = value

    def _both(self) -> tuple[Any, Any]:
        if self._configs is None:
            self._configs = self._compose()
        return self._configs

    def _set(self, place: int, value: Any) -> None:
        if value is not None:
            both = list(self._both())
            both[place] = value
            self._configs = both[0], both[1]


def run_job(get: Callable[[], Any]) -> Any:
    """``get()``, by the name of what Hydra cuts tracebacks at, so that none of it is shown."""
    return get()


class Returns:
    """Makes them."""

    def __init__(self, project: Project, loader: FastLoader, config: DictConfig):
        self._project = project
        self._loader = loader
        self._config = config

    def unknown(self, job: SweptJob) -> JobReturn:
        """Of a job that nobody follows."""
        return self._returned(job, {}, JobStatus.UNKNOWN, None)

    def of(self, job: SweptJob, end: Settled) -> JobReturn:
        """Of a job that has come to its end."""
        kept = self._kept(end)
        if end.is_done:
            value = kept.get("value", end.run.results.get("returned") if end.run else None)
            return self._returned(job, kept, JobStatus.COMPLETED, value)
        error = kept.get("value")
        if not isinstance(error, Exception) or "traceback" not in kept:
            error = JobFailed(self._why(job, end))
        else:
            error.__cause__ = InItsRun(kept["traceback"])
        return self._returned(job, kept, JobStatus.FAILED, error)

    def _kept(self, end: Settled) -> dict[str, Any]:
        """What the job itself has put down at its end."""
        if end.run is None:
            return {}
        path = self._project.layout.run_folder(end.run.id).path / RETURNED
        try:
            kept: dict[str, Any] = pickle.loads(path.read_bytes())
        except Exception:  # it never came so far, or what it returned can't be read here
            return {}
        return kept

    def _why(self, job: SweptJob, end: Settled) -> str:
        if end.run is None:
            return f"job #{job.number} ({job.name}): {end}"
        said = str(end)
        console = self._project.layout.run_folder(end.run.id).console
        return f"job #{job.number} ({end.run.id}): {said}; what it printed is in {short(console)}"

    def _returned(
        self, job: SweptJob, kept: dict[str, Any], status: JobStatus, value: Any
    ) -> JobReturn:
        def configs() -> tuple[DictConfig, DictConfig]:
            return self._composed(job, kept.get("output_dir", job.dir))

        returned = Returned(
            configs,
            overrides=[each for each in job.overrides if not each.startswith("hydra.")],
            working_dir=kept.get("working_dir"),
            task_name=str(self._config.hydra.job.name),
            status=status,
        )
        returned._return_value = value
        return returned

    def _composed(self, job: SweptJob, output_dir: str) -> tuple[DictConfig, DictConfig]:
        """As run_job leaves them."""
        config = self._loader.load_sweep_config(self._config, list(job.overrides))
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = job.number
            config.hydra.runtime.output_dir = output_dir
        instance = HydraConfig.instance()
        before = instance.cfg
        instance.set_config(config)
        hydra = copy.deepcopy(instance.cfg)
        instance.cfg = before
        task = copy.deepcopy(config)
        OmegaConf.set_readonly(task, False)
        with open_dict(task):
            del task["hydra"]
        assert hydra is not None
        return task, hydra
