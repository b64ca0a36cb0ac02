"""Child process: forks a process for each model script, which reads the script's versions.

Called by opener.py as ``main()`` with the arguments FD MODELS_DIR. It has imported what every
inspection needs, but never a model script, so nothing of one can leak into another. What is asked,
a JSON object a line, comes on the socket FD: ``{"open": TICKET, "script": …, "name": …, "text": …,
"most": …}`` (what the list has behind its name, and jobs that a sweep may have), with two file
descriptors, of a file for the answer and one for what the script prints; or ``{"end": TICKET}``.
``{"ended": TICKET, "status": …}`` goes back. It ends with its socket, or at SIGTERM, and so do its
children.

The answer is a ``findings.Found`` as a line of JSON, and the versions as another.
"""

from __future__ import annotations

import errno
import gc
import hashlib
import json
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress

import mlpipeline  # noqa: F401 - what scripts import first
from mlpipeline.api import listed
from mlpipeline.core.model_files import is_command_file
from mlpipeline.core.narrowing import are_names
from mlpipeline.core.plain import plain, safe_text
from mlpipeline.errors import ModelError
from mlpipeline.execution.processes import CUT_OFF, UNABLE, start_time
from mlpipeline.execution.writing import to_json
from mlpipeline.sources import imports, read_imports
from mlpipeline.sources.loading import source_of
from mlpipeline.sources.script import asked, console_limit, model_dir_name, time_limit
from mlpipeline.sources.stages import check_stages, comes_after

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType
    from typing import Any

    from mlpipeline.api.model import Model
    from mlpipeline.api.versions import Version

LOWEST = 19  # for what nobody waits for: nice(2)
PR_SET_PDEATHSIG = 1  # prctl(2)

# What fails for one of these fails for want of something that others have taken.
PASSING = (errno.ENOSPC, errno.EDQUOT, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)


def main() -> None:
    """Fork inspections until the socket is closed."""
    descriptor, models_dir = sys.argv[1:]
    gc.freeze()  # what is here is not looked at again in each child
    with socket.socket(fileno=int(descriptor)) as asker:
        _Server(asker, models_dir).serve()


class _Server:
    def __init__(self, asker: socket.socket, models_dir: str):
        self._asker = asker
        self._models_dir = models_dir
        self._children: dict[int, int] = {}  # ticket -> pid, which leads a session
        self._text = b""  # of requests, the last of which may not be whole
        self._files: list[int] = []  # descriptors of requests that are not whole
        self._bell, self._ringer = os.pipe()
        self._is_over = False
        self._end_with_me = _end_with_parent(os.getpid())

    def serve(self) -> None:
        for end in (self._bell, self._ringer):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        signal.set_wakeup_fd(self._ringer, warn_on_full_buffer=False)
        try:
            while not self._is_over:
                ready, _, _ = select.select([self._asker.fileno(), self._bell], [], [])
                if self._bell in ready:
                    os.read(self._bell, 4096)
                    self._tell_ended()
                if self._asker.fileno() in ready and not self._hear():
                    return
        except (BrokenPipeError, ConnectionResetError):  # nobody waits for answers any more
            return
        finally:
            for pid in self._children.values():
                _kill_group(pid)

    def _stop(self, *_: object) -> None:
        self._is_over = True

    def _hear(self) -> bool:
        """Do what is asked; whether there may be more to come."""
        text, files, _, _ = socket.recv_fds(self._asker, 1 << 16, 64)
        self._files += files
        *lines, self._text = (self._text + text).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "end" in request:
                pid = self._children.get(request["end"])
                if pid is not None:
                    _kill_group(pid)
            else:
                answer, printed = self._files[:2]
                del self._files[:2]
                self._open(request, answer, printed)
                os.close(answer)
                os.close(printed)
        return bool(text)

    def _open(self, request: dict[str, Any], answer: int, printed: int) -> None:
        try:
            pid = os.fork()
        except OSError:
            self._say_ended(request["open"], UNABLE)
            return
        if pid:
            self._children[request["open"]] = pid
            return
        status = 1
        try:
            self._end_with_me()
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            for stream in (1, 2):
                os.dup2(printed, stream)
            for end in (self._bell, self._ringer, printed, *self._files):
                os.close(end)
            self._asker.close()
            os.set_inheritable(answer, False)
            if request["leisurely"]:
                os.nice(LOWEST)
            listed.now = listed.Listed(request["text"], most=request["most"], are_names=are_names)
            _inspect(request["script"], self._models_dir, request["name"], answer)
        except OSError:  # those of the script are among what was found
            status = UNABLE
            sys.excepthook(*sys.exc_info())
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)  # it must not get back into the loop

    def _tell_ended(self) -> None:
        for ticket, pid in list(self._children.items()):
            if not _has_ended(pid):
                continue
            _kill_group(pid)  # before its leader is let go of, and the number another's
            _, status = os.waitpid(pid, 0)
            del self._children[ticket]
            self._say_ended(ticket, os.waitstatus_to_exitcode(status))

    def _say_ended(self, ticket: int, status: int) -> None:
        said = {"ended": ticket, "status": status}
        self._asker.sendall(json.dumps(said).encode() + b"\n")


