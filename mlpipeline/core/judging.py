"""How a run ended, from what its processes left: pure functions from evidence to a verdict."""

from __future__ import annotations

import errno
import re
import signal
from datetime import datetime

from mlpipeline.core import endings
from mlpipeline.core.launch import Exit, Failure, Report
from mlpipeline.core.runs import Outcome, Verdict

CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT}
LIMITS = {"timeout": Outcome.TIMEOUT, "stalled": Outcome.STALLED}

# What libraries raise for want of memory: Python and numpy, torch, TensorFlow.
MEMORY_ERRORS = {"MemoryError", "OutOfMemoryError", "ResourceExhaustedError"}
# What they say where all they raise is a RuntimeError: torch, CUDA, cuBLAS, JAX.
MEMORY_WORDS = re.compile(
    r"out of memory|can't allocate memory|RESOURCE_EXHAUSTED|ALLOC_FAILED|MemoryAllocation"
)


def judge(
    exit: Exit | None,
    report: Report | None,
    *,
    stopping_at: datetime | None,
    stopping_why: str = "",
    began: bool = True,
) -> Verdict:
    """The verdict on a run that is no longer there.

    ``exit`` is None when its supervisor could not write one, ``report`` when the user's code never
    came to an end that Python sees. ``stopping_at``: when it was asked to stop, if it was. What
    returns after that may have trained less than it should, so it counts as cut short;
    ``stopping_why`` is its reason then.
    ``began``: it has had a process at all.
    """
    if report and report.ending == endings.EDITED:
        return Verdict(Outcome.INTERRUPTED, report.detail)
    limit = exit.limit if exit else None
    returned = report and report.ending == endings.RETURNED and (exit is None or exit.status == 0)
    if returned and limit is None and not _ends_after(report, stopping_at):
        return Verdict(Outcome.SUCCEEDED, report.detail if report else "")
    if stopping_at is not None:
        return Verdict(Outcome.INTERRUPTED, stopping_why or "asked to stop")
    if not began:
        return Verdict(Outcome.INTERRUPTED, "it never began")
    if exit and limit:
        return Verdict(LIMITS.get(limit, Outcome.KILLED), exit.limit_detail)
    told = _of_report(report) if report else None
    return told or _of_exit(exit, report)


def _of_report(report: Report) -> Verdict | None:
    """What the worker says itself; None where that does not tell."""
    if report.failures:
        lines = "; ".join(dict.fromkeys(failure.line for failure in report.failures))
        return Verdict(_worst(report.failures), lines)
    outcomes = {
        endings.DIVERGED: Outcome.DIVERGED,
        endings.STOPPED: Outcome.INTERRUPTED,
        endings.EXITED: Outcome.FAILED,
    }
    outcome = outcomes.get(report.ending)
    return Verdict(outcome, report.detail) if outcome else None


def _of_exit(exit: Exit | None, report: Report | None) -> Verdict:
    """What the supervisor saw of the worker's end, or did not live to see."""
    if exit is None and report and report.signal:
        return _of_signal(report.signal, 0)
    if exit is None:
        return Verdict(Outcome.LOST, "its processes are gone and left no record of their end")
    if exit.signal is not None:
        return _of_signal(exit.signal, exit.oom_kills)
    if report is None:
        return Verdict(Outcome.FAILED, f"left by os._exit with status {exit.status}")
    if report.ending == endings.UNREADABLE:
        return Verdict(Outcome.FAILED, report.detail)
    how = f"exited with status {exit.status} while Python was shutting down"
    return Verdict(Outcome.FAILED, how)


def signal_name(number: int) -> str:
    """``SIGTERM``; the bare number where the system has no name for it, as for ``signal 35``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _of_signal(number: int, oom_kills: int) -> Verdict:
    if number == signal.SIGKILL and oom_kills:
        return Verdict(Outcome.OUT_OF_MEMORY, "killed by the kernel, which counts such kills")
    outcome = Outcome.CRASHED if number in CRASHES else Outcome.KILLED
    return Verdict(outcome, signal_name(number))


def _worst(failures: list[Failure]) -> Outcome:
    """The outcome of a run that raised: the first with a name of its own, else ``failed``."""
    named = (_outcome_of(failure) for failure in failures)
    return next((outcome for outcome in named if outcome is not Outcome.FAILED), Outcome.FAILED)


def _outcome_of(failure: Failure) -> Outcome:
    kinds = {failure.type.rpartition(".")[2], *failure.bases}
    if failure.errno in (errno.ENOSPC, errno.EDQUOT):
        return Outcome.DISK_FULL
    if kinds & MEMORY_ERRORS or failure.errno == errno.ENOMEM:
        return Outcome.OUT_OF_MEMORY
    if "RuntimeError" in kinds and MEMORY_WORDS.search(failure.message):
        return Outcome.OUT_OF_MEMORY
    if "RuntimeError" in kinds and "No space left on device" in failure.message:
        return Outcome.DISK_FULL
    return Outcome.FAILED


def _ends_after(report: Report | None, moment: datetime | None) -> bool:
    if moment is None:
        return False
    return report is None or report.ended_at is None or report.ended_at >= moment
