"""The one door to a project for every view: the command line today, a web page tomorrow."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listening import Ended, Listener
from mlpipeline.core.planning import Policy, Standing, explain
from mlpipeline.core.runs import Run
from mlpipeline.core.sessions import StopMode
from mlpipeline.errors import MlpipelineError, UnknownRun, short
from mlpipeline.execution.executors.base import Executor
from mlpipeline.execution.executors.local import LocalExecutor, is_running, read_end
from mlpipeline.execution.hosts import Hosts
from mlpipeline.execution.inspection import Inspector
from mlpipeline.execution.listing import Listing
from mlpipeline.scheduler import Scheduler
from mlpipeline.state import reports
from mlpipeline.state.config import Settings, read_settings
from mlpipeline.state.files import storage
from mlpipeline.state.history import DiskHistory, History, read_histories
from mlpipeline.state.ini import nearest
from mlpipeline.state.layout import LIST, TEST_LIST, Layout, RunFolder
from mlpipeline.state.lock import holder_of, scheduler_lock
from mlpipeline.state.reports import Reports
from mlpipeline.state.requests import LoseHost, Request, Stop, put
from mlpipeline.state.room import Room

if TYPE_CHECKING:
    from mlpipeline.doctor import Finding

PATIENCE = 10.0  # seconds that a scheduler has to take a request


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
    _set_umask(project.settings.shared)
    with storage(f"{layout.outputs} can't be made"):
        layout.outputs.mkdir(exist_ok=True)
    room = Room(layout.outputs, layout.ballast, project.settings.min_free_disk)
    with (
        scheduler_lock(layout.lock),
        closing(DiskHistory(layout, room)) as history,
        closing(LocalExecutor()) as executor,
        closing(
            _scheduler(
                project,
                layout=layout,
                history=history,
                executor=executor,
                listeners=[Reports(layout, log=log), screen],
                unattended=unattended,
                room=room,
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
    listed_now = _listing(project, LIST, patient=False).refresh()
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


def stop(project: Project, mode: StopMode) -> str:
    """Have this host's session end; returns what it was told.

    Raises MlpipelineError when there is none, or it does not listen.
    """
    pid = _ask(project, Stop(mode))
    if not pid:
        raise MlpipelineError("no mlpipeline -r works on this project on this host")
    what = {
        StopMode.GRACEFUL: f"runs are asked to stop and get {project.settings.grace:g} s for it",
        StopMode.NOW: "runs are killed",
        StopMode.AFTER_CURRENT: "what runs runs to its end, and nothing more is started",
        StopMode.DETACH: "runs go on without it",
    }
    return f"pid {pid} ends: {what[mode]}"


def lose_host(project: Project, host: str) -> str:
    """Take ``host`` for lost; returns what was done.

    Raises MlpipelineError for this host, and for one that has no runs.
    """
    layout = project.layout
    pid = _ask(project, LoseHost(host))
    if pid:
        return f"pid {pid} is told; it says in {short(layout.log)} what it does"
    with scheduler_lock(layout.lock), closing(DiskHistory(layout)) as history:
        return Hosts(layout, history, timeout=0, now=lambda: datetime.now().astimezone()).lose(host)


def _ask(project: Project, request: Request) -> str:
    """The pid of this host's scheduler, which has taken ``request``; empty when there is none."""
    layout = project.layout
    pid = holder_of(layout.lock) if layout.outputs.is_dir() else ""
    if not pid:
        return ""
    path = put(layout, request)
    deadline = time.monotonic() + PATIENCE
    while path.exists():
        if time.monotonic() > deadline:
            path.unlink(missing_ok=True)
            raise MlpipelineError(f"pid {pid} does not answer; is it an older mlpipeline, or busy?")
        time.sleep(0.02)
    return pid


def check_up(project: Project) -> list[Finding]:
    """What there is to say of the project's health."""
    from mlpipeline import doctor  # what it needs is no use to any other view

    return doctor.check_up(project.settings, project.layout, datetime.now().astimezone())


def rebuild_output(project: Project) -> int:
    """Make output-<hostname> again from the history and the run folders; returns how many runs.

    Raises ProjectBusy while a scheduler writes it.
    """
    layout = project.layout
    with scheduler_lock(layout.lock):
        ledger, _ = read_histories(layout)
        runs = [run for run in ledger if run.host == layout.host and not run.active]
        return reports.rebuild_output(
            layout, (_ended(layout, run) for run in sorted(runs, key=_end))
        )


def _end(run: Run) -> datetime:
    return run.ended_at or run.started_at


def _ended(layout: Layout, run: Run) -> Ended:
    exit, report = read_end(layout.run_folder(run.id))
    return Ended(launched=None, run=run, exit=exit, report=report)


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
    room: Room | None = None,
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
        room=room,
        warnings=warnings,
    )


def _set_umask(shared: bool) -> None:
    """What is made from now on is as the user's umask says, and the group's only if ``shared``."""
    before = os.umask(0o077)
    os.umask(before & ~0o070 if shared else before | 0o022)


def _listing(project: Project, name: str, *, patient: bool = True) -> Listing:
    layout = project.layout
    inspector = Inspector(layout.models_dir, layout.project, project.settings.inspect_timeout)
    return Listing(layout.project / name, layout.models_dir, inspector, patient=patient)


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
