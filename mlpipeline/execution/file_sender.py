"""A thread that sends the files of runs to MLflow: they may take their time, and nothing waits."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from mlpipeline.execution.sending import Sending

PAUSE = 30.0  # seconds before the next try of a file that could not be sent


class FileSender:
    """``problem`` is why files can't be sent, for now; empty for nothing."""

    def __init__(self, rung: Callable[[], None]):
        """``rung`` is called when there is something new to look at; from the thread."""
        self.problem = ""
        self._rung = rung
        self._queue: queue.SimpleQueue[tuple[Sending, str, tuple[int, int]]] = queue.SimpleQueue()
        self._queued: set[tuple[str, str]] = set()  # folder and name
        self._next_try = 0.0  # monotonic seconds
        threading.Thread(target=self._work, daemon=True).start()

    @property
    def is_at_work(self) -> bool:
        """Whether there is something to send that can be sent."""
        return bool(self._queued)

    def send(self, sending: Sending) -> None:
        """Have those files of an attempt sent that have not been."""
        if time.monotonic() < self._next_try:
            return
        for name, stamp in sending.files():
            key = (sending.told.folder, name)
            if key not in self._queued:
                self._queued.add(key)
                self._queue.put((sending, name, stamp))

    def _work(self) -> None:
        while True:
            sending, name, stamp = self._queue.get()
            try:
                if time.monotonic() >= self._next_try:
                    sending.upload(name, stamp)
                    self.problem = ""
            except Exception as error:  # also one of ours: the thread goes on
                self.problem = f"files can't be sent: {error}"
                self._next_try = time.monotonic() + PAUSE
            finally:
                self._queued.discard((sending.told.folder, name))
                if not self._queued:
                    self._rung()
