"""Opens model scripts, a few at a time, and tells what is found in them.

A thread, and the child that it asks (inspecting.py), are there as long as there is work.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from threading import Lock, Thread

import msgspec

from mlpipeline.core.judging import signal_name
from mlpipeline.execution.findings import Findings, failure, read_findings
from mlpipeline.execution.inspecting import InspectorChild, Task
from mlpipeline.execution.processes import CUT_OFF, UNABLE
from mlpipeline.state.files import NOT_A_RECORD
from mlpipeline.state.machine import cpu_count

TRIES = 2  # of one inspection, where the inspector itself is killed
MOST_PRINTED = 16 << 20  # bytes, while a script is imported
LOOK = 0.2  # seconds between two looks at how much that is
LEISURE = 10.0  # times the timeout for what has the lowest priority beside others


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What came of opening a script."""

    ticket: int
    path: str  # in models_dir
    findings: Findings
    versions: memoryview | None = None  # those of the findings, encoded
    answered: bool = False  # otherwise it crashed, was killed, or took too long
    environment: str = ""  # as findings.environment, when it was opened


class Opener:
    """Opens scripts: urgent ones, as many at a time as there are CPUs; and then, one at a time and
    at the lowest priority, those that nobody waits for.
    """

    def __init__(
        self,
        models_dir: Path,
        project: Path,
        timeout: float,
        tell: Callable[[Sequence[Opened]], float | None],
        most: int | None = None,
    ):
        """``timeout``: seconds that importing a script may take. ``most``: jobs of a sweep.

        ``tell`` is called, in the opener's thread, with what has been opened. It may return in how
        many seconds it wants to be called again, even if nothing has been opened by then.
        """
        self._models_dir = models_dir
        self._project = project
        self._timeout = timeout
        self._tell = tell
        self._most = most
        self._width = cpu_count()
        self._lock = Lock()  # for what follows
        self._urgent: deque[Task] = deque()
        self._leisurely: deque[Task] = deque()
        self._wanted: set[int] = set()  # tickets of which somebody waits for the answer
        self._last_ticket = 0
        self._in_a_hurry = False
        self._is_closed = False
        self._thread: Thread | None = None
        self._is_at_work = False
        self._error: Exception | None = None
        self._bell, self._ringer = socket.socketpair()
        for end in (self._bell, self._ringer):
            end.setblocking(False)

    def open(self, path: str, text: str = "", *, leisurely: bool = False) -> int:
        """Have a script opened, behind whose name the list has ``text``; returns a number by which
        the answer is known.
        """
        with self._lock:
            self._last_ticket += 1
            self._wanted.add(self._last_ticket)
            task = Task(self._last_ticket, path, text, leisurely=leisurely)
            (self._leisurely if leisurely else self._urgent).append(task)
            self._start()
        self._ring()
        return task.ticket

    def drop(self, ticket: int) -> None:
        """Nobody waits for that answer any more."""
        with self._lock:
            self._wanted.discard(ticket)
        self._ring()

    def take_error(self) -> Exception | None:
        """What went wrong in the thread, told once; what was to be opened then is not.

        Those who wait are to ask now and then.
        """
        with self._lock:
            self._start()
            error, self._error = self._error, None
        return error

    def _start(self) -> None:
        """See to it that somebody is at work, if there is some."""
        if self._is_at_work or self._is_closed or not (self._urgent or self._leisurely):
            return
        if self._thread:
            self._thread.join()  # it is just letting its child go
            self._thread = None
        thread = Thread(target=self._work, name="opener", daemon=True)
        with suppress(RuntimeError):  # no room for a thread now: readers come again
            thread.start()
            self._thread, self._is_at_work = thread, True

    def hurry(self, wanted: bool) -> None:
        """Whether what nobody waits for may have the whole machine."""
        if wanted != self._in_a_hurry:
            self._in_a_hurry = wanted
            self._ring()

    def close(self) -> None:
        """Open nothing more, and end what is open."""
        self._is_closed = True
        self._ring()
        with self._lock:
            thread = self._thread
        if thread:
            thread.join()
        self._bell.close()
        self._ringer.close()

    def _ring(self) -> None:
        with suppress(BlockingIOError):  # it rings already
            self._ringer.send(b"!")

    # ------------------------------------------------------------------ in the thread

    def _work(self) -> None:
        try:
            self._open_all()
        except Exception as error:  # those who wait for answers are to hear of it
            with self._lock:
                for waiting in (self._urgent, self._leisurely, self._wanted):
                    waiting.clear()
                self._error, self._is_at_work = error, False

    def _open_all(self) -> None:
        pause: float | None = None
        with closing(InspectorChild(self._models_dir, self._project, self._most)) as inspector:
            while not self._is_closed:
                opened = [*self._begin(inspector)]
                with self._lock:
                    waits = inspector.open or self._urgent or self._leisurely
                    if not waits and not opened and pause is None:
                        self._is_at_work = False
                        return
                if not opened:
                    self._wait(inspector, pause)
                    opened = [*self._hear(inspector)]
                pause = self._tell(opened)

    def _begin(self, inspector: InspectorChild) -> Iterator[Opened]:
        """Open what is due; tells of what can't be opened."""
        for task in self._due(inspector):
            try:
                inspector.begin(task)
            except OSError as error:  # no process, no room for a temporary file: there may be later
                task.close()
                yield self._failed(task, f"it can't be inspected: {error}", passing=True)

    def _due(self, inspector: InspectorChild) -> list[Task]:
        """What is to be opened now."""
        if inspector.open and inspector.is_outdated:
            return []
        due: list[Task] = []
        with self._lock:
            for queue in (self._urgent, self._leisurely):
                for task in [task for task in queue if task.ticket not in self._wanted]:
                    queue.remove(task)
            while self._urgent and len(inspector.open) + len(due) < self._width:
                due.append(self._urgent.popleft())
            most = self._width if self._in_a_hurry else 1
            while self._leisurely and len(inspector.open) + len(due) < most:
                due.append(self._leisurely.popleft())
        return due

    def _wait(self, inspector: InspectorChild, pause: float | None) -> None:
        """Until an inspection ends or takes too long, somebody rings, or for ``pause`` seconds;
        what is open is looked at now and then.
        """
        ends = [self._ends_at(task) for task in inspector.open.values() if not task.ended_for]
        pauses = [min(LOOK, end - time.monotonic()) for end in ends]
        pauses += [] if pause is None else [pause]
        timeout = max(0.0, min(pauses)) if pauses else None
        with selectors.DefaultSelector() as selector:
            for each in (self._bell, *inspector.sockets):
                selector.register(each, selectors.EVENT_READ)
            selector.select(timeout)
        with suppress(BlockingIOError):
            self._bell.recv(4096)

    def _ends_at(self, task: Task) -> float:
        is_slow = task.leisurely and not self._in_a_hurry
        return task.begun_at + self._timeout * (LEISURE if is_slow else 1.0)

    def _hear(self, inspector: InspectorChild) -> Iterator[Opened]:
        """What has been opened since, but for what was dropped; end what takes too long."""
        for task, status in inspector.ended():
            if task.ticket not in self._wanted:
                task.close()
            elif status is None and task.tries < TRIES:
                with self._lock:
                    self._urgent.appendleft(task)
            else:
                yield self._read(task, status, inspector.environment)
        for task in inspector.open.values():
            if not task.ended_for and (reason := self._must_end(task)):
                task.ended_for = reason
                inspector.end(task)

    def _must_end(self, task: Task) -> str:
        """Why an inspection is to be ended now, if it is."""
        if task.ticket not in self._wanted:
            return "nobody waits for it"
        if task.printed > MOST_PRINTED:
            return f"it prints more than {MOST_PRINTED >> 20} MB when it is imported"
        if time.monotonic() >= self._ends_at(task):
            return f"importing it takes longer than inspect_timeout ({self._timeout:g} s)"
        return ""

    def _read(self, task: Task, status: int | None, environment: str) -> Opened:
        """What the inspection found that ended with ``status``."""
        content, output = task.contents()
        passing = False
        if task.ended_for and status:
            problem = task.ended_for
        elif status is None:
            problem, passing = "it can't be inspected: the inspector was killed", True
        elif status == UNABLE:
            problem, passing = "it can't be inspected: no process, or no room for the answer", True
        elif status == CUT_OFF:
            problem = "it closes files that it has not opened when it is imported"
        elif status or not content:
            problem = f"it ended the process when it was imported ({_status(status)})"
        else:
            try:
                findings, versions = read_findings(content)
            except NOT_A_RECORD as error:
                problem = f"what it says of its versions can't be read: {error}"
            else:
                self._wanted.discard(task.ticket)
                return Opened(
                    ticket=task.ticket,
                    path=task.path,
                    findings=findings,
                    versions=versions,
                    answered=True,
                    environment=environment,
                )
        return self._failed(task, problem, _tail(output), passing=passing)

    def _failed(self, task: Task, problem: str, output: str = "", *, passing: bool) -> Opened:
        self._wanted.discard(task.ticket)
        script = str(self._models_dir / task.path)
        findings = failure(problem, script, task.stamp, output, passing=passing, text=task.text)
        return Opened(ticket=task.ticket, path=task.path, findings=findings)


def _status(code: int) -> str:
    return signal_name(-code) if code < 0 else f"exit status {code}"


def _tail(output: bytes, lines: int = 20) -> str:
    text = output.decode("utf-8", "replace")
    return "".join(f"{line}\n" for line in text.splitlines()[-lines:])
