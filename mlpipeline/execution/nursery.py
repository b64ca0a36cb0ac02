"""Child process: a clean, single-threaded interpreter, from which runs are forked at once.

It has imported what every run imports, and what `preload` names, but no model script; it opens no
GPU and starts no thread. A worker, or a few, are forked ahead and wait for their runs. Each
request, on standard input, is the length (4 bytes, native order) and the name of a run's folder.
Each answer, on standard output, is a word of processes.py and the number of the request that it is
about (4 bytes each, native order). The nursery supervises what it has forked: when its input has
come to its end, it stays until the last of its runs has. See docs/decisions/0011.
"""

from __future__ import annotations

import gc
import importlib
import os
import random  # noqa: F401 - it seeds itself anew in a forked child, and many scripts use it
import select
import signal
import sys
import time
from collections import deque
from contextlib import suppress

import mlpipeline  # noqa: F401 - what scripts import first
from mlpipeline.api import listed
from mlpipeline.execution.leaving import end, known_modules
from mlpipeline.execution.processes import (
    ANSWER,
    ENDED,
    READY,
    STOP_SIGNALS,
    TRY,
    UNFIT,
    die_with_parent,
    read_message,
)
from mlpipeline.execution.spare import Spare, prepare_streams
from mlpipeline.execution.supervisor import Ward, sync, this_process
from mlpipeline.execution.worker import read_spec, redirect
from mlpipeline.execution.writing import WAIT_FOR_ROOM
from mlpipeline.sources.loading import source_of

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Collection

# Workers that are forked at once where a run begins within SOON seconds of another: after each
# fork, this process copies the pages that it writes to.
SEVERAL, SOON = 4, 0.1
STEPS = "mlpipeline.execution.step_run"
UNWRITTEN = 60.0  # seconds after which the system has written a file by itself


def main() -> None:
    """Import what is named on the command line, then run what is asked for, until there are no more
    requests and no more runs.
    """
    die_with_parent(True)  # a module may take for ever
    problem = _preload(sys.argv[1:])
    die_with_parent(False)
    listed.now = listed.Listed(most=None)  # who listed them has counted the jobs of sweeps
    if problem:
        os.write(2, problem.encode("utf-8", "backslashreplace"))
        os.write(1, ANSWER.pack(UNFIT, 0))
        return
    nursery = _Nursery(known_modules())
    gc.freeze()  # what is here is not looked at again
    nursery.serve()
    os._exit(0)  # there is nothing left to flush, and somebody may wait


