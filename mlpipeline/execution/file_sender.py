"""A thread that sends the files of runs to MLflow: they may take their time, and nothing waits."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

import msgspec

from mlpipeline.execution.mlflow_store import Unreachable
from mlpipeline.execution.sending import Sending

PAUSE = 30.0  # seconds before the next try of any file, where nobody answers
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 960.0  # before that of one that failed, so others go first


class _Failure(msgspec.Struct, frozen=True):
    why: str
    pause: float  # seconds
    until: float  # monotonic seconds


class FileSender:
    """Each file is tried by itself: one that can't be sent holds up no other."""

    def __init__(self, rung: Callable[[], None]):
        """``rung`` is called when there is something new to look at; from the thread."""
        self._rung = rung
        self._queue: queue.SimpleQueue[tuple[Sending, str, tuple[int, int]]] = queue.SimpleQueue()
        self._queued: set[tuple[str, str]] = set()  # folder and name
        self._failed: dict[tuple[str, str], _Failure] = {}
        self._silence = ""  # why none is sent at all
        self._next_try = 0.0  # monotonic seconds
        threading.Thread(target=self._work, daemon=True).start()

    @property
    def problem(self) -> str:
        """Why files can't be sent, for now; empty for nothing."""
        if self._silence:
            return f"files can't be sent: {self._silence}"
        failures = list(self._failed.values())
        return failures[0].why if failures else ""

    @property
    def is_at_work(self) -> bool:
        """Whether there is something to send that can be sent."""
        return bool(self._queued)

    def send(self, sending: Sending) -> None:
        """Have those files of an attempt sent that have not been."""
        now, folder = time.monotonic(), sending.told.folder
        if now < self._next_try:
            return
        missing = dict(sending.files())
        for _, name in [key for key in list(self._failed) if key[0] == folder]:
            if name not in missing:  # it has been removed
                self._failed.pop((folder, name), None)
        for name, stamp in missing.items():
            key = (folder, name)
            failure = self._failed.get(key)
            if key not in self._queued and (failure is None or now >= failure.until):
                self._queued.add(key)
                self._queue.put((sending, name, stamp))

    def forget(self, folder: str) -> None:
        """Nothing more is sent of that attempt."""
        for key in [key for key in list(self._failed) if key[0] == folder]:
            self._failed.pop(key, None)

    def _work(self) -> None:
        while True:
            sending, name, stamp = self._queue.get()
            key = (sending.told.folder, name)
            try:
                if time.monotonic() >= self._next_try:
                    self._try(key, sending, stamp)
            finally:
                self._queued.discard(key)
                if not self._queued:
                    self._rung()

    def _try(self, key: tuple[str, str], sending: Sending, stamp: tuple[int, int]) -> None:
        _, name = key
        silence = ""
        try:
            sending.upload(name, stamp)
            self._failed.pop(key, None)
        except Exception as error:  # also one of ours: the thread goes on
            before = self._failed.get(key)
            pause = min(2 * before.pause, LONGEST_PAUSE) if before else FIRST_PAUSE
            why = f"the artifact {name} of {sending.told.run} can't be sent for now: {error}"
            now = time.monotonic()
            self._failed[key] = _Failure(why, pause, now + pause)
            if isinstance(error, Unreachable):
                silence, self._next_try = str(error), now + PAUSE
        self._silence = silence
