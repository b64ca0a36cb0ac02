"""What a person asks of the schedulers that work on a project."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime

import msgspec

from mlpipeline.core.listening import Ended
from mlpipeline.core.orders import Order, Ordered
from mlpipeline.core.runs import Run, Stopping
from mlpipeline.core.sessions import StopMode
from mlpipeline.core.standings import NOT_LISTED, State, became
from mlpipeline.errors import MlpipelineError, short
from mlpipeline.execution.executors.base import Gone, Running
from mlpipeline.execution.executors.local import LocalExecutor
from mlpipeline.execution.hosts import Hosts
from mlpipeline.execution.processes import is_alive, start_time
from mlpipeline.execution.watching import WatchedRun
from mlpipeline.service.naming import Named, all_meant
from mlpipeline.service.project import Project, set_umask
from mlpipeline.service.queue import Onlooker, Queue
from mlpipeline.state.files import storage
from mlpipeline.state.history import DiskHistory, History
from mlpipeline.state.lock import holder_of, scheduler_lock
from mlpipeline.state.reports import Reports
from mlpipeline.state.requests import LoseHost, Request, Steer, Stop, put
from mlpipeline.state.session import read_session

PATIENCE = 10.0  # seconds that a scheduler has to take a request
PATIENCE_ABROAD = 3.0  # seconds to wait for one on another host, which may not be there
LOOK = 0.02  # seconds between two looks whether it has
POLL_INTERVAL = 0.02  # seconds


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """What a session was told."""

    pid: int | None  # of the session, where that is known
    mode: StopMode
    said: tuple[str, ...]  # what a person should know


def stop(project: Project, mode: StopMode, *, wait: bool = False) -> Stopped:
    """Have this host's session end; returns what it was told, with ``wait`` when it has ended.

    Raises MlpipelineError when there is none, or it does not listen.
    """
    session = read_session(project.layout)
    pid = _ask(project, Stop(mode, session.name if session else ""))
    if not pid:
        raise MlpipelineError("no mlpipeline -r works on this project on this host")
    what = {
        StopMode.GRACEFUL: f"runs are asked to stop and get {project.settings.grace:g} s for it",
        StopMode.NOW: "runs are killed",
        StopMode.AFTER_CURRENT: "what runs runs to its end, and nothing more is started",
        StopMode.DETACH: "runs go on without it",
    }
    if wait:
        _wait_for_end(project, pid)
    number = int(pid) if pid.isdigit() else None
    return Stopped(pid=number, mode=mode, said=(f"pid {pid} ends: {what[mode]}",))


def _wait_for_end(project: Project, pid: str) -> None:
    """Return when the session has let go of the project, and its process is gone."""
    started = start_time(int(pid)) if pid.isdigit() else None
    while holder_of(project.layout.lock) == pid or (started and is_alive(int(pid), started)):
        time.sleep(POLL_INTERVAL)


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


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request: what `mlpipeline cancel --json` and the like print."""

    versions: tuple[str, ...] = ()  # that it is about
    stops: tuple[str, ...] = ()  # runs that are asked to stop
    said: tuple[str, ...] = ()  # what a person should know


def cancel(project: Project, names: Sequence[str]) -> Done:
    """End runs, and start their versions no more; what is only queued is skipped.

    Raises MlpipelineError for names that mean nothing, or a run that has ended.
    """
    queue = Onlooker(project).look()
    named = all_meant(names, queue.ledger, queue.versions)
    for each in named:
        if each.attempt and not _running(queue, each):
            raise MlpipelineError(f"{each} has ended; its version is meant without #")
    named, done = _without_done(queue, named)
    running = [run for each in named for run in _running(queue, each)]
    said = _give(project, queue, Order.SKIP, named, why="cancelled", said=done)
    here = [run for run in running if run.host == project.layout.host]
    if here and queue.pid:
        said.append(f"runs get {project.settings.grace:g} s to end")
    for host in sorted({run.host for run in running} - {project.layout.host}):
        theirs = [each for each in named if any(r.host == host for r in _running(queue, each))]
        said.append(_ask_host(project, host, _steer(queue, Order.SKIP, theirs, why="cancelled")))
    return Done(
        versions=_names(named), stops=tuple(str(run.id) for run in running), said=tuple(said)
    )


def skip(project: Project, names: Sequence[str]) -> Done:
    """Start versions no more, until they are retried; raises MlpipelineError as :func:`cancel`."""
    queue = Onlooker(project).look()
    named, done = _without_done(queue, all_meant(names, queue.ledger, queue.versions))
    for each in named:
        if run := next(iter(_running(queue, each)), None):
            raise MlpipelineError(f"{run.id} is running; `mlpipeline cancel '{each}'` ends it")
    return Done(
        versions=_names(named), said=tuple(_give(project, queue, Order.SKIP, named, said=done))
    )


def retry(
    project: Project,
    names: Sequence[str | Named],
    *,
    failed: bool = False,
    changed: bool = False,
) -> Done:
    """Run versions again, whatever became of them; ``failed``: all listed ones that have failed or
    are held, ``changed``: all that are done with a script that was edited since.

    A name that is a text may be short, or a pattern.

    Raises MlpipelineError for names that mean nothing, and for what is running.
    """
    queue = Onlooker(project).look()
    texts = [each for each in names if isinstance(each, str)]
    named = [each for each in names if isinstance(each, Named)]
    named += all_meant(texts, queue.ledger, queue.versions)
    for each in named:
        if run := next(iter(_running(queue, each)), None):
            raise MlpipelineError(
                f"{run.id} is running: nothing is retried; `mlpipeline cancel` ends it"
            )
    for standing in queue.standings:
        is_meant = (failed and standing.has_failed) or (changed and standing.is_outdated)
        if is_meant and standing.version:
            named.append(Named(model=standing.model.name, version=standing.version.name))
    named = list(dict.fromkeys(named))
    if not named:
        return Done(said=("there is nothing to retry",))
    said = _give(project, queue, Order.RETRY, named)
    said += _still_behind(queue, named)
    listed = set(queue.versions)
    said += [
        f"{each} is not listed: it runs when it is"
        for each in named
        if (each.model, each.version) not in listed
    ]
    return Done(versions=_names(named), said=tuple(said))


