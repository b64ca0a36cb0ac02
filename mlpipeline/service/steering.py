"""What a person asks of the schedulers that work on a project."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime

import msgspec

from mlpipeline.core.orders import Order
from mlpipeline.core.planning import Standing, State
from mlpipeline.core.runs import Run, Stopping
from mlpipeline.core.sessions import StopMode
from mlpipeline.errors import MlpipelineError, short
from mlpipeline.execution.executors.base import Running
from mlpipeline.execution.executors.local import LocalExecutor
from mlpipeline.execution.hosts import Hosts
from mlpipeline.execution.processes import is_alive, start_time
from mlpipeline.service.naming import Named, all_meant
from mlpipeline.service.project import Project
from mlpipeline.service.queue import Onlooker, Queue
from mlpipeline.state.files import storage
from mlpipeline.state.history import DiskHistory, History
from mlpipeline.state.lock import holder_of, scheduler_lock
from mlpipeline.state.requests import Cancel, LoseHost, Request, Retry, Skip, Stop, Target, put

PATIENCE = 10.0  # seconds that a scheduler has to take a request
PATIENCE_ABROAD = 3.0  # seconds to wait for one on another host, which may not be there
LOOK = 0.02  # seconds between two looks whether it has
POLL_INTERVAL = 0.02  # seconds


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """What a session was told."""

    pid: int | None  # of the session, where that is known
    mode: StopMode
    text: str  # the same for people


def stop(project: Project, mode: StopMode, *, wait: bool = False) -> Stopped:
    """Have this host's session end; returns what it was told, with ``wait`` when it has ended.

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
    if wait:
        _wait_for_end(project, pid)
    number = int(pid) if pid.isdigit() else None
    return Stopped(pid=number, mode=mode, text=f"pid {pid} ends: {what[mode]}")


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
    targets = _named(queue, names)
    running = [run for named in targets for run in _running(queue, named)]
    _refuse_ended(queue, targets)
    versions = _targets(targets)
    said = [_tell(project, Cancel(versions), grace=True)]
    for host in sorted({run.host for run in running} - {project.layout.host}):
        theirs = tuple(Target(run.id.model, run.id.version) for run in running if run.host == host)
        said.append(_tell_host(project, host, Cancel(theirs)))
    return Done(
        versions=_names(versions), stops=tuple(str(run.id) for run in running), said=tuple(said)
    )


def skip(project: Project, names: Sequence[str]) -> Done:
    """Start versions no more, until they are retried; raises MlpipelineError as :func:`cancel`."""
    queue = Onlooker(project).look()
    targets = _named(queue, names)
    for named in targets:
        if run := next(iter(_running(queue, named)), None):
            raise MlpipelineError(f"{run.id} is running; `mlpipeline cancel {named}` ends it")
    versions = _targets(targets)
    return Done(versions=_names(versions), said=(_tell(project, Skip(versions)),))


def retry(
    project: Project, names: Sequence[str], *, failed: bool = False, changed: bool = False
) -> Done:
    """Run versions again, whatever became of them; ``failed``: all listed ones that have failed or
    are held, ``changed``: all that are done with a script that was edited since.

    Raises MlpipelineError for names that mean nothing, and for what is running.
    """
    queue = Onlooker(project).look()
    targets = _named(queue, names)
    for named in targets:
        if run := next(iter(_running(queue, named)), None):
            raise MlpipelineError(f"{run.id} is running; there is nothing to retry yet")
    for standing in queue.standings:
        is_meant = (failed and standing.has_failed) or (changed and _is_outdated(standing))
        if is_meant and standing.version:
            targets.append(Named(model=standing.model.name, version=standing.version.name))
    versions = _targets(targets)
    if not versions:
        return Done(versions=(), said=("there is nothing to retry",))
    said = [_tell(project, Retry(versions))]
    said += [
        f"{target.model}/{target.version} is not listed: it runs when it is"
        for target in versions
        if (target.model, target.version) not in queue.versions
    ]
    return Done(versions=_names(versions), said=tuple(said))


def _is_outdated(standing: Standing) -> bool:
    last = standing.last
    return (
        standing.state is State.DONE and last is not None and last.script != standing.model.digest
    )


def _named(queue: Queue, names: Sequence[str]) -> list[Named]:
    return all_meant(names, queue.ledger, queue.versions)


def _running(queue: Queue, named: Named) -> list[Run]:
    return [
        run
        for run in queue.ledger.attempts(named.model, named.version)
        if run.active and named.attempt in (None, run.id.attempt)
    ]


def _refuse_ended(queue: Queue, targets: Sequence[Named]) -> None:
    for named in targets:
        if named.attempt and not _running(queue, named):
            raise MlpipelineError(f"{named} has ended; its version is meant without #")


def _targets(named: Sequence[Named]) -> tuple[Target, ...]:
    return tuple(dict.fromkeys(Target(each.model, each.version) for each in named))


def _names(targets: Sequence[Target]) -> tuple[str, ...]:
    return tuple(f"{target.model}/{target.version}" for target in targets)


def _tell(project: Project, request: Cancel | Skip | Retry, *, grace: bool = False) -> str:
    """Have this host's scheduler do it, or do it here where there is none; returns who does."""
    pid = _ask(project, request)
    if pid:
        runs = f"; runs get {project.settings.grace:g} s to end" if grace else ""
        return f"pid {pid} is told{runs}"
    layout, now = project.layout, datetime.now().astimezone()
    with storage(f"{layout.outputs} can't be made"):
        layout.outputs.mkdir(exist_ok=True)
    order = Order.RETRY if isinstance(request, Retry) else Order.SKIP
    why = {Cancel: "cancelled", Skip: ""}.get(type(request), "")
    with scheduler_lock(layout.lock), closing(DiskHistory(layout)) as history:
        for target in request.targets:
            history.order(order, target.model, target.version, now, why=why)
        if isinstance(request, Cancel):
            _end_unwatched(project, history, request.targets)
    return "noted for the next session"


def _end_unwatched(project: Project, history: History, targets: Sequence[Target]) -> None:
    """End runs of this host that no scheduler watches; the next session records how they ended."""
    with closing(LocalExecutor(submits=False)) as executor:
        going = []
        for run in history.ledger.active(project.layout.host):
            if Target(run.id.model, run.id.version) in targets:
                handle = executor.handle_of(str(project.layout.run_folder(run.id).path))
                history.append(
                    Stopping(at=datetime.now().astimezone(), run=run.id, why="cancelled")
                )
                executor.stop(handle, project.settings.grace)
                going.append(handle)
        while any(isinstance(seen, Running) for seen in executor.poll(going).values()):
            time.sleep(LOOK)


def _tell_host(project: Project, host: str, request: Cancel) -> str:
    """Ask the scheduler of another host that shares the folder."""
    path = put(project.layout, request, host)
    deadline = time.monotonic() + PATIENCE_ABROAD
    while path.exists() and time.monotonic() < deadline:
        time.sleep(LOOK)
    if path.exists():
        return f"{host} is asked, and does it as soon as its scheduler looks"
    return f"{host} is told"


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
        time.sleep(POLL_INTERVAL)
    return pid
