"""What the scheduler and a run's own processes tell each other through the run's folder."""

from __future__ import annotations

import signal
from datetime import datetime
from typing import Any

import msgspec

from mlpipeline.core.runs import Moment, Outcome, Verdict

CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT}


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """``spec.json``: all that a worker needs to run one version."""

    model: str
    version: str
    attempt: int
    script: str  # absolute path of the model file
    signature: str
    stamp: tuple[int, int]  # the model file's mtime (ns) and size when it was inspected
    folder: str  # absolute path of the run's folder
    project: str  # absolute path; the run's working directory
    models_dir: str  # absolute path
    model_dir: str  # absolute path
    test: bool  # a rehearsal: one step, nothing is kept
    fresh: bool  # not the continuation of an earlier attempt

    @property
    def name(self) -> str:
        """The run's name."""
        return f"{self.model}/{self.version}#{self.attempt}"


class ProcessStamp(msgspec.Struct, frozen=True, kw_only=True):
    """Names one process for all time: a pid alone is used again by others."""

    pid: int
    started: str  # start time as the system counts it (Linux: clock ticks since boot)


class Processes(msgspec.Struct, frozen=True, kw_only=True):
    """``proc.json``: a run's processes, written before any user code."""

    host: str
    boot: str  # the boot's id; the same pid in another boot is another process
    supervisor: ProcessStamp
    worker: ProcessStamp  # runs the user's code, and leads a process group of its own
    started_at: Moment


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An exception in one part of a run."""

    part: str  # e.g. "train_model"
    type: str
    message: str
    traceback: str  # the user's frames only

    @property
    def line(self) -> str:
        """Type and first line of the message, as a traceback ends."""
        first = next(iter(self.message.splitlines()), "")
        return f"{self.type}: {first}" if first else self.type


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """``report.json``: what the worker says of the user's code, when that came to an end.

    The supervisor copies it into exit.json; by itself it counts where the supervisor was killed.
    """

    ending: str  # "returned" | "exception" | "sys.exit" | "edited" | "unreadable"
    detail: str = ""
    ended_at: Moment | None = None
    failures: list[Failure] = []
    steps: int | None = None  # that train_model was given
    trained_before: int | None = None
    results: dict[str, Any] = {}
    summary: dict[str, str] = {}
    environment: dict[str, Any] = {}


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """``exit.json``: how the worker process ended, written by its supervisor."""

    status: int | None  # exit status, None when a signal ended it
    signal: int | None
    ended_at: Moment
    cpu_seconds: float
    peak_memory: int  # bytes, of the largest single process


class Reported(msgspec.Struct, frozen=True):
    """The other half of ``exit.json``: the report as the supervisor found it."""

    report: Report | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """``progress.json``: how far a run is."""

    part: str = ""
    step: int = 0
    total: int | None = None
    rate: float | None = None  # steps a second
    metrics: dict[str, Any] = {}


def judge(exit: Exit | None, report: Report | None, *, stopping_at: datetime | None) -> Verdict:
    """The verdict on a run that is no longer there.

    ``exit`` is None when its supervisor could not write one, ``report`` when the user's code never
    came to an end that Python sees. ``stopping_at``: when it was asked to stop, if it was. What
    returns after that may have trained less than it should, so it counts as cut short.
    """
    if report and report.ending == "edited":
        return Verdict(Outcome.INTERRUPTED, report.detail)
    returned = report and report.ending == "returned" and (exit is None or exit.status == 0)
    if returned and not _ends_after(report, stopping_at):
        return Verdict(Outcome.SUCCEEDED)
    if stopping_at is not None:
        return Verdict(Outcome.INTERRUPTED, "asked to stop")
    if report and report.failures:
        return Verdict(Outcome.FAILED, "; ".join(failure.line for failure in report.failures))
    if report and report.ending == "sys.exit":
        return Verdict(Outcome.FAILED, report.detail)
    if exit is None:
        return Verdict(Outcome.LOST, "its processes are gone and left no record of their end")
    if exit.signal is not None:
        outcome = Outcome.CRASHED if exit.signal in CRASHES else Outcome.KILLED
        return Verdict(outcome, signal_name(exit.signal))
    if report and report.ending == "unreadable":
        return Verdict(Outcome.FAILED, report.detail)
    if report:
        return Verdict(
            Outcome.FAILED, f"exited with status {exit.status} while Python was shutting down"
        )
    return Verdict(Outcome.FAILED, f"left by os._exit with status {exit.status}")


def _ends_after(report: Report | None, moment: datetime | None) -> bool:
    if moment is None:
        return False
    return report is None or report.ended_at is None or report.ended_at >= moment


def signal_name(number: int) -> str:
    """``SIGTERM``; the bare number where the system has no name for it, as for ``signal 35``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
