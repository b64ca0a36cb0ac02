"""A fake executor: runs end when and how a test says."""

from __future__ import annotations

import select
from datetime import UTC, datetime

from mlpipeline.core.launch import Exit, Failure, Report, Spec
from mlpipeline.core.listening import Listener
from mlpipeline.execution.executors.base import Gone, Running

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def exited(status: int = 0, *, signal: int | None = None) -> Exit:
    return Exit(
        status=None if signal else status,
        signal=signal,
        ended_at=WHEN,
        cpu_seconds=0.0,
        peak_memory=0,
    )


SUCCESS = Gone(
    exit=exited(), prepared=True, report=Report(ending="returned", steps=3, results={"test": 0.5})
)
FAILURE = Gone(
    exit=exited(1),
    report=Report(
        ending="exception",
        failures=[Failure(part="train_model", type="ValueError", message="no", traceback="...")],
    ),
)


class FakeExecutor:
    """Each poll ends the runs whose version is in ``endings``; the rest goes on for ever."""

    def __init__(self, endings: dict[str, Gone] | None = None):
        self.endings = endings or {}
        self.submitted: list[Spec] = []
        self.stopped: list[tuple[str, float]] = []
        self.most_at_once = 0
        self._running: dict[str, Spec] = {}
        self._over: dict[str, Gone] = {}

    def unready(self) -> str | None:
        return None

    def submit(self, spec: Spec) -> str:
        self.submitted.append(spec)
        self._running[spec.folder] = spec
        self.most_at_once = max(self.most_at_once, len(self._running))
        return spec.folder

    def handle_of(self, spec_folder: str) -> str:
        return spec_folder

    def poll(self, handles):
        return {handle: self._observe(handle) for handle in handles}

    def _observe(self, handle: str):
        spec = self._running.get(handle)
        if spec is None:
            return self._over.get(handle, Gone(prepared=True))
        if any(stopped == handle for stopped, _ in self.stopped):
            del self._running[handle]
            return Gone(exit=exited(signal=15))
        if spec.version not in self.endings:
            return Running()
        del self._running[handle]
        self._over[handle] = self.endings[spec.version]
        return self._over[handle]

    def stop(self, handle: str, grace: float) -> None:
        self.stopped.append((handle, grace))

    def close(self) -> None:
        """Nothing is held."""

    def wait(self, handles, timeout, wake) -> None:
        """The next poll decides; the list may be read meanwhile."""
        select.select([wake], [], [], 0.001)


class Recording(Listener):
    """Keeps what it is told."""

    def __init__(self):
        self.events: list[str] = []

    def message(self, at, level, text):
        self.events.append(f"{level.name}: {text}")

    def started(self, launched):
        self.events.append(f"started {launched.run.id}")

    def ended(self, ended):
        self.events.append(f"{ended.run.id} {ended.run.verdict}")
