"""The port: what the scheduler asks of a place where runs are executed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from mlpipeline.core.launch import Exit, Report, Spec

Handle = str  # names a submitted run, and survives a restart of the scheduler


class Running(msgspec.Struct, frozen=True):
    """The run is there."""


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """The run is over; ``exit`` and ``report`` are what its processes left, if they could.

    ``began``: it has had a process at all. ``prepared``: the model_dir had been made ready for it.
    ``last_sign`` is when its processes last wrote anything, where that is all there is.
    """

    exit: Exit | None = None
    report: Report | None = None
    began: bool = True
    prepared: bool = False
    last_sign: datetime | None = None


Observation = Running | Gone


class Executor(Protocol):
    """Starts runs, watches them and stops them; knows nothing of queues and rules."""

    def unready(self) -> str | None:
        """What a start waits for; empty where that need not be mentioned, None for nothing.

        :meth:`wait` returns when that is another one.
        """

    def preload(self, modules: Sequence[str]) -> None:
        """Have ``modules``, by their names, at hand for the runs to come, as far as that can be."""

    def submit(self, spec: Spec) -> Handle:
        """Start the run; its folder exists. Raises StorageError when it can't be started."""

    def handle_of(self, spec_folder: str) -> Handle:
        """The handle of a run that an earlier session submitted."""

    def poll(self, handles: Collection[Handle]) -> dict[Handle, Observation]:
        """What has become of the runs, all at once."""

    def stop(self, handle: Handle, grace: float) -> None:
        """Ask the run to end; whatever is left of it after ``grace`` seconds is killed."""

    def close(self) -> None:
        """Let go of what is held for further runs; those that go on are left alone."""

    def wait(self, handles: Collection[Handle], timeout: float, wake: int) -> None:
        """Return when a run may have ended, ``wake`` (a file descriptor) is readable, or after
        ``timeout`` seconds.
        """
