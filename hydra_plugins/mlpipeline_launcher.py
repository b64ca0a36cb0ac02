"""``hydra/launcher=mlpipeline``: the jobs of a sweep go into mlpipeline's queue.

Every Hydra app imports this module when it looks for plugins, so it has no more than the settings.
What the launcher does is in ``_mlpipeline_sweeps.py``, which Hydra does not look at.

Annotations are no strings here: Hydra executes the module before Python knows it by its name, where
dataclasses would look for what the strings mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class MlpipelineLauncherConf:
    """What may be set as ``hydra.launcher.…``."""

    _target_: str = "hydra_plugins.mlpipeline_launcher.MlpipelineLauncher"
    # The folder with mlp.config; by default the nearest one at or above the working directory.
    project: Any = None
    # What the sweep is called, before the digest of its command line; by default as the app is.
    name: Any = None
    # Follow the jobs and return their results; false: list them, and leave it at that.
    wait: bool = True
    # What of this very sweep runs again although it is done: missing (nothing), changed (what ran
    # with a script that was edited since), or all.
    rerun: str = "missing"
    # Jobs that differ only in this key come one after the other: the stages of a chain.
    chain: Any = None
    # Whole number: before (above 0) or after (below 0) other models in the queue; by default as
    # the list has it.
    priority: Any = None
    # Jobs at a time, or auto: one a CPU; where the launcher starts a session of its own.
    parallel: Any = None
    # Modules that are imported once, before jobs are forked: torch, sklearn.
    preload: list[str] = field(default_factory=list)
    # Of each job: seconds that it may take; CPUs, GB and GPUs that it asks for.
    timeout: Any = None
    cpus: Any = None
    memory: Any = None
    gpus: Any = None


ConfigStore.instance().store(
    group="hydra/launcher", name="mlpipeline", node=MlpipelineLauncherConf, provider="mlpipeline"
)


class MlpipelineLauncher(Launcher):
    """Lists the jobs of a sweep as one model file, and follows them."""

    def __init__(self, **settings: Any):
        """``settings``: the fields of :class:`MlpipelineLauncherConf`, but for ``_target_``."""
        self._settings = settings
        self._sweeps: Any = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Get ready for the jobs of the sweep whose config is ``config``; see Launcher."""
        from hydra_plugins import _mlpipeline_sweeps  # not for apps that only have it installed

        self._sweeps = _mlpipeline_sweeps.Sweeps(
            self._settings, hydra_context, task_function, config
        )

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run a job for each of ``job_overrides``; see Launcher."""
        results: Sequence[JobReturn] = self._sweeps.launch(job_overrides, initial_job_idx)
        return results
