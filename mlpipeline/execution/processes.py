"""Telling processes apart for all time, and whether one is still there."""

from __future__ import annotations

import os
import signal
import struct
import sys

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# What an executor and its nursery say to each other; see nursery.py.
REQUEST = struct.Struct("=I")  # length of what follows
ANSWER = struct.Struct("=iI")  # one of these, and the number of the request
PR_SET_PDEATHSIG = 1  # linux/prctl.h
UNFIT, READY, ENDED = range(3)
TRY = "?"  # before the name of a module that a nursery may do without

# Exit statuses of an inspection; see inspector.py.
UNABLE = 97  # it could not say what it found, which is not the script's doing
CUT_OFF = 98  # the script has closed what the answer goes to


def die_with_parent(wanted: bool) -> None:
    """Whether this process is to be killed when its parent ends (prctl(2)); on Linux only."""
    if sys.platform == "linux":
        import ctypes  # costs each cold run 5 ms

        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL if wanted else 0)
        if wanted and os.getppid() != parent:
            os._exit(1)


def read_message(descriptor: int) -> bytes:
    """What was sent, less its length; empty where the other end is closed."""
    size = _read(descriptor, REQUEST.size)
    return _read(descriptor, REQUEST.unpack(size)[0]) if size else b""


def message(content: bytes) -> bytes:
    """As it is sent."""
    return REQUEST.pack(len(content)) + content


def _read(descriptor: int, size: int) -> bytes:
    content = b""
    while len(content) < size:
        chunk = os.read(descriptor, size - len(content))
        if not chunk:
            return b""
        content += chunk
    return content


def child_command(module: str, function: str) -> tuple[str, ...]:
    """The command line of a Python that calls ``module.function()``.

    -P: what lies in the working directory must not pass for a module of Python's.
    """
    return sys.executable, "-P", "-c", f"from {module} import {function}; {function}()"


def boot_id() -> str:
    """Names this boot of the machine; empty where the system does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return _ask("sysctl", "-n", "kern.bootsessionuuid") if sys.platform == "darwin" else ""


def start_time(pid: int) -> str | None:
    """When process ``pid`` started, as the system counts it; None when it is gone or a zombie.

    Linux: field 22 of /proc/PID/stat, clock ticks since boot (proc(5)). Elsewhere: ``ps``.
    """
    if sys.platform != "linux":
        return _ask("ps", "-o", "lstart=", "-p", str(pid)) or None
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            after_name = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    state, ticks = after_name[0], after_name[19]
    return None if state in (b"Z", b"X") else ticks.decode()


def oom_kill_count() -> int:
    """How many processes of this one's cgroup the kernel has killed for want of memory.

    Linux: ``oom_kill`` of memory.events (cgroup v2); else, for the whole machine, of /proc/vmstat.
    0 where the system does not tell.
    """
    for path in (_memory_events(), "/proc/vmstat"):
        try:
            with open(path) as file:
                for line in file:
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        except (OSError, ValueError):
            continue
    return 0


def _memory_events() -> str:
    try:
        with open("/proc/self/cgroup") as file:
            for line in file:
                if line.startswith("0::"):
                    return f"/sys/fs/cgroup{line[3:].strip()}/memory.events"
    except OSError:
        pass
    return ""


def is_alive(pid: int, started: str) -> bool:
    """Whether the process that had ``pid`` and started at ``started`` still runs."""
    return start_time(pid) == started


def _ask(*command: str) -> str:
    import subprocess  # costs each run 10 ms, and Linux does without

    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
