"""Child process: sends runs to MLflow. A session has one of them, and so has `mlpipeline track`.

It is told of attempts on its standard input (an Order, then tracking.Told, a line each), reads in
their folders what there is to send, and says on its standard output how that goes (State, a line
each). At the end of its input it sends what is left, and ends; at once, where the server is down.

Attempts take turns, but for those that have just started: they wait for their MLflow run.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO, TypeVar

import msgspec

from mlpipeline.core.tracking import State, Told
from mlpipeline.errors import StorageError
from mlpipeline.execution.file_sender import FileSender
from mlpipeline.execution.helper_process import Order
from mlpipeline.execution.mlflow_store import Failed, Refused, Store, Unreachable
from mlpipeline.execution.pipeline_runs import PipelineRuns
from mlpipeline.execution.sending import Sending
from mlpipeline.state.mlflow_config import MISSING

T = TypeVar("T")

LOOK = 1.0  # seconds between two looks at what runs have written
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds before the next try, where the server is down
STUCK = 300.0  # seconds before the next try of an attempt that is refused as a whole
WAIT_FOR_LOCK = 0.1  # seconds between two tries


def main() -> None:
    """Send what is told, until the end of the input, and what is left then."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever MLflow prints is no answer
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    mouth = _Mouth(answers)
    try:
        _send(order, _Inbox(sys.stdin.buffer), mouth)
    except BrokenPipeError:  # whoever wanted it is gone
        return
    except ImportError as error:
        mouth.say(is_up=False, problem=MISSING if error.name == "mlflow" else str(error))
    except Exception as error:  # of ours, or of any library
        mouth.say(is_up=False, problem=f"{type(error).__name__}: {error}")
        raise


def _send(order: Order, inbox: _Inbox, mouth: _Mouth) -> None:
    from filelock import FileLock, Timeout  # beside the import of mlflow, for nothing

    store = Store(order.settings.uri, order.settings.timeout)
    with suppress(Unreachable):  # which is said as soon as something can be sent
        store.open()
    lock = FileLock(order.lock, timeout=0)
    while not lock.is_locked:  # as long as another helper sends what is left
        with suppress(Timeout):
            lock.acquire()
        if not lock.is_locked:
            if inbox.is_over:
                return
            time.sleep(WAIT_FOR_LOCK)
    try:
        _Helper(order, store, inbox, mouth).work()
    finally:
        lock.release()