class _Nursery:
    """Forks workers and supervises them: one thread that waits for requests and for ends."""

    def __init__(self, inherited: Collection[str]):
        """``inherited``: names of the modules that runs need not take down."""
        self._inherited = inherited
        self._me = this_process()
        self._asked = 0
        self._is_open = True  # for further requests
        self._waiting: deque[str] = deque()  # folders of runs that were asked for
        self._wards: dict[int, Ward] = {}  # by the number of their request
        self._unrecorded: dict[int, Ward] = {}  # they have ended, and the disk did not take it
        # When (monotonic seconds), and folders: recorded, perhaps in memory only.
        self._unwritten: deque[tuple[float, str]] = deque()
        self._requests, self._answers = os.dup(0), os.dup(1)
        redirect(0, os.devnull, os.O_RDONLY)
        redirect(1, os.devnull, os.O_WRONLY)
        prepare_streams()
        self._alarm, alarm = os.pipe()
        self._inner = (self._alarm, alarm)
        for descriptor in self._inner:
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        self._spares: deque[Spare] = deque()  # each waits for its run
        self._newest: float | None = None  # when the newest run began, in monotonic seconds
        self._ahead = 1  # workers that are forked at once

    def serve(self) -> None:
        """Until there is nothing more to do."""
        self._have_spare()
        self._say(READY, 0)
        while self._is_open or self._waiting or self._wards or self._unrecorded:
            inputs = [self._requests, self._alarm] if self._is_open else [self._alarm]
            readable = select.select(inputs, [], [], self._pause())[0]
            if self._alarm in readable:
                with suppress(BlockingIOError):
                    os.read(self._alarm, 4096)
            self._look()
            if self._requests in readable:
                self._hear()
            while self._waiting and self._have_spare():
                self._begin(self._spares.popleft())
            self._have_spare()
            while self._spares and not self._is_open:
                self._spares.popleft().dismiss()

    def _have_spare(self) -> bool:
        """Whether a worker waits; else there is to be none, or can't be one for now."""
        while self._spares and not self._spares[0].is_there():  # somebody killed it
            self._spares.popleft()
        if not self._spares and (self._is_open or self._waiting):
            with suppress(OSError):
                for _ in range(self._ahead):
                    self._spares.append(Spare(self._end, self._leave, self._end))
        return bool(self._spares)

    def _end(self, status: int) -> None:
        end(status, self._inherited)

    def _pause(self) -> float | None:
        """Seconds until something is due."""
        now = time.monotonic()
        due = [ward.due for ward in self._wards.values()]
        times = [max(0.0, moment - now) for moment in due if moment is not None]
        if self._unrecorded or (self._is_open and not self._spares):  # what can't be done now
            times.append(WAIT_FOR_ROOM)
        return min(times, default=None)

    def _hear(self) -> None:
        """Take a request; the end of the input is the end of the session."""
        said = read_message(self._requests)
        if said:
            self._waiting.append(os.fsdecode(said))
        else:
            self._close()

    def _begin(self, spare: Spare) -> None:
        """Give the run that was asked for first to ``spare``."""
        folder = self._waiting.popleft()
        self._asked += 1
        now = time.monotonic()
        is_soon = self._newest is not None and now - self._newest < SOON
        self._ahead, self._newest = SEVERAL if is_soon else 1, now
        try:
            spec = read_spec(folder)
            ward = Ward(folder, spec, spare, self._me)
            ward.begin()
        except (
            OSError,
            ValueError,
        ):  # given up by a later scheduler, a full disk, a deleted folder
            spare.dismiss()
            self._say(ENDED, self._asked)
            return
        self._wards[self._asked] = ward
        source = source_of(spec["script"])
        source.keep(spec["script"])
        if hasattr(source, "step_of"):
            importlib.import_module(STEPS)  # what runs a step; it takes 20 ms
        if len(sys.modules) > len(self._inherited):  # what reads a command file
            self._inherited = known_modules()
            gc.freeze()

    def _close(self) -> None:
        """There will be no more requests; the scheduler may be dead."""
        self._is_open = False
        while self._unwritten:
            sync(self._unwritten.popleft()[1])

    def _look(self) -> None:
        """Hold runs to their limits, and record their ends."""
        for number, ward in list(self._wards.items()):
            if ward.has_ended():
                self._unrecorded[number] = self._wards.pop(number)
            else:
                ward.look()
        for number, ward in list(self._unrecorded.items()):
            if ward.record():
                del self._unrecorded[number]
                self._say(ENDED, number)
                self._keep(ward.folder)

    def _keep(self, folder: str) -> None:
        """As long as there is a scheduler, its history has the end on the platter; once there is
        none, this does.
        """
        now = time.monotonic()
        self._unwritten.append((now, folder))
        while self._unwritten and (not self._is_open or self._unwritten[0][0] < now - UNWRITTEN):
            folder = self._unwritten.popleft()[1]
            if not self._is_open:
                sync(folder)

    def _say(self, word: int, number: int) -> None:
        with suppress(BrokenPipeError):  # the scheduler is gone
            os.write(self._answers, ANSWER.pack(word, number))

    def _leave(self) -> None:
        """What a fresh process has and a forked one has not, and the other way round."""
        gc.freeze()  # what has come since is not the run's garbage, either
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in (self._requests, self._answers, *self._inner):
            os.close(descriptor)
        for spare in self._spares:
            spare.close()
        numpy = sys.modules.get("numpy")
        if numpy:
            numpy.random.seed()


def _preload(modules: list[str]) -> str:
    """Import them; why runs can't be forked after that, in a person's words."""
    for name in modules:
        try:
            importlib.import_module(name.removeprefix(TRY))
        except BaseException as error:  # whatever a module raises at import
            if name.startswith(TRY):  # the run says why
                continue
            is_missing = isinstance(error, ModuleNotFoundError) and error.name == name
            remedy = "; install it, or name its folder in PYTHONPATH" if is_missing else ""
            return f"{name} can't be imported: {type(error).__name__}: {error}{remedy}"
    if _threads() > 1:
        _fork_for_trial()
    if threads := _threads() - 1:
        names = ", ".join(name.removeprefix(TRY) for name in modules)
        return f"{names} starts threads ({threads}), which a forked run would lack"
    return ""


def _fork_for_trial() -> None:
    """Libraries that mind forks, as OpenBLAS does, end their threads for one, and start them when
    they are needed. What is left after it are threads that nobody minds.
    """
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _threads() -> int:
    """How many threads this process has, those of libraries included."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:  # not Linux
        threading = sys.modules.get("threading")
        return int(threading.active_count()) if threading else 1
