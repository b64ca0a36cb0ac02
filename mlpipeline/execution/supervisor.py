"""Seeing workers to their end: watching their limits, and writing down how they ended.

Whoever does that runs no user code, heeds no stop signal, and needs no scheduler: for a run that is
started cold a process of its own (:func:`supervise`), for all that a nursery forks the nursery.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import suppress

from mlpipeline.core import endings, run_files
from mlpipeline.execution.console_cap import ConsoleCap
from mlpipeline.execution.processes import boot_id, oom_kill_count, start_time
from mlpipeline.execution.writing import (
    WAIT_FOR_ROOM,
    create_json,
    drop_ballast,
    iso_now,
    keep_ballast,
    try_at_last,
)

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from typing import Any

    from mlpipeline.execution.spare import Spare

LASTING = 0.1  # seconds; what costs something and helps long runs only waits until then
LOOK = 0.5  # seconds between two looks for a sign of life
POLL = 0.02  # seconds between two looks for the worker's end, where a signal can't be awaited
SIGNS_OF_LIFE = (run_files.CONSOLE, run_files.MESSAGES, run_files.PROGRESS, run_files.METRICS)


class Ward:
    """A worker, from before its first line to the record of its end; a child of this process."""

    def __init__(self, folder: str, spec: dict[str, Any], spare: Spare, me: dict[str, Any]):
        """``spec`` is a ``launch.Spec``, ``me`` what :func:`this_process` says."""
        self._folder = folder
        self._spec = spec
        self._me = me
        self._spare = spare
        self._worker = spare.pid  # leads a process group
        self._ending: dict[str, Any] = {}
        self._oom_kills_before: int | None = None  # until it is one that lasts
        self._lasts_from: float | None = time.monotonic() + LASTING
        self._cap = ConsoleCap(folder, spec)
        self._limits = _Limits(folder, spec, self._worker)
        self._settler: int | None = None  # pid of what settles the log, which may take its time
        self._tries_to_settle = 2

    def begin(self) -> None:
        """Write proc.json, and let the worker go.

        Raises FileExistsError where a later scheduler has given this run up before it began,
        OSError where the file can't be written; the worker waits on then.
        """
        self._spare.await_signals()
        processes = {
            **self._me,
            "worker": {"pid": self._worker, "started": self._spare.started},
            "process_group": self._worker,
            "started_at": iso_now(),
        }
        create_json(self._folder, run_files.PROCESSES, processes)
        self._spare.run(self._folder, self._spec)

    @property
    def due(self) -> float | None:
        """When the next :meth:`look` is due, in monotonic seconds; None: at the worker's end."""
        due = (self._lasts_from, self._limits.due, self._cap.due)
        return min((moment for moment in due if moment is not None), default=None)

    def look(self) -> None:
        """Hold the worker to its limits."""
        self._limits.look()
        self._cap.look()
        if self._lasts_from is not None and time.monotonic() >= self._lasts_from:
            self._lasts_from = None
            keep_ballast(self._folder)
            self._oom_kills_before = oom_kill_count()

    def has_ended(self) -> bool:
        """Whether the worker has; it is not reaped.

        Python on macOS has no waitid before 3.13; there its end is read from its start time.
        """
        if hasattr(os, "waitid"):
            options = os.WEXITED | os.WNOWAIT | os.WNOHANG
            return os.waitid(os.P_PID, self._worker, options) is not None
        return start_time(self._worker) is None

    def record(self) -> bool:
        """End what is left of the process group, and write exit.json.

        False where it is to be called again: after SIGCHLD, or later, when the disk has room.
        """
        if not self._ending:
            self._ending = self._reap()
        if not self._is_log_settled():
            return False
        try:
            if not try_at_last(self._folder, run_files.EXIT, self._ending):
                return False
        except FileNotFoundError:  # somebody has deleted the folder: there is nobody to tell
            return True
        except OSError:
            return False
        drop_ballast(self._folder)
        return True

    def _is_log_settled(self) -> bool:
        """Whether the log is cut to its limit, or can't be; a process of its own does that."""
        if self._settler is not None:
            pid, status = os.waitpid(self._settler, os.WNOHANG)
            if pid == 0:
                return False
            self._settler = None
            if status:
                self._cap.clear_up()
        if not self._tries_to_settle or not self._cap.is_exceeded():
            return True
        try:
            pid = os.fork()
        except OSError:  # no process to be had, for now
            return False
        if pid == 0:
            status = 1
            try:
                self._cap.settle()
                status = 0
            finally:
                os._exit(status)
        self._settler = pid
        self._tries_to_settle -= 1
        return False

    def sync(self) -> None:
        """Have the record on the platter."""
        with suppress(OSError):
            file = os.open(os.path.join(self._folder, run_files.EXIT), os.O_RDONLY)
            os.fsync(file)
            os.close(file)

    def _reap(self) -> dict[str, Any]:
        with suppress(OSError):  # macOS: EPERM where only the dead worker is left
            # It is not reaped yet, so that its id can't name another group.
            os.killpg(self._worker, signal.SIGKILL)
        _, status, usage = os.wait4(self._worker, 0)
        report = _read_report(self._folder)
        code = os.waitstatus_to_exitcode(status)
        if isinstance(report, dict) and isinstance(report.get("signal"), int):
            code = -report["signal"]  # what ended a command's program, ended the run
        before = self._oom_kills_before if code == -signal.SIGKILL else None
        return {
            "status": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "ended_at": iso_now(),
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "peak_memory": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            **self._limits.exceeded,
            "oom_kills": oom_kill_count() - before if before is not None else 0,
            "report": report,
        }


