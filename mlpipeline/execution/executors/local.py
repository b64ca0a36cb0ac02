"""Runs as processes of this machine."""

from __future__ import annotations

import math
import os
import select
import signal
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec

from mlpipeline.core import endings
from mlpipeline.core.launch import Exit, Processes, ProcessStamp, Report, Reported, Spec
from mlpipeline.execution.console_cap import ConsoleCap
from mlpipeline.execution.executors.base import Gone, Handle, Observation, Running
from mlpipeline.execution.executors.starting import Child, ColdStarter, Starter
from mlpipeline.execution.processes import boot_id, is_alive
from mlpipeline.state.files import read_record, storage
from mlpipeline.state.layout import RunFolder

POLL_INTERVAL = 0.02  # seconds, where the system has no pidfds


class LocalExecutor:
    """Each run is a process with a session of its own, and supervised; a handle is its folder."""

    def __init__(self, start: Callable[[IO[bytes]], Starter] | None = ColdStarter):
        """``start`` makes what starts runs; None: only for runs that are there already."""
        self._children: dict[Handle, Child] = {}
        self._pidfds: dict[Handle, tuple[int, int]] = {}  # pid, and the descriptor
        self._overdue: dict[Handle, Exit] = {}  # what is to be said of those that took too long
        self._kill_at: dict[Handle, float] = {}  # monotonic seconds
        self._caps: dict[Handle, ConsoleCap] = {}  # of runs whose supervisor is dead
        # What an interpreter says that can't even begin: a broken installation, no memory …
        self._first_words = tempfile.TemporaryFile()  # noqa: SIM115 - close() closes it
        self._starter = start(self._first_words) if start else None

    def unready(self) -> str | None:
        """As the starter says."""
        return self._starter.unready() if self._starter else None

    def preload(self, modules: Sequence[str]) -> None:
        """As the starter does."""
        if self._starter:
            self._starter.preload(modules)

    def submit(self, spec: Spec) -> Handle:
        """Start the run."""
        assert self._starter is not None
        with storage(f"{spec.name} can't be started"):
            RunFolder(Path(spec.folder)).console.touch()
            self._children[spec.folder] = self._starter.start(
                spec.folder, threads=spec.threads is not None
            )
        return spec.folder

    def close(self) -> None:
        """Let go of what is held for further runs; those there are go on."""
        if self._starter:
            self._starter.close()
        for handle in list(self._pidfds):
            self._let_go(handle)
        self._first_words.close()

    def handle_of(self, spec_folder: str) -> Handle:
        """The folder."""
        return spec_folder

    def poll(self, handles: Collection[Handle]) -> dict[Handle, Observation]:
        """Look at each run's processes, and kill those whose grace is over."""
        now = time.monotonic()
        for handle in [handle for handle, due in self._kill_at.items() if due <= now]:
            del self._kill_at[handle]
            self._signal(handle, signal.SIGKILL)
        return {handle: self._observe(handle) for handle in handles}

    def stop(self, handle: Handle, grace: float) -> None:
        """SIGTERM to the worker's process group now, SIGKILL after ``grace`` seconds."""
        self._kill_at[handle] = time.monotonic() + grace
        if grace > 0:
            self._signal(handle, signal.SIGTERM)
        else:
            self.poll([handle])

    def wait(self, handles: Collection[Handle], timeout: float, wake: int) -> None:
        """Wait on the runs' pidfds; where a system has none, look again after a short while."""
        poller = select.poll()
        poller.register(wake, select.POLLIN)
        for handle in handles:
            pid = self._last_process(handle)
            descriptor = self._pidfd(handle, pid)
            if descriptor is not None:
                poller.register(descriptor, select.POLLIN)
            elif not self._is_told_of(handle):
                timeout = min(timeout, POLL_INTERVAL)
        if self._starter:  # after it has been asked of its runs: what is over is told only once
            for descriptor in self._starter.descriptors():
                poller.register(descriptor, select.POLLIN)
        due = min(self._kill_at.values(), default=None)
        if due is not None:
            timeout = min(timeout, max(0.0, due - time.monotonic()))
        poller.poll(math.ceil(timeout * 1000))

    def _observe(self, handle: Handle) -> Observation:
        if handle not in self._children:
            _revoke(Path(handle))
        if self._is_there(handle):
            self._stand_in(handle)
            return Running()
        folder = RunFolder(Path(handle))
        if handle in self._children and not folder.processes.exists():
            self._keep_first_words(folder)
        self._forget(handle)
        exit, report = read_end(folder)
        exit = exit or self._overdue.pop(handle, None)
        prepared = folder.prepared.exists()
        last_sign = None if exit else _last_sign(folder.path)
        if not folder.exit.exists() and (spec := read_record(folder.spec, Spec)):
            _cap(spec).settle()  # which its supervisor would have done
        return Gone(
            exit=exit,
            report=report,
            began=_has_begun(folder),
            prepared=prepared,
            last_sign=last_sign,
        )

    def _stand_in(self, handle: Handle) -> None:
        """Where a run's supervisor is dead, end a worker that takes too long, and cap its log."""
        processes = _processes(handle)
        if processes is None or is_alive(processes.supervisor.pid, processes.supervisor.started):
            return
        spec = read_record(RunFolder(Path(handle)).spec, Spec)
        if spec:
            self._caps.setdefault(handle, _cap(spec)).look()
        if handle in self._overdue or handle in self._kill_at:
            return
        now = datetime.now().astimezone()
        if spec and spec.timeout and (now - processes.started_at).total_seconds() > spec.timeout:
            self._overdue[handle] = Exit(
                status=None,
                signal=signal.SIGTERM,
                ended_at=now,
                cpu_seconds=0.0,
                peak_memory=0,
                limit="timeout",
                limit_detail=f"took longer than timeout ({spec.timeout:g} s)",
            )
            self.stop(handle, spec.grace)

    def _keep_first_words(self, folder: RunFolder) -> None:
        self._first_words.seek(0)
        with suppress(OSError), folder.console.open("ab") as console:
            console.write(self._first_words.read())

    def _is_there(self, handle: Handle) -> bool:
        child = self._children.get(handle)
        going_on = child.is_going_on() if child else None
        return is_running(handle) if going_on is None else going_on

    def _signal(self, handle: Handle, number: signal.Signals) -> None:
        """Send a signal to the worker's whole process group, if it is still that worker's."""
        processes = _processes(handle)
        child = self._children.get(handle)
        if processes and is_alive(processes.worker.pid, processes.worker.started):
            _signal_group(processes.process_group, number)
        elif processes is None and child is not None and child.is_going_on():
            child.kill()  # it has not come to its first line

    def _pidfd(self, handle: Handle, pid: int | None) -> int | None:
        """Becomes readable when the process ends that the run's end is known by."""
        watched, descriptor = self._pidfds.get(handle, (None, None))
        if pid != watched:
            self._let_go(handle)
            descriptor = None
            if pid is not None and hasattr(os, "pidfd_open"):
                with suppress(OSError):  # gone already: the next poll sees it
                    descriptor = os.pidfd_open(pid)
                    self._pidfds[handle] = pid, descriptor
        return descriptor

    def _last_process(self, handle: Handle) -> int | None:
        """The supervisor, where the run has one of its own; else the worker while it lives."""
        child = self._children.get(handle)
        if child is not None and child.is_going_on():
            return child.pid
        processes = _processes(handle)
        worker = processes.worker if processes else None
        return worker.pid if worker and is_alive(worker.pid, worker.started) else None

    def _is_told_of(self, handle: Handle) -> bool:
        """Whether the starter's descriptors tell of the run's end."""
        child = self._children.get(handle)
        return child is not None and child.pid is None and child.is_going_on() is True

    def _let_go(self, handle: Handle) -> None:
        _, descriptor = self._pidfds.pop(handle, (None, None))
        if descriptor is not None:
            os.close(descriptor)

    def _forget(self, handle: Handle) -> None:
        self._children.pop(handle, None)
        self._kill_at.pop(handle, None)
        self._caps.pop(handle, None)
        self._let_go(handle)


