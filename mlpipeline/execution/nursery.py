"""Child process: a clean, single-threaded interpreter, from which runs are forked at once.

It has imported what every run imports, and what `preload` names, but no model script; it opens no
GPU and starts no thread. Each request is the length (4 bytes, native order) and the name of a run's
folder on standard input; the answer, on standard output, the pid (8 bytes) of the run's supervisor.
It ends with its input. See docs/decisions/0011.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import io
import os
import random  # noqa: F401 - it seeds itself anew in a forked child, and many scripts use it
import signal
import sys
from contextlib import suppress

import mlpipeline  # noqa: F401 - what scripts import first
from mlpipeline.execution.processes import ANSWER, READY, REQUEST
from mlpipeline.execution.worker import begin

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Collection


def main() -> None:
    """Import what is named on the command line, then fork runs until there are no more requests."""
    problem = _preload(sys.argv[1:])
    if problem:
        os.write(2, problem.encode("utf-8", "backslashreplace"))
    if problem:
        os.write(1, ANSWER.pack(-1))
        return
    inherited = frozenset(sys.modules)
    gc.freeze()  # what is here is not looked at again in each run
    os.write(1, ANSWER.pack(READY))
    while size := _read(REQUEST.size):
        folder = os.fsdecode(_read(REQUEST.unpack(size)[0]))
        _reap()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            _as_fresh()
            begin(folder, lambda status: _end(status, inherited))
            os._exit(1)  # it does not return; what it raises leaves this loop, too
        os.write(1, ANSWER.pack(pid))


def _preload(modules: list[str]) -> str:
    """Import them; why runs can't be forked after that, in a person's words."""
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever a module raises at import
            return f"preload: {name} can't be imported: {type(error).__name__}: {error}"
    if _threads() > 1:
        _fork_for_trial()
    if threads := _threads() - 1:
        names = ", ".join(modules)
        return f"preload: {names} starts threads ({threads}), which a forked run would lack"
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


def _as_fresh() -> None:
    """What a fresh process has and a forked one has not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    numpy = sys.modules.get("numpy")
    if numpy:
        numpy.random.seed()


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
    for name in [name for name in sys.modules if name not in inherited]:
        del sys.modules[name]
    gc.collect()
    for stream in (sys.stdout, sys.stderr):
        if stream is None or getattr(stream, "closed", False):
            continue
        try:
            stream.flush()
        except Exception:  # a full disk, or whatever a script has put there
            status = status or 120  # as Python has it
    ctypes.CDLL(None).exit(status)


def _flush_files() -> None:
    """Files that were never closed lose their last words when they are collected in a cycle, the
    buffer before its text (bpo-17852).
    """
    for each in gc.get_objects():
        if isinstance(each, io.IOBase):
            with suppress(Exception):  # closed, or not for writing
                each.flush()


def _reap() -> None:
    """Let go of supervisors that have ended; whoever asked for them knows their pids by now."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return


def _read(size: int) -> bytes:
    """So many bytes of standard input; none at its end."""
    content = b""
    while len(content) < size:
        chunk = os.read(0, size - len(content))
        if not chunk:
            return b""
        content += chunk
    return content
