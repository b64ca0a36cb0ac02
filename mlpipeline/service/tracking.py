"""Sending to MLflow, now, what no session has sent."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from mlpipeline.core.runs import Run
from mlpipeline.core.tracking import Told
from mlpipeline.errors import ConfigError, MlpipelineError
from mlpipeline.execution.helper_process import HelperProcess
from mlpipeline.execution.tracking import Unsent, lacks
from mlpipeline.service.project import Project
from mlpipeline.state.history import read_histories
from mlpipeline.state.layout import CONFIG, RunFolder
from mlpipeline.state.lock import is_held
from mlpipeline.state.mlflow_config import Mlflow
from mlpipeline.state.tracked import read_sent

POLL_INTERVAL = 0.02  # seconds


class Tracked(msgspec.Struct, frozen=True, kw_only=True):
    """A run of which something was missing in MLflow."""

    run: str  # MODEL/VERSION#ATTEMPT
    state: str  # "sent", "missing", or "running": the rest follows when it has ended
    mlflow_run: str  # its id there; empty as long as there is none


class Tracking(msgspec.Struct, frozen=True, kw_only=True):
    """What `mlpipeline track --json` prints."""

    runs: tuple[Tracked, ...]
    problem: str = ""  # why something is missing
    left_out: tuple[str, ...] = ()  # what MLflow does not take
    busy: bool = False  # a session of this host sends them, so nothing was done here

    @property
    def is_missing(self) -> bool:
        """Whether a run that is over is not wholly there."""
        return any(each.state == "missing" for each in self.runs)


def track(project: Project, *, all_runs: bool = False) -> Tracking:
    """Send what is missing of this host's runs.

    With ``all_runs`` also of those that ran when nothing was to be sent, or was sent to another
    server. Raises ConfigError when mlp.config names no server, MlpipelineError when mlflow is not
    installed.
    """
    settings, layout = _settings(project), project.layout
    ledger, _ = read_histories(layout)
    found: dict[str, Run] = {}
    missing: list[Told] = []
    for run, told in zip(
        ledger, Unsent(settings, layout, ledger).among(ledger, all_runs=all_runs), strict=True
    ):
        if told is not None:
            missing.append(told)
            found[told.folder] = run
    warned: list[str] = []
    if not missing:
        return Tracking(runs=())
    if is_held(layout.tracker):
        return Tracking(runs=_runs(found, missing), busy=True)
    helper = HelperProcess(settings, layout, warned.append)
    try:
        helper.start()
        for told in missing:
            helper.tell(told)
        while not helper.finish():
            time.sleep(POLL_INTERVAL)
    finally:
        helper.kill()
    return Tracking(
        runs=_runs(found, list(helper.told.values())),
        problem=helper.state.problem,
        left_out=tuple(text for text in warned if helper.state.problem not in text),
    )


def _settings(project: Project) -> Mlflow:
    settings = project.settings.mlflow
    if settings is None:
        raise ConfigError(
            project.layout.project / CONFIG,
            "it names no tracking server",
            remedy="add a section [MLFLOW] with a tracking_uri = …",
        )
    if lack := lacks(settings):
        raise MlpipelineError(lack)
    return settings


def _runs(found: dict[str, Run], left: list[Told]) -> tuple[Tracked, ...]:
    """What has become of the runs ``found``, of which something is ``left``."""
    missing = {told.folder for told in left}
    return tuple(
        Tracked(
            run=str(run.id),
            state="sent" if folder not in missing else "running" if run.active else "missing",
            mlflow_run=_id(folder),
        )
        for folder, run in found.items()
    )


def _id(folder: str) -> str:
    sent = read_sent(RunFolder(Path(folder)))
    return sent.run if sent else ""
