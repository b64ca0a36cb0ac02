"""Child process: runs one version, in a session of its own, and outlives the scheduler.

An executor starts it as ``standby()``: it waits for the name of a run's folder on its standard
input. It forks once: the parent stays as the small *supervisor* that writes proc.json before user
code and exit.json after it, whatever becomes of the child, the *worker*, which leads a process
group and runs user code.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
from contextlib import suppress

from mlpipeline.api.reporting import install_reporter
from mlpipeline.execution.lifecycle import Lifecycle
from mlpipeline.execution.processes import boot_id, start_time
from mlpipeline.execution.reporter import FolderReporter
from mlpipeline.execution.writing import iso_now, write_json

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from typing import Any

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def standby() -> None:
    """Wait for the folder of a run, then run it and end the process.

    The folder's name is all that comes on standard input; when nothing comes before its end, the
    scheduler has no use for this process.
    """
    with open(0, "rb", closefd=False) as stdin:
        folder = os.fsdecode(stdin.read())
    if not folder:
        os._exit(0)
    _redirect(0, os.devnull, os.O_RDONLY)
    for stream in (1, 2):
        _redirect(stream, os.path.join(folder, "console.log"), os.O_WRONLY | os.O_APPEND)
    with open(os.path.join(folder, "spec.json"), encoding="utf-8") as file:
        spec = json.load(file)
    os.chdir(spec["project"])
    _run(folder, spec)


def _redirect(descriptor: int, path: str, flags: int) -> None:
    opened = os.open(path, flags)
    os.dup2(opened, descriptor)
    os.close(opened)


def _run(folder: str, spec: dict[str, Any]) -> None:
    for number in STOP_SIGNALS:  # the supervisor stays to the end
        signal.signal(number, signal.SIG_IGN)
    go_ahead, ready = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.setpgid(0, 0)
        os.close(ready)
        if os.read(go_ahead, 1) == b"":  # the supervisor is gone, and with it the run
            os._exit(1)
        os.close(go_ahead)
        _work(folder, spec)
    else:
        with suppress(OSError):  # whoever of the two comes first
            os.setpgid(worker, worker)
        os.close(go_ahead)
        _supervise(folder, worker, ready)


def _supervise(folder: str, worker: int, ready: int) -> None:
    processes = {
        "host": os.uname().nodename,
        "boot": boot_id(),
        "supervisor": {"pid": os.getpid(), "started": start_time(os.getpid())},
        "worker": {"pid": worker, "started": start_time(worker)},
        "started_at": iso_now(),
    }
    try:
        write_json(folder, "proc.json", processes, exclusive=True)
    except FileExistsError:  # a later scheduler has given this run up before it began
        os._exit(1)
    os.write(ready, b"1")
    os.close(ready)
    _kill_leftovers(worker)
    _, status, usage = os.wait4(worker, 0)
    code = os.waitstatus_to_exitcode(status)
    write_json(
        folder,
        "exit.json",
        {
            "status": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "ended_at": iso_now(),
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "peak_memory": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            "report": _read_report(folder),
        },
        durable=True,
    )
    os._exit(0)


def _read_report(folder: str) -> dict[str, Any] | None:
    """What the worker says of the user's code; None when that never came to an end."""
    try:
        with open(os.path.join(folder, "report.json"), encoding="utf-8") as file:
            report: dict[str, Any] = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return {"ending": "unreadable", "detail": f"its report.json can't be read: {error}"}
    return report


def _kill_leftovers(worker: int) -> None:
    """Wait for the worker to end, and end what it leaves in its process group.

    The worker is not reaped yet, so its id can't name another group. (Python on macOS has no
    waitid before 3.13; there they stay.)
    """
    if hasattr(os, "waitid"):
        os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)
        with suppress(OSError):  # macOS: EPERM where only the dead worker is left
            os.killpg(worker, signal.SIGKILL)


def _work(folder: str, spec: dict[str, Any]) -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.enable()
    sys.argv = [spec["script"]]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    reporter = FolderReporter(folder, f"{spec['model']}/{spec['version']}#{spec['attempt']}")
    install_reporter(reporter)
    lifecycle = Lifecycle(spec, reporter)
    lifecycle.run()
    lifecycle.report["environment"] = _environment()
    write_json(folder, "report.json", lifecycle.report)
    sys.exit(0 if lifecycle.report["ending"] == "returned" else 1)


def _environment() -> dict[str, Any]:
    return {
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "platform": sys.platform,
        "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "random"),
    }
