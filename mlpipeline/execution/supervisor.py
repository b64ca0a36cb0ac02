"""The small parent of a run's worker: watches its limits, and writes down how it ended.

It runs no user code, heeds no stop signal, and needs no scheduler.
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
    drop_ballast,
    iso_now,
    keep_ballast,
    write_at_last,
    write_json,
)

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from typing import Any

LOOK = 0.5  # seconds between two looks for a sign of life
POLL = 0.02  # seconds between two looks for the worker's end, where a signal can't be awaited
SIGNS_OF_LIFE = (run_files.CONSOLE, run_files.MESSAGES, run_files.PROGRESS, run_files.METRICS)


def supervise(folder: str, spec: dict[str, Any], worker: int, ready: int) -> None:
    """Let the worker go, see it to its end, record that, and end this process.

    ``ready`` is the file descriptor that the worker waits on. ``spec`` is a ``launch.Spec``.
    """
    processes = {
        "host": os.uname().nodename,
        "boot": boot_id(),
        "supervisor": {"pid": os.getpid(), "started": start_time(os.getpid())},
        "worker": {"pid": worker, "started": start_time(worker)},
        "process_group": worker,  # which it leads
        "started_at": iso_now(),
    }
    try:
        write_json(folder, run_files.PROCESSES, processes, exclusive=True)
    except FileExistsError:  # a later scheduler has given this run up before it began
        os._exit(1)
    keep_ballast(folder)
    before = oom_kill_count()
    os.write(ready, b"1")
    os.close(ready)
    cap = ConsoleCap(folder, spec)
    limit = _Limits(folder, spec, cap).watch(worker)
    with suppress(OSError):  # macOS: EPERM where only the dead worker is left
        # It is not reaped yet, so that its id can't name another group.
        os.killpg(worker, signal.SIGKILL)
    _, status, usage = os.wait4(worker, 0)
    cap.settle()
    code = os.waitstatus_to_exitcode(status)
    ending = {
        "status": code if code >= 0 else None,
        "signal": -code if code < 0 else None,
        "ended_at": iso_now(),
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_memory": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        **limit,
        "oom_kills": oom_kill_count() - before,
        "report": _read_report(folder),
    }
    write_at_last(folder, run_files.EXIT, ending)
    drop_ballast(folder)
    _sync_apart(os.path.join(folder, run_files.EXIT))
    os._exit(0)


def _sync_apart(path: str) -> None:
    """Have a file on the platter, by a process of its own: the next run need not wait for that.

    After a power cut within these milliseconds the run counts as lost, as it would if the cut had
    come before its end.
    """
    with suppress(OSError):
        if os.fork() == 0:
            with suppress(OSError):
                os.fsync(os.open(path, os.O_RDONLY))
            os._exit(0)


class _Limits:
    """How long a run may take, how long it may be silent, and how much it may print."""

    def __init__(self, folder: str, spec: dict[str, Any], cap: ConsoleCap):
        self._folder = folder
        self._cap = cap
        self._timeout: float | None = spec["timeout"]
        self._stall_timeout: float | None = spec["stall_timeout"]
        self._grace: float = spec["grace"]
        self._began = self._changed = time.monotonic()
        self._seen = self._signs_of_life()

    def watch(self, worker: int) -> dict[str, str]:
        """Wait for the worker to end, and end it at its limits; says which, as exit.json does."""
        while not self._wait(worker, self._until_next_look()):
            exceeded = self._exceeded()
            if exceeded:
                self._end(worker)
                return exceeded
        return {}

    def _until_next_look(self) -> float | None:
        """Seconds; None where there is nothing to look for."""
        due = [] if self._timeout is None else [self._began + self._timeout - time.monotonic()]
        looks = [] if self._stall_timeout is None else [min(LOOK, self._stall_timeout / 2)]
        return max(0.0, min(due + looks)) if due or looks else None

    def _wait(self, worker: int, seconds: float | None) -> bool:
        """As ``_wait`` below, with an eye on the log meanwhile."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            look = self._cap.until_next_look()
            if look is None or (left is not None and left <= look):
                return _wait(worker, left)
            if _wait(worker, look):
                return True
            self._cap.look()

    def _end(self, worker: int) -> None:
        """Ask the worker's process group to end, and kill what does not within the grace."""
        with suppress(OSError):
            os.killpg(worker, signal.SIGTERM)
        if not self._wait(worker, self._grace):
            with suppress(OSError):
                os.killpg(worker, signal.SIGKILL)
            _wait(worker, None)

    def _exceeded(self) -> dict[str, str]:
        now = time.monotonic()
        signs = self._signs_of_life()
        if signs != self._seen:
            self._seen, self._changed = signs, now
        if self._timeout is not None and now - self._began >= self._timeout:
            detail = f"took longer than timeout ({self._timeout:g} s)"
            return {"limit": "timeout", "limit_detail": detail}
        if self._stall_timeout is not None and now - self._changed >= self._stall_timeout:
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


def _wait(worker: int, seconds: float | None) -> bool:
    """Whether the worker has ended within ``seconds`` (None: for ever). It is not reaped.

    Python on macOS has no waitid before 3.13; there its end is read from its start time.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    if deadline is None and hasattr(os, "waitid"):
        os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)
        return True
    while not _has_ended(worker):
        left = POLL if deadline is None else deadline - time.monotonic()
        if left <= 0:
            return False
        if hasattr(signal, "sigtimedwait"):  # SIGCHLD is blocked, so that none is missed
            signal.sigtimedwait([signal.SIGCHLD], left)
        else:
            time.sleep(min(POLL, left))
    return True


def _has_ended(worker: int) -> bool:
    if hasattr(os, "waitid"):
        options = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, worker, options) is not None
    return start_time(worker) is None


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
