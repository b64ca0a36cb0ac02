"""Child process: a clean, single-threaded interpreter, from which runs are forked at once.

It has imported what every run imports, and what `preload` names, but no model script; it opens no
GPU and starts no thread. One worker is forked ahead and waits for its run. Each request, on
standard input, is the length (4 bytes, native order) and the name of a run's folder. Each answer,
on standard output, is a word of processes.py and the number of the request that it is about (4
bytes each, native order). The nursery supervises what it has forked: when its input has come to its
end, it stays until the last of its runs has. See docs/decisions/0011.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import io
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
from mlpipeline.execution.supervisor import Ward, this_process
from mlpipeline.execution.worker import read_spec, redirect
from mlpipeline.execution.writing import WAIT_FOR_ROOM
from mlpipeline.sources.loading import source_of

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Collection

_c_library = ctypes.CDLL(None)

STREAMS = 3  # that every process has
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
    nursery = _Nursery(frozenset(sys.modules))
    gc.freeze()  # what is here is not looked at again in each run
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
        self._unwritten: deque[tuple[float, Ward]] = deque()  # recorded, perhaps in memory only
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
        self._spare: Spare | None = None

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
            while self._waiting and (spare := self._have_spare()):
                self._spare = None
                self._begin(spare)
            self._have_spare()
            if self._spare and not self._is_open:
                self._spare.dismiss()
                self._spare = None

    def _have_spare(self) -> Spare | None:
        """The worker that waits; None where there is to be none, or can't be one for now."""
        if self._spare and not self._spare.is_there():  # somebody killed it
            self._spare = None
        if self._spare is None and (self._is_open or self._waiting):
            with suppress(OSError):
                self._spare = Spare(self._end, self._leave, self._end)
        return self._spare

    def _end(self, status: int) -> None:
        _end(status, self._inherited)

    def _pause(self) -> float | None:
        """Seconds until something is due."""
        now = time.monotonic()
        due = [ward.due for ward in self._wards.values()]
        times = [max(0.0, moment - now) for moment in due if moment is not None]
        if self._unrecorded or (self._is_open and self._spare is None):  # what can't be done now
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
        source_of(spec["script"]).keep(spec["script"])
        if len(sys.modules) > len(self._inherited):  # what reads a command file
            self._inherited = frozenset(sys.modules)
            gc.freeze()

    def _close(self) -> None:
        """There will be no more requests; the scheduler may be dead."""
        self._is_open = False
        while self._unwritten:
            self._unwritten.popleft()[1].sync()

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
                self._keep(ward)

    def _keep(self, ward: Ward) -> None:
        """As long as there is a scheduler, its history has the end on the platter; once there is
        none, this does.
        """
        now = time.monotonic()
        self._unwritten.append((now, ward))
        while self._unwritten and (not self._is_open or self._unwritten[0][0] < now - UNWRITTEN):
            ward = self._unwritten.popleft()[1]
            if not self._is_open:
                ward.sync()

    def _say(self, word: int, number: int) -> None:
        with suppress(BrokenPipeError):  # the scheduler is gone
            os.write(self._answers, ANSWER.pack(word, number))

    def _leave(self) -> None:
        """What a fresh process has and a forked one has not, and the other way round."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in (self._requests, self._answers, *self._inner):
            os.close(descriptor)
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


def _end(status: int, inherited: Collection[str]) -> None:
    """End a run as Python would, but for taking down what the nursery had imported: of that, all
    pages would be copied, which takes five times as long as the rest of a short run.

    As in Py_FinalizeEx: threads are waited for, exit handlers called, the run's own modules and
    what they hold let go, streams flushed, and the C library's exit handlers called.
    """
    threading = sys.modules.get("threading")
    try:
        if threading:
            threading._shutdown()
        atexit._run_exitfuncs()
    except BaseException as error:  # Ctrl-C, say
        sys.excepthook(type(error), error, error.__traceback__)
    _flush_files()
    # A command's program has been put in the place of __main__.
    for name in [name for name in sys.modules if name == "__main__" or name not in inherited]:
        del sys.modules[name]
    gc.collect()
    for stream in (sys.stdout, sys.stderr):
        if stream is None or getattr(stream, "closed", False):
            continue
        try:
            stream.flush()
        except Exception:  # a full disk, or whatever a script has put there
            status = status or 120  # as Python has it
    _c_library.exit(status)


def _flush_files() -> None:
    """Files that were never closed lose their last words when they are collected in a cycle, the
    buffer before its text (bpo-17852).
    """
    with suppress(OSError):  # not Linux
        if len(os.listdir("/proc/self/fd")) <= STREAMS + 1:  # the folder itself is open, too
            return
    for each in gc.get_objects():
        if isinstance(each, io.IOBase):
            with suppress(Exception):  # closed, or not for writing
                each.flush()