def is_running(handle: Handle) -> bool:
    """Whether a run's supervisor, or a worker that outlived it, is at work on this machine."""
    return not RunFolder(Path(handle)).exit.exists() and bool(_living(handle))


def _living(handle: Handle) -> list[ProcessStamp]:
    """Those of the run's processes that are there."""
    processes = _processes(handle)
    stamps = (processes.supervisor, processes.worker) if processes else ()
    return [stamp for stamp in stamps if is_alive(stamp.pid, stamp.started)]


def _processes(handle: Handle) -> Processes | None:
    """The run's processes, as far as they belong to this boot of this machine."""
    processes = read_record(RunFolder(Path(handle)).processes, Processes)
    return processes if processes and processes.boot == boot_id() else None


def read_end(folder: RunFolder) -> tuple[Exit | None, Report | None]:
    """What a run's processes left of its end."""
    exit = read_record(folder.exit, Exit)
    return exit, _read_report(folder, ended=exit is not None)


def _read_report(folder: RunFolder, *, ended: bool) -> Report | None:
    """The worker's report; where the run has ``ended`` that is the one in exit.json."""
    if not ended:
        return read_record(folder.report, Report)
    reported = read_record(folder.exit, Reported)
    if reported is None:
        return Report(
            ending=endings.UNREADABLE, detail=f"the report in {folder.exit} can't be read"
        )
    return reported.report


def _cap(spec: Spec) -> ConsoleCap:
    return ConsoleCap(spec.folder, msgspec.to_builtins(spec))


def _last_sign(folder: Path) -> datetime | None:
    """When anything in the run's folder last changed."""
    try:
        times = [path.stat().st_mtime for path in folder.iterdir()]
    except OSError:  # somebody deletes it
        return None
    return datetime.fromtimestamp(max(times)).astimezone() if times else None


def _has_begun(folder: RunFolder) -> bool:
    """Whether the run's processes were there; ``_revoke`` leaves an empty file in their place."""
    try:
        return folder.processes.stat().st_size > 0
    except OSError:
        return False


def _revoke(folder: Path) -> None:
    """Keep a run of an earlier session from beginning, if it has not yet written its proc.json.

    Its supervisor may be about to: whoever creates that file first has it.
    """
    with storage(f"{folder} can't be looked at"):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            RunFolder(folder).processes.touch(exist_ok=False)
        except FileExistsError:
            return


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