def this_process() -> dict[str, Any]:
    """What proc.json says of a supervisor."""
    return {
        "host": os.uname().nodename,
        "boot": boot_id(),
        "supervisor": {"pid": os.getpid(), "started": start_time(os.getpid())},
    }


def supervise(folder: str, spec: dict[str, Any], spare: Spare) -> None:
    """Give ``spare`` the run, see it to its end, record that, and end this process.

    SIGCHLD is blocked.
    """
    ward = Ward(folder, spec, spare, this_process())
    try:
        ward.begin()
    except FileExistsError:
        os._exit(1)
    while not ward.has_ended():
        ward.look()
        _await_child(ward.due)
    while not ward.record():
        _await_child(time.monotonic() + WAIT_FOR_ROOM)
    if os.fork() == 0:  # the next run need not wait for the disk
        ward.sync()
    os._exit(0)


def _await_child(until: float | None) -> None:
    """Wait for SIGCHLD, which is blocked, so that none is missed; or ``until`` a moment."""
    left = None if until is None else max(0.0, until - time.monotonic())
    if not hasattr(signal, "sigtimedwait"):  # macOS
        time.sleep(POLL if left is None else min(POLL, left))
    elif left is None:
        signal.sigwait([signal.SIGCHLD])
    else:
        signal.sigtimedwait([signal.SIGCHLD], left)


class _Limits:
    """How long a run may take, and how long it may be silent.

    ``exceeded`` says which it has exceeded, as exit.json does.
    """

    def __init__(self, folder: str, spec: dict[str, Any], worker: int):
        self.exceeded: dict[str, str] = {}
        self._folder = folder
        self._worker = worker
        self._timeout: float | None = spec["timeout"]
        self._stall_timeout: float | None = spec["stall_timeout"]
        self._grace: float = spec["grace"]
        self._began = self._changed = self._looked = time.monotonic()
        self._seen = self._signs_of_life() if self._stall_timeout is not None else []
        self._kill_at: float | None = None

    @property
    def due(self) -> float | None:
        """When the next look is due, in monotonic seconds."""
        if self.exceeded:
            return self._kill_at
        due = [] if self._timeout is None else [self._began + self._timeout]
        if self._stall_timeout is not None:
            due.append(self._looked + min(LOOK, self._stall_timeout / 2))
        return min(due, default=None)

    def look(self) -> None:
        """Ask the worker to end at its limits, and kill it where its grace is over."""
        now = time.monotonic()
        if self.due is None or now < self.due:
            return
        if self.exceeded:
            self._kill_at = None
            self._signal(signal.SIGKILL)
        else:
            self._looked = now
            self.exceeded = self._exceeded(now)
            if self.exceeded:
                self._kill_at = now + self._grace
                self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(OSError):
            os.killpg(self._worker, number)

    def _exceeded(self, now: float) -> dict[str, str]:
        if self._timeout is not None and now - self._began >= self._timeout:
            detail = f"took longer than timeout ({self._timeout:g} s)"
            return {"limit": "timeout", "limit_detail": detail}
        if self._stall_timeout is None:
            return {}
        signs = self._signs_of_life()
        if signs != self._seen:
            self._seen, self._changed = signs, now
        if now - self._changed >= self._stall_timeout:
            detail = f"no output, progress or metric for stall_timeout ({self._stall_timeout:g} s)"
            return {"limit": "stalled", "limit_detail": detail}
        return {}

    def _signs_of_life(self) -> list[tuple[int, int]]:
        """Size and mtime (ns) of what a script's words go into."""
        signs = []
        for name in SIGNS_OF_LIFE:
            with suppress(OSError):
                stat = os.stat(os.path.join(self._folder, name))
                signs.append((stat.st_size, stat.st_mtime_ns))
        return signs


def _read_report(folder: str) -> dict[str, Any] | None:
    """What the worker says of the user's code; None when that never came to an end."""
    try:
        with open(os.path.join(folder, run_files.REPORT), encoding="utf-8") as file:
            report: dict[str, Any] = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return {"ending": endings.UNREADABLE, "detail": f"its report.json can't be read: {error}"}
    return report
