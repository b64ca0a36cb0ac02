"""What the scheduler and a run's own processes tell each other through the run's folder."""

from __future__ import annotations

from typing import Any

import msgspec

from mlpipeline.core.curves import Summary
from mlpipeline.core.runs import Moment


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
    outputs: str = ""  # absolute path: where runs and artifacts lie
    anew: bool = False  # a person wants it run again, whatever has been made
    overrides: str = ""  # Hydra's, that the list adds to those of the file
    parameters: dict[str, Any] = {}  # of the version, as plain data without secrets
    test: bool  # a rehearsal: one step, nothing is kept
    fresh: bool  # not the continuation of an earlier attempt
    threads: int | None = None  # that its libraries may use; None: it does not say
    gpus: tuple[str, ...] | None = None  # that it may see; None: all
    timeout: float | None = None  # seconds that it may take
    stall_timeout: float | None = None  # seconds that it may be silent
    grace: float = 30.0  # seconds between asking it to end and killing it
    stop_on_nan: bool = False
    console_limit: int | None = None  # bytes that are kept of what it prints

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
    worker: ProcessStamp  # runs the user's code
    process_group: int  # that the worker leads
    started_at: Moment


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An exception in one part of a run."""

    part: str  # e.g. "train_model"
    type: str
    message: str
    traceback: str  # the user's frames only
    bases: list[str] = []  # names of all classes that the exception is an instance of
    errno: int | None = None  # of an OSError

    @property
    def line(self) -> str:
        """Type and first line of the message, as a traceback ends."""
        first = next(iter(self.message.splitlines()), "")
        return f"{self.type}: {first}" if first else self.type


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """``report.json``: what the worker says of the user's code, when that came to an end.

    The supervisor copies it into exit.json; by itself it counts where the supervisor was killed.
    """

    ending: str  # a word of core/endings.py
    detail: str = ""
    signal: int | None = None  # that ended the program of a command
    ended_at: Moment | None = None
    failures: list[Failure] = []
    steps: int | None = None  # that train_model was given
    trained_before: int | None = None
    results: dict[str, Any] = {}
    step: dict[
        str, Any
    ] = {}  # of a pipeline: inputs, artifacts, outputs, cached (the run it is by)
    metrics: dict[str, Summary] = {}  # by name, of this attempt
    summary: dict[str, str] = {}
    environment: dict[str, Any] = {}


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """``exit.json``: how the worker process ended, written by its supervisor."""

    status: int | None  # exit status, None when a signal ended it
    signal: int | None
    ended_at: Moment
    cpu_seconds: float
    peak_memory: int  # bytes, of the largest single process
    limit: str | None = None  # "timeout" | "stalled": why the supervisor ended the worker
    limit_detail: str = ""
    oom_kills: int = 0  # processes that the kernel killed for want of memory, in the run's cgroup


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
