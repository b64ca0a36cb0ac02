"""Sessions of the scheduler: execution mode and test mode."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path

import msgspec

from mlpipeline.core.launch import Tracked
from mlpipeline.core.listening import Audience, Listener
from mlpipeline.execution.executors.base import Executor
from mlpipeline.execution.executors.local import LocalExecutor
from mlpipeline.execution.executors.warm import WarmStarter
from mlpipeline.execution.gpu_meter import GpuMeter
from mlpipeline.execution.hardware import Hardware, uncounted
from mlpipeline.execution.listing import Listing
from mlpipeline.execution.notifying import Notifier
from mlpipeline.scheduler import POLL, Scheduler
from mlpipeline.service.project import Project, listing, policy, set_umask
from mlpipeline.state.config import StartMode
from mlpipeline.state.files import storage
from mlpipeline.state.history import DiskHistory, History
from mlpipeline.state.layout import LIST, TEST_LIST, Layout
from mlpipeline.state.lock import scheduler_lock
from mlpipeline.state.reports import Reports
from mlpipeline.state.room import Room
from mlpipeline.state.session import Session, write_session

SELDOM = 5.0  # seconds between two looks of a daemon that is told of changes on this machine


@contextmanager
def execution(
    project: Project,
    screen: Listener,
    *,
    unattended: bool,
    log: bool,
    watch: bool = False,
    rehearse: bool = False,
    only: frozenset[str] = frozenset(),
) -> Iterator[Scheduler]:
    """A session in execution mode. With ``watch`` it stays when the queue is empty; with
    ``rehearse`` each version is run in test mode before its first real run; with ``only`` (names of
    models) it starts nothing else of what is listed.

    Raises ProjectBusy when there is one on this host already, StorageError when the outputs can't
    be written.
    """
    layout = project.layout
    set_umask(project.settings.shared)
    with storage(f"{layout.outputs} can't be made"):
        layout.outputs.mkdir(exist_ok=True)
    meter = GpuMeter()
    reports = Reports(layout, log=log, gpu_use=meter.use)  # before the meter forgets
    room = Room(layout.outputs, layout.ballast, project.settings.min_free_disk)
    with (
        scheduler_lock(layout.lock),
        closing(DiskHistory(layout, room)) as history,
        closing(listing(project, LIST, session=True)) as models,
    ):
        models.only = only
        warnings = [*project.settings.warnings, *history.warnings]
        with (
            closing(_executor(project, warnings)) as executor,
            _with_senders(project, history, [reports, meter, screen]) as (listeners, tracking),
            closing(
                _scheduler(
                    project,
                    layout=layout,
                    models=models,
                    history=history,
                    executor=executor,
                    listeners=listeners,
                    tracking=tracking,
                    unattended=unattended,
                    watch=watch,
                    rehearse=rehearse,
                    room=room,
                    warnings=warnings,
                )
            ) as scheduler,
            _news(layout, scheduler) if watch else nullcontext(),
        ):
            yield scheduler


@contextmanager
def _news(layout: Layout, scheduler: Scheduler) -> Iterator[None]:
    """Have the scheduler hear of changes on the disk, so that it need seldom look."""
    from mlpipeline.execution.filewatch import FileWatch  # for daemons only

    with storage(f"{layout.requests} can't be made"):
        layout.requests.mkdir(parents=True, exist_ok=True)
    with closing(FileWatch(layout, scheduler.look)) as news:
        scheduler.idle_pause = lambda: SELDOM if news.works else POLL
        yield


@contextmanager
def rehearsal(project: Project, screen: Listener) -> Iterator[Scheduler]:
    """A session in test mode: its outputs lie in a temporary folder and go with it."""
    mlflow = project.settings.mlflow
    warnings = list(project.settings.warnings)
    with (
        tempfile.TemporaryDirectory(
            prefix="mlpipeline-test-", ignore_cleanup_errors=True
        ) as folder,
        closing(listing(project, TEST_LIST, session=True)) as models,
        closing(_executor(project, warnings)) as executor,
        closing(
            _scheduler(
                project,
                layout=msgspec.structs.replace(project.layout, outputs=Path(folder)),
                models=models,
                history=History(project.layout.host),
                executor=executor,
                listeners=[screen],
                tracking=lambda: Tracked(uri=mlflow.uri) if mlflow else None,
                test=True,
                warnings=warnings,
            )
        ) as scheduler,
    ):
        yield scheduler


def _executor(project: Project, warnings: list[str]) -> LocalExecutor:
    """Where runs are started as mlp.config says; what stands against that becomes a warning."""
    if project.settings.start is StartMode.COLD:
        return LocalExecutor()
    return LocalExecutor(
        lambda stderr: WarmStarter(
            stderr,
            project.settings.preload,
            warnings.append,
            patience=project.settings.inspect_timeout,
        )
    )


def _scheduler(
    project: Project,
    *,
    layout: Layout,
    models: Listing,
    history: History,
    executor: Executor,
    listeners: Sequence[Listener],
    warnings: list[str],
    tracking: Callable[[], Tracked | None],
    unattended: bool = False,
    test: bool = False,
    watch: bool = False,
    rehearse: bool = False,
    room: Room | None = None,
) -> Scheduler:
    now = datetime.now().astimezone()
    session = f"{now:%Y%m%dT%H%M%S%z}-{os.getpid()}"
    if not test:
        write_session(
            layout,
            Session(
                name=session,
                pid=os.getpid(),
                started_at=now,
                unattended=unattended,
                watch=watch,
                rehearse=rehearse,
                parallel=project.settings.parallel,
                only=tuple(sorted(models.only)),
            ),
        )
    return Scheduler(
        layout=layout,
        settings=project.settings,
        listing=models,
        history=history,
        executor=executor,
        listeners=listeners,
        policy=policy(
            project, session=session, unattended=unattended, test=test, rehearse=rehearse
        ),
        test=test,
        watch=watch,
        room=room,
        host=uncounted if test else Hardware(project.settings, warn=warnings.append).now,
        warnings=warnings,
        tracking=tracking,
    )


@contextmanager
def _with_senders(
    project: Project, history: History, listeners: Sequence[Listener]
) -> Iterator[tuple[Sequence[Listener], Callable[[], Tracked | None]]]:
    """``listeners``, and those that send messages and runs where mlp.config asks for it; the first
    ones hear of what can't be sent. And where a run's own calls of MLflow go to, if it starts now.
    """
    settings, layout = project.settings, project.layout
    told = Audience(listeners, lambda: datetime.now().astimezone())
    with ExitStack() as stack:
        senders: list[Listener] = []
        if settings.notify:
            notifier = Notifier(settings.notify, layout, history.ledger, told.say)
            senders.append(stack.enter_context(closing(notifier)))
        mlflow = settings.mlflow
        if mlflow is None:
            yield [*listeners, *senders], lambda: None
            return
        from mlpipeline.execution.tracking import Tracker  # only where it is asked for

        tracker = stack.enter_context(closing(Tracker(mlflow, layout, history.ledger, told.say)))
        uri = mlflow.uri
        yield [*listeners, *senders, tracker], lambda: Tracked(uri=uri, wait=tracker.wait())
