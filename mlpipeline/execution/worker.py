"""The worker: a process that runs one version. spare.py has it forked, supervisor.py watched."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from mlpipeline.api.reporting import RUN, install_reporter
from mlpipeline.core import endings, run_files
from mlpipeline.execution.lifecycle import Lifecycle
from mlpipeline.execution.reporter import FolderReporter
from mlpipeline.execution.writing import read_json, write_at_last

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


def work(folder: str, spec: dict[str, Any], end: Callable[[int], object] | None = None) -> int:
    """Run the version that ``spec``, a ``launch.Spec``, names; returns the exit status.

    ``end`` is a Lifecycle's.
    """
    print_to_console(folder)
    os.chdir(spec["project"])
    _keep_to_share(spec)
    os.environ.pop(RUN, None)  # of a run that has started this session
    if spec.get("tracking"):
        from mlpipeline.execution.own_calls import land_in_the_run  # few use MLflow

        land_in_the_run(folder, spec)
    sys.argv = [spec["script"]]
    name = f"{spec['model']}/{spec['version']}#{spec['attempt']}"
    reporter = FolderReporter(folder, name, stop_on_nan=spec["stop_on_nan"])
    install_reporter(reporter)
    lifecycle = Lifecycle(spec, reporter, end)
    lifecycle.run()
    report = {**lifecycle.report, "environment": _environment()}
    with suppress(OSError):  # its folder is deleted: there is nobody to tell
        write_at_last(folder, run_files.REPORT, report)
    return 0 if report["ending"] == endings.RETURNED else 1


def redirect(descriptor: int, path: str, flags: int) -> None:
    """Have a file descriptor mean another file."""
    opened = os.open(path, flags)
    os.dup2(opened, descriptor)
    os.close(opened)


def print_to_console(folder: str) -> None:
    """Have all that is printed go to the console file of the run in ``folder``."""
    redirect(1, os.path.join(folder, run_files.CONSOLE), os.O_WRONLY | os.O_APPEND)
    os.dup2(1, 2)


def read_spec(folder: str) -> dict[str, Any]:
    """The ``launch.Spec`` in a run's folder."""
    spec: dict[str, Any] = read_json(folder, run_files.SPEC)
    return spec


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