class _Helper:
    def __init__(self, order: Order, store: Store, inbox: _Inbox, mouth: _Mouth):
        self._inbox = inbox
        self._mouth = mouth
        self._store = store
        self._files = FileSender(inbox.ring)
        pipelines = self._pipelines = PipelineRuns(store, order.project)
        self._made: Callable[[Told], Sending] = lambda told: Sending(
            told, order.settings, store, pipelines, order.project, mouth.warn_once
        )
        self._sendings: dict[str, Sending] = {}  # by folder, in the order they were told
        self._new: list[Sending] = []  # that wait for their MLflow run
        self._stuck: dict[str, float] = {}  # by folder, until when (monotonic seconds)
        self._pauses: dict[str, float] = {}  # by folder, seconds: of attempts that are stuck
        self._settle_from = 0.0  # monotonic seconds
        self._is_hasty = False  # something is tried once more at once
        self._pause = FIRST_PAUSE
        self._is_busy = False

    def work(self) -> None:
        """Until the input is over, and all is sent or the server is down."""
        while True:
            is_over, files_at_work = self._inbox.is_over, self._files.is_at_work
            self._take(0.0 if self._is_busy or is_over else LOOK)
            try:
                self._is_busy = self._round()
            except (Unreachable, StorageError) as error:
                self._say(is_up=False, problem=str(error))
                self._let_go()
                if is_over:
                    return
                self._sleep()
                continue
            self._pause = FIRST_PAUSE
            self._say(is_up=True, problem=self._files.problem)
            if is_over and not self._is_busy:
                if not files_at_work and not self._files.is_at_work:
                    return
                self._take(LOOK)

    def _sleep(self) -> None:
        """Until the server is tried again; new attempts are heard of meanwhile."""
        until = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        while not self._inbox.is_over and (left := until - time.monotonic()) > 0:
            self._take(left)
            self._let_go()

    def _let_go(self) -> None:
        """What waits for its MLflow run would wait in vain."""
        with suppress(StorageError):  # it waits as long as it may
            for sending in self._new:
                sending.let_go()

    def _round(self) -> bool:
        """A step of each attempt; whether there may be more to do at once."""
        self._store.open()
        self._begin_new()
        is_busy = self._is_hasty = False
        for sending in list(self._sendings.values()):
            is_busy = self._advance(sending) or is_busy
            self._take(0.0)
            self._begin_new()
        self._settle()
        return is_busy or self._is_hasty

    def _settle(self) -> None:
        if time.monotonic() < self._settle_from:
            return
        try:
            self._pipelines.settle()
        except (Failed, Unreachable) as failed:
            self._store.probe()
            self._settle_from = time.monotonic() + LONGEST_PAUSE
            self._mouth.warn_once(f"the end of a pipeline can't be sent for now: {failed}")

    def _begin_new(self) -> None:
        """What runs wait for goes before all else."""
        while self._new:
            sending = self._new[0]
            before = self._sendings.get(sending.told.resumed)
            if before is not None:
                self._tried(before, before.begin)
            self._tried(sending, sending.begin)
            del self._new[0]

    def _advance(self, sending: Sending) -> bool:
        if self._stuck.get(sending.told.folder, 0.0) > time.monotonic():
            return False
        before = self._sendings.get(sending.told.resumed)
        if before is not None and not before.is_ended:
            return False  # it has its turn, and they share an MLflow run
        more = self._tried(sending, sending.advance)
        if sending.sent.run and not sending.sent.gone:
            self._files.send(sending)
        if sending.is_done:
            self._files.forget(sending.told.folder)
            del self._sendings[sending.told.folder]
            self._say(done=sending.told.folder)
        return bool(more)

    def _tried(self, sending: Sending, call: Callable[[], T]) -> T | None:
        """``call()``; None where that fails, and it is no matter of other attempts."""
        name, folder = sending.told.run, sending.told.folder
        try:
            done = call()
        except Refused as refused:
            sending.doubt()
            if not sending.sent.run:  # perhaps nobody's is taken
                self._store.probe()
            self._hold(folder, STUCK)
            self._mouth.warn_once(f"{name} is not taken: {refused}")
        except (Failed, Unreachable) as failed:
            sending.doubt()
            self._store.probe()
            if sending.lessen():
                self._is_hasty = True
            else:
                self._hold(folder, min(2 * self._pauses.get(folder, 0.5), LONGEST_PAUSE))
                text = f"{name} can't be sent for now: {failed}"
                self._mouth.warn_once(text, of=str(failed))
        except (StorageError, BrokenPipeError):
            sending.doubt()
            raise
        except Exception as error:  # of ours; the others are sent all the same
            sending.doubt()
            self._hold(folder, STUCK)
            self._mouth.warn_once(f"{name} can't be sent: {type(error).__name__}: {error}")
        else:
            self._pauses.pop(folder, None)
            return done
        return None

    def _hold(self, folder: str, pause: float) -> None:
        """Don't try that attempt for some seconds."""
        self._pauses[folder] = pause
        self._stuck[folder] = time.monotonic() + pause

    def _take(self, seconds: float) -> None:
        """Hear of attempts; wait ``seconds`` at most for something new."""
        for told in self._inbox.told(seconds):
            known = self._sendings.get(told.folder)
            if known is not None:
                known.told = told
                continue
            sending = self._sendings[told.folder] = self._made(told)
            if told.over is None:
                self._new.append(sending)

    def _say(self, *, is_up: bool | None = None, problem: str = "", done: str = "") -> None:
        left = sum(each.told.over is not None for each in self._sendings.values())
        self._mouth.say(is_up=is_up, problem=problem, left=left, done=done)


class _Mouth:
    """Says how it goes, where that is something new."""

    def __init__(self, answers: IO[bytes]):
        self._answers = answers
        self._said = State()
        self._is_silent = True  # that it works at all is worth a line
        self._warned: set[str] = set()
        self._lock = threading.Lock()

    def say(
        self, *, is_up: bool | None = None, problem: str = "", left: int = 0, done: str = ""
    ) -> None:
        """``is_up``: None where that is as it was, and the problem, too."""
        if is_up is None:
            is_up, problem = self._said.is_up, self._said.problem
        now = State(is_up=is_up, problem=problem, left=left)
        if now != self._said or done or self._is_silent:
            self._is_silent = False
            self._write(msgspec.structs.replace(now, done=done))
        self._said = now

    def warn_once(self, text: str, of: str = "") -> None:
        """Say what is left out, or fails; with ``of``, once of all that. From any thread."""
        if (of or text) not in self._warned:
            self._warned.add(of or text)
            self._write(msgspec.structs.replace(self._said, warning=text))

    def _write(self, state: State) -> None:
        with self._lock:
            self._answers.write(msgspec.json.encode(state) + b"\n")


class _Inbox:
    """What is told, as a thread takes it in."""

    def __init__(self, lines: IO[bytes]):
        self.is_over = False
        self._queue: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def ring(self) -> None:
        """End the waiting in :meth:`told`."""
        self._queue.put(b"")

    def told(self, seconds: float) -> list[Told]:
        """What has been told since; waits up to ``seconds`` for something."""
        lines = []
        with suppress(queue.Empty):
            lines.append(self._queue.get(timeout=seconds) if seconds else self._queue.get_nowait())
            while True:
                lines.append(self._queue.get_nowait())
        return [msgspec.json.decode(line, type=Told) for line in lines if line.strip()]

    def _read(self, lines: IO[bytes]) -> None:
        for line in lines:
            self._queue.put(line)
        self.is_over = True
        self.ring()
