"""Child process: runs one version, in a session of its own, and outlives the scheduler.

An executor starts it as ``standby()``: it waits for the name of a run's folder on its standard
input. It forks once: the parent stays as the small *supervisor* (supervisor.py), and the child, the
*worker*, leads a process group and runs user code.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
from contextlib import suppress

from mlpipeline.api.reporting import install_reporter
from mlpipeline.core import endings, run_files
from mlpipeline.execution.lifecycle import Lifecycle
from mlpipeline.execution.reporter import FolderReporter
from mlpipeline.execution.supervisor import supervise
from mlpipeline.execution.writing import write_at_last

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# What the usual libraries read when they are imported; PyTorch reads the first.
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
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
    begin(folder)


def begin(folder: str, end: Callable[[int], object] = sys.exit) -> None:
    """Run what the spec in ``folder`` says, in this process and its child; does not return.

    ``end`` ends the child with an exit status.
    """
    _redirect(0, os.devnull, os.O_RDONLY)
    for stream in (1, 2):
        _redirect(stream, os.path.join(folder, run_files.CONSOLE), os.O_WRONLY | os.O_APPEND)
    with open(os.path.join(folder, run_files.SPEC), encoding="utf-8") as file:
        spec = json.load(file)
    os.chdir(spec["project"])
    _run(folder, spec, end)


def _redirect(descriptor: int, path: str, flags: int) -> None:
    opened = os.open(path, flags)
    os.dup2(opened, descriptor)
    os.close(opened)


def _run(folder: str, spec: dict[str, Any], end: Callable[[int], object]) -> None:
    for number in STOP_SIGNALS:  # the supervisor stays to the end
        signal.signal(number, signal.SIG_IGN)
    go_ahead, ready = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])  # the supervisor waits for it
    worker = os.fork()
    if worker == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        os.setpgid(0, 0)
        os.close(ready)
        if os.read(go_ahead, 1) == b"":  # the supervisor is gone, and with it the run
            os._exit(1)
        os.close(go_ahead)
        end(_work(folder, spec))
    else:
        with suppress(OSError):  # whoever of the two comes first
            os.setpgid(worker, worker)
        os.close(go_ahead)
        supervise(folder, spec, worker, ready)


def _work(folder: str, spec: dict[str, Any]) -> int:
    """Run the version; returns the exit status."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.enable()
    _keep_to_share(spec)
    sys.argv = [spec["script"]]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    name = f"{spec['model']}/{spec['version']}#{spec['attempt']}"
    reporter = FolderReporter(folder, name, stop_on_nan=spec["stop_on_nan"])
    install_reporter(reporter)
    lifecycle = Lifecycle(spec, reporter)
    lifecycle.run()
    report = {**lifecycle.report, "environment": _environment()}
    with suppress(OSError):  # its folder is deleted: there is nobody to tell
        write_at_last(folder, run_files.REPORT, report)
    return 0 if report["ending"] == endings.RETURNED else 1


def _keep_to_share(spec: dict[str, Any]) -> None:
    """Have libraries use what the run holds of its host, before user code imports them."""
    if spec.get("threads"):
        for name in THREADS:
            os.environ.setdefault(name, str(spec["threads"]))
    if spec.get("gpus") is not None:
        os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # as NVML numbers them
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(spec["gpus"])


def _environment() -> dict[str, Any]:
    """What of the surroundings is recorded; of the environment's variables, these and no others."""
    return {
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "platform": sys.platform,
        "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "random"),
    }
