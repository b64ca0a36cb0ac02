"""What the jobs of a sweep came to, as Hydra's sweepers want to have it."""

from __future__ import annotations

import copy
import logging
import pickle
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import CompactHydraException
from omegaconf import DictConfig, OmegaConf, open_dict

from mlpipeline.api.composing import FastLoader
from mlpipeline.core.returned import unpacked
from mlpipeline.core.run_files import RETURNED
from mlpipeline.errors import short
from mlpipeline.service.following import Settled
from mlpipeline.service.project import Project
from mlpipeline.service.sweep_files import SweptJob

log = logging.getLogger(__name__)


class JobFailed(CompactHydraException):
    """A job has not run well, and left no exception of its own."""


class Returned(JobReturn):
    """What became of a job; its configs are composed when somebody asks for them."""

    def __init__(self, configs: Callable[[], tuple[DictConfig, DictConfig]], **fields: Any):
        """``configs``: gives the task's config and Hydra's own. ``fields``: of JobReturn."""
        self._configs: tuple[Any, Any] | None = None
        self._compose = configs
        super().__init__(**fields)

    @property
    def cfg(self) -> Any:
        """The config that the task had."""
        return self._both()[0]

    @cfg.setter
    def cfg(self, value: Any) -> None:
        self._set(0, value)

    @property
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
        if self.status is JobStatus.FAILED:
            sys.stderr.write(f"Error executing job with overrides: {self.overrides}\n")
            run_job(self._return_value)
        return self._return_value

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


def run_job(value: Any) -> None:
    """Raise it, by the name of what Hydra cuts tracebacks at: what is shown is the task's own."""
    raise value


def with_traceback(error: Exception, frames: Sequence[tuple[str, int, str]]) -> Exception:
    """``error`` as if it came from ``frames``: the file, the line and the function of each."""
    made = None
    for file, line, function in reversed(frames):
        code = compile("raise RuntimeError", file, "exec").replace(
            co_name=function, co_qualname=function
        )
        try:
            exec(code, {})
        except RuntimeError as raised:
            at = raised.__traceback__
            assert at is not None
            assert at.tb_next is not None
            made = TracebackType(made, at.tb_next.tb_frame, -1, line)
    return error.with_traceback(made)


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
        value, lost = (kept["value"], "") if "value" in kept else unpacked(kept)
        if end.is_done:
            if lost:
                log.warning(f"\t#{job.number}: {lost}")
            if not kept or (lost and value is None):
                value = end.run.results.get("returned") if end.run else None
            return self._returned(job, kept, JobStatus.COMPLETED, value)
        if not isinstance(value, Exception) or "traceback" not in kept:
            value = JobFailed(self._why(job, end))
        return self._returned(
            job, kept, JobStatus.FAILED, with_traceback(value, kept.get("frames", ()))
        )

    def _kept(self, end: Settled) -> dict[str, Any]:
        """What the job itself has put down at its end."""
        if end.run is None:
            return {}
        path = self._project.layout.run_folder(end.run.id).path / RETURNED
        try:
            kept: dict[str, Any] = pickle.loads(path.read_bytes())
        except Exception:  # it never came so far, or an earlier version has put it down
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
        hydra: Any = copy.deepcopy(instance.cfg)
        instance.cfg = before
        task = copy.deepcopy(config)
        OmegaConf.set_readonly(task, False)
        with open_dict(task):
            del task["hydra"]
        return task, hydra
