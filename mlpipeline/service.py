"""The one door to a project for every view: the command line today, a web page tomorrow."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listening import Listener
from mlpipeline.core.planning import Policy, Standing, explain
from mlpipeline.core.runs import Run
from mlpipeline.errors import MlpipelineError, UnknownRun
from mlpipeline.execution.executors.base import Executor
from mlpipeline.execution.executors.local import LocalExecutor, is_running
from mlpipeline.execution.inspection import Inspector
from mlpipeline.execution.listing import Listing
from mlpipeline.scheduler import Scheduler
from mlpipeline.state.config import Settings, read_settings
from mlpipeline.state.files import storage
from mlpipeline.state.history import DiskHistory, History, read_histories
from mlpipeline.state.ini import nearest
from mlpipeline.state.layout import LIST, TEST_LIST, Layout, RunFolder
from mlpipeline.state.lock import scheduler_lock
from mlpipeline.state.reports import Reports


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """An opened project."""

    settings: Settings
    layout: Layout


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything stands."""

    standings: tuple[Standing, ...]  # of the listed versions, in the order of the queue
    past: tuple[Run, ...]  # newest runs of versions that are not listed (any more)
    warnings: tuple[str, ...]
    problems: tuple[str, ...]  # that keep the list from being used: then all runs are past ones


def open_project(folder: Path) -> Project:
    """The project in ``folder``; raises ConfigError when mlp.config is missing or wrong."""
    if not folder.is_dir():
        raise MlpipelineError(f"{folder} is not a folder; name the one that holds mlp.config")
    project = folder.absolute()
    settings = read_settings(project)
    return Project(settings=settings, layout=Layout.of(project, settings.models_dir))


@contextmanager
def execution(
    project: Project, screen: Listener, *, unattended: bool, log: bool
) -> Iterator[Scheduler]:
    """A session in execution mode.

    Raises ProjectBusy when there is one on this host already, StorageError when the outputs can't
    be written.
    """
    layout = project.layout
    with storage(f"{layout.outputs} can't be made"):
        layout.outputs.mkdir(exist_ok=True)
    with (
        scheduler_lock(layout.lock),
        closing(DiskHistory(layout)) as history,
        closing(LocalExecutor()) as executor,
        closing(
            _scheduler(
                project,
                layout=layout,
                history=history,
                executor=executor,
                listeners=[Reports(layout, log=log), screen],
                unattended=unattended,
                warnings=[*project.settings.warnings, *history.warnings],
            )
        ) as scheduler,
    ):
        yield scheduler


@contextmanager
def rehearsal(project: Project, screen: Listener) -> Iterator[Scheduler]:
    """A session in test mode: its outputs lie in a temporary folder and go with it."""
    with (
        tempfile.TemporaryDirectory(
            prefix="mlpipeline-test-", ignore_cleanup_errors=True
        ) as folder,
        closing(LocalExecutor()) as executor,
        closing(
            _scheduler(
                project,
                layout=msgspec.structs.replace(project.layout, outputs=Path(folder)),
                history=History(project.layout.host),
                executor=executor,
                listeners=[screen],
                test=True,
                warnings=project.settings.warnings,
            )
        ) as scheduler,
    ):
        yield scheduler


def status(project: Project) -> Status:
    """What is queued, what ran, and why the rest does not run."""
    layout, settings = project.layout, project.settings
    listed_now = _listing(project, LIST).refresh()
    ledger, warnings = read_histories(layout)
    policy = _policy(project, session="", unattended=True)
    standings = explain(listed_now.models, ledger, policy, datetime.now().astimezone())
    listed = {(s.model.name, s.version.name) for s in standings if s.version}
    return Status(
        standings=tuple(_with_signs_of_life(project, standing) for standing in standings),
        past=tuple(_newest_runs(ledger, listed)),
        warnings=(*settings.warnings, *listed_now.warnings, *warnings),
        problems=listed_now.problems,
    )


def find_run(project: Project, name: str) -> tuple[Run, RunFolder]:
    """The run that ``name`` (``model/version#attempt``, or without ``#`` the newest) means.

    Raises UnknownRun, with the nearest names.
    """
    ledger, _ = read_histories(project.layout)
    runs = {str(run.id): run for run in sorted(ledger, key=lambda run: run.started_at)}
    newest = {f"{run.id.model}/{run.id.version}": run for run in runs.values()}
    run = runs.get(name) or newest.get(name)
    if run is None:
        hint = nearest(name, [*newest, *runs]) or "; `mlpipeline status` lists the runs"
        raise UnknownRun(f"no run is called {name}{hint}")
    return run, project.layout.run_folder(run.id)


def is_over(project: Project, run: Run) -> bool:
    """Whether ``run`` has ended by now, recorded or not.

    Of a run on another host, its folder tells; what was lost there, only the history.
    """
    folder = project.layout.run_folder(run.id)
    if not run.active or folder.exit.exists():
        return True
    if run.host == project.layout.host:
        return not is_running(str(folder.path))
    return not _now(project, run).active


def _with_signs_of_life(project: Project, standing: Standing) -> Standing:
    """Say so where history calls a run of this host running, and its processes are gone."""
    run = standing.last
    if run is None or not run.active or run.host != project.layout.host:
        return standing
    if is_running(str(project.layout.run_folder(run.id).path)):
        return standing
    reason = "has ended while no scheduler watched; `mlpipeline -r -u` records how, and goes on"
    return msgspec.structs.replace(standing, reason=reason)


def _now(project: Project, run: Run) -> Run:
    """``run`` as the history knows it by now."""
    ledger, _ = read_histories(project.layout)
    attempts = ledger.attempts(run.id.model, run.id.version)
    return next((each for each in attempts if each.id == run.id and each.host == run.host), run)


def _scheduler(
    project: Project,
    *,
    layout: Layout,
    history: History,
    executor: Executor,
    listeners: Sequence[Listener],
    warnings: Sequence[str],
    unattended: bool = False,
    test: bool = False,
) -> Scheduler:
    session = f"{datetime.now().astimezone():%Y%m%dT%H%M%S%z}-{os.getpid()}"
    return Scheduler(
        layout=layout,
        settings=project.settings,
        listing=_listing(project, TEST_LIST if test else LIST),
        history=history,
        executor=executor,
        listeners=listeners,
        policy=_policy(project, session=session, unattended=unattended, test=test),
        test=test,
        warnings=warnings,
    )


def _listing(project: Project, name: str) -> Listing:
    layout = project.layout
    inspector = Inspector(layout.models_dir, layout.project, project.settings.inspect_timeout)
    return Listing(layout.project / name, layout.models_dir, inspector)


def _policy(project: Project, *, session: str, unattended: bool, test: bool = False) -> Policy:
    """Test mode takes one run at a time: the first failure ends it."""
    settings = project.settings
    return Policy(
        session=session,
        host=project.layout.host,
        unattended=unattended,
        retries=0 if test else settings.retries,
        retry_on=settings.retry_on,
        retry_delay=timedelta(seconds=settings.retry_delay),
        slots=1 if test else settings.parallel,
    )


def _newest_runs(ledger: Ledger, listed: set[tuple[str, str]]) -> list[Run]:
    newest: dict[tuple[str, str], Run] = {}
    for run in ledger:
        key = run.id.model, run.id.version
        if key not in listed and (key not in newest or newest[key].started_at <= run.started_at):
            newest[key] = run
    return sorted(newest.values(), key=lambda run: run.started_at)