def _still_behind(queue: Queue, named: Sequence[Named]) -> list[str]:
    """A sentence for each that does not run for all that, since it comes after something that
    failed, say, and is not retried.
    """
    meant = {(each.model, each.version) for each in named}
    said = []
    for standing in queue.standings:
        version, root = standing.version, standing.behind.root if standing.behind else None
        if version is None or root is None or root.version is None:
            continue
        is_meant = (standing.model.name, version.name) in meant
        before = root.model.name, root.version.name
        if is_meant and before not in meant and (root.is_stuck or root.has_failed):
            name = f"{standing.model.name}/{version.name}"
            remedy = "list" if root.reason == NOT_LISTED else "retry"
            said.append(
                f"{name} comes after {'/'.join(before)}, which {became(root)}: {remedy} it, too"
            )
    return said


def _without_done(queue: Queue, named: Sequence[Named]) -> tuple[list[Named], list[str]]:
    """Those that are not done, and a sentence for each that is: it would not start anyway."""
    done = {
        (standing.model.name, standing.version.name)
        for standing in queue.standings
        if standing.version and standing.state is State.DONE
    }
    is_done = [each for each in named if (each.model, each.version) in done]
    return (
        [each for each in named if each not in is_done],
        [f"{each} is done already, and stays so" for each in is_done],
    )


def _running(queue: Queue, named: Named) -> list[Run]:
    """What goes on of the version, as far as is known of other hosts."""
    return [
        run
        for run in queue.ledger.attempts(named.model, named.version)
        if run.active and named.attempt in (None, run.id.attempt) and run.id not in queue.unseen
    ]


def _names(named: Sequence[Named]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{each.model}/{each.version}" for each in named))


def _steer(queue: Queue, order: Order, named: Sequence[Named], why: str = "") -> Steer:
    """The request: orders with the numbers that come next by what is known now."""
    versions = dict.fromkeys((each.model, each.version) for each in named)
    return Steer(
        tuple(
            queue.ledger.next_order(order, model, version, queue.at, why=why)
            for model, version in versions
        )
    )


def _give(
    project: Project,
    queue: Queue,
    order: Order,
    named: Sequence[Named],
    *,
    why: str = "",
    said: Sequence[str] = (),
) -> list[str]:
    """Have this host's scheduler take orders, or record them here; returns who does."""
    if not named:
        return list(said)
    request = _steer(queue, order, named, why)
    pid = _ask(project, request)
    if pid:
        return [*said, f"pid {pid} is told"]
    layout = project.layout
    set_umask(project.settings.shared)
    with storage(f"{layout.outputs} can't be made"):
        layout.outputs.mkdir(exist_ok=True)
    with scheduler_lock(layout.lock), closing(DiskHistory(layout)) as history:
        history.note(*request.orders)
        if order is Order.SKIP:
            _end_unwatched(project, history, request.orders)
    return [*said, "noted for the next session"]


def _end_unwatched(project: Project, history: History, orders: Sequence[Ordered]) -> None:
    """End runs of this host that no scheduler watches, and record how they ended."""
    layout = project.layout
    skipped = {(order.model, order.version) for order in orders}
    reports = Reports(layout)
    with closing(LocalExecutor(None)) as executor:
        going = []
        for run in history.ledger.active(layout.host):
            if (run.id.model, run.id.version) not in skipped:
                continue
            folder = layout.run_folder(run.id)
            handle = executor.handle_of(str(folder.path))
            if isinstance(executor.poll([handle])[handle], Running):
                history.append(Stopping(at=_now(), run=run.id, why="cancelled"))
                executor.stop(handle, project.settings.grace)
            known = history.ledger.find(layout.host, run.id) or run
            going.append(WatchedRun(known, handle, folder, None))
        for watched in going:
            while isinstance(gone := executor.poll([watched.handle])[watched.handle], Running):
                time.sleep(POLL_INTERVAL)
            assert isinstance(gone, Gone)
            ended = history.append(watched.finished(gone, _now()))
            reports.ended(Ended(launched=None, run=ended, exit=gone.exit, report=gone.report))


def _now() -> datetime:
    return datetime.now().astimezone()


def _ask_host(project: Project, host: str, request: Steer) -> str:
    """Ask the scheduler of another host that shares the folder."""
    set_umask(project.settings.shared)
    path = put(project.layout, request, host)
    deadline = time.monotonic() + PATIENCE_ABROAD
    while path.exists() and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL)
    if path.exists():
        return f"{host} is asked, and does it as soon as its scheduler looks"
    return f"{host} is told"


def _ask(project: Project, request: Request) -> str:
    """The pid of this host's scheduler, which has taken ``request``; empty when there is none."""
    layout = project.layout
    pid = holder_of(layout.lock) if layout.outputs.is_dir() else ""
    if not pid:
        return ""
    set_umask(project.settings.shared)
    path = put(layout, request)
    deadline = time.monotonic() + PATIENCE
    while path.exists():
        if time.monotonic() > deadline:
            path.unlink(missing_ok=True)
            raise MlpipelineError(f"pid {pid} does not answer; is it an older mlpipeline, or busy?")
        time.sleep(POLL_INTERVAL)
    return pid
