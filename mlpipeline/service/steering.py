"""What a person asks of the schedulers that work on a project."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import datetime

import msgspec

from mlpipeline.core.sessions import StopMode
from mlpipeline.errors import MlpipelineError, short
from mlpipeline.execution.hosts import Hosts
from mlpipeline.execution.processes import is_alive, start_time
from mlpipeline.service.project import Project
from mlpipeline.state.history import DiskHistory
from mlpipeline.state.lock import holder_of, scheduler_lock
from mlpipeline.state.requests import LoseHost, Request, Stop, put

PATIENCE = 10.0  # seconds that a scheduler has to take a request
POLL_INTERVAL = 0.02  # seconds


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """What a session was told."""

    pid: str  # of the session, or "unknown"
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
    return Stopped(pid=pid, mode=mode, text=f"pid {pid} ends: {what[mode]}")


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