def _end_with_parent(parent: int) -> Callable[[], None]:
    """What a child of process ``parent`` calls to end with it, even if that is killed.

    Elsewhere than on Linux there is no such thing: there, what a killed inspector has forked ends
    when the script has been imported.
    """
    if sys.platform != "linux":
        return lambda: None
    try:
        import ctypes  # not in each child, where it would take 5 ms

        prctl = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return lambda: None

    def end_with_parent() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it was killed before that
            os._exit(1)

    return end_with_parent


def _has_ended(pid: int) -> bool:
    """Whether a child waits to be let go of."""
    if hasattr(os, "waitid"):
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return start_time(pid) is None  # macOS, before Python 3.13


def _kill_group(pid: int) -> None:
    """End an inspection, and what its script has started in its process group."""
    for kill in (os.killpg, os.kill):  # the latter where it leads no group yet
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _inspect(script: str, models_dir: str, name: str, answer: int) -> None:
    """Write what is found, and end the process."""
    sys.argv = [script]
    me, file_of_answer = os.getpid(), _identity(answer)
    found, versions = _findings(script, models_dir, name)
    if os.getpid() != me:  # the script forked while it was imported; only one of us may answer
        os._exit(0)
    if _identity(answer) != file_of_answer:
        os._exit(CUT_OFF)
    with os.fdopen(answer, "wb") as file:
        file.write(to_json(found) + b"\n" + to_json({"versions": versions}))
    with suppress(OSError, ValueError):  # it may have closed or replaced it
        sys.stdout.flush()
    os._exit(0)  # threads and exit handlers of the script must not keep the queue waiting


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        stat = os.fstat(descriptor)
    except OSError:  # it is closed
        return None
    return stat.st_dev, stat.st_ino


def _findings(
    script: str, models_dir: str, name: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    at = time.time_ns()
    try:
        with open(script, "rb") as file:
            stat = os.fstat(file.fileno())
    except OSError as error:
        problem = f"it can't be read: {error.strerror}"
        return {"at": at, "problem": problem, "files": {script: [0, 0]}}, []
    versions: list[dict[str, Any]] = []
    found: dict[str, Any] = {"at": at}
    try:
        source = source_of(script)
        model = source.load_model(script, models_dir)
        if is_command_file(script):
            found["preload"] = model.preload
        ordered = source.ordered_versions(model)
        gc.disable()  # nothing is thrown away from here on
        check_stages(ordered)
        versions = [dict(_shown(name, version, model, source)) for version in ordered]
    except ModelError as error:
        found["problem"] = safe_text(error)
    except SystemExit as error:
        code = plain(error.code)
        found["problem"] = f"it calls sys.exit({code!r}) when it is imported"
    except BaseException as error:
        from mlpipeline.sources.user_code import user_traceback  # costs 10 ms, and few raise

        kind = type(error).__name__
        found["problem"] = f"it raises {kind} when it is imported: {_first_line(error)}"
        found["traceback"] = user_traceback(error)
        found["passing"] = isinstance(error, OSError) and error.errno in PASSING
    stamp = imports.STAMPS.get(script, (stat.st_mtime_ns, stat.st_size))
    files = {**_local_files(models_dir), script: stamp}
    sources = {os.path.relpath(path, models_dir): _sha256(path) for path in sorted(files)}
    found["imported"] = [os.path.relpath(path, models_dir) for path in sorted(read_imports.READ)]
    if found.get("problem"):
        versions = []
    elif hasattr(source, "others"):
        found["others"] = {
            step: [os.path.relpath(path, models_dir) for path in paths]
            for step, paths in source.others(model).items()
        }
    found |= {"stamp": stamp, "files": {**listed.now.files, **files}, "sources": sources}
    return {**found, **_asked_of_list()}, versions


def _asked_of_list() -> dict[str, Any]:
    """What the script made of what the list says, and which configs it read for that."""
    now = listed.now
    return {
        "configs": {path: _sha256(path) for path in sorted(now.files)},
        "takes_overrides": now.takes_overrides,
        "asked_with": now.text,
        "overrides": now.used,
        "largest": now.largest,
    }


def _shown(
    name: str, version: Version, model: Model, source: ModuleType
) -> Iterator[tuple[str, Any]]:
    """What there is to say of a version; what it does not ask for is left out."""
    yield "name", version.name
    yield "signature", source.signature(version)
    yield "model_dir", model_dir_name(name, version)
    yield "parameters", source.shown_parameters(version, model)
    if asks := asked(version):
        yield "asks", asks
    if (limit := time_limit(version)) is not None:
        yield "timeout", limit
    if (limit := console_limit(version)) is not None:
        yield "console_limit", limit
    if after := comes_after(version):
        yield "after", after
    if hasattr(source, "step_of"):
        yield from source.step_of(version).items()


def _first_line(error: BaseException) -> str:
    return next(iter(safe_text(error).splitlines()), "")


def _sha256(path: str) -> str:
    """Of what was loaded, where that is known; it may have been edited since."""
    try:
        content = imports.TEXTS.get(path)
        if content is None:
            content = listed.content_of(path)
        return hashlib.sha256(content).hexdigest()
    except OSError:
        return ""


def _local_files(models_dir: str) -> dict[str, tuple[int, int]]:
    """The local modules that were loaded, each with its mtime (ns) and size then."""
    files, folders = dict(imports.STAMPS), (models_dir, os.getcwd())
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path not in files and imports.is_local(path, folders):
            try:
                stat = os.stat(path)
            except OSError:
                continue
            files[path] = (stat.st_mtime_ns, stat.st_size)
    return files
