"""A Python program that runs in a forked interpreter as ``python PROGRAM`` would run it.

So what has been preloaded need not be imported again. Where there is any doubt whether it would go
the same way, there is no MainModule, and the program is executed.
"""

from __future__ import annotations

import os
import signal
import sys
from types import ModuleType

from mlpipeline.api.reporting import install_reporter
from mlpipeline.api.saying import SayingReporter
from mlpipeline.sources.python_programs import is_this_python

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Any

# Variables that an interpreter or its libraries read when they are loaded.
READ_EARLY = (
    *("PYTHON", "LD_", "DYLD_", "MALLOC", "LANG", "LC_", "TZ", "GLIBC_"),
    *("OMP_", "MKL_", "OPENBLAS_", "KMP_", "NUMEXPR_", "VECLIB_", "GOMP_"),
)
LONGEST_SHEBANG = 256  # bytes; Linux reads no more


class MainModule:
    """A program that can be run in this interpreter."""

    def __init__(self, argv: Sequence[str], path: str, module: str = ""):
        """``path`` is its file; or it is the ``module`` of ``python -m``."""
        self._argv = list(argv)
        self._path = path
        self._module = module

    @classmethod
    def of(
        cls, program: str, argv: Sequence[str], cwd: str, env: Mapping[str, str]
    ) -> MainModule | None:
        """What ``argv`` runs, where it is a Python program of this interpreter; else None.

        ``program`` is the file that its first word means.
        """
        if any(name.startswith(READ_EARLY) for name in env):
            return None
        if not is_this_python(program):
            is_ours = is_this_python(_interpreter(program))
            return cls([program, *argv[1:]], program) if is_ours else None
        if argv[1:2] == ["-m"] and argv[2:]:
            return cls(argv[2:], "", argv[2])
        if len(argv) < 2 or argv[1].startswith("-"):
            return None
        path = os.path.join(cwd, argv[1])
        return cls(argv[1:], path) if os.path.isfile(path) else None

    def run(self, folder: str, prepare: Callable[[], None]) -> int:
        """Run it to its end, in the run's ``folder``; returns its exit status. Called once.

        ``prepare`` is called before it begins.
        """
        install_reporter(SayingReporter(folder))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.orig_argv = [sys.executable, *(["-m"] if self._module else []), *self._argv]
        sys.argv = self._argv
        main = ModuleType("__main__")
        main.__dict__.update(__builtins__=sys.modules["builtins"], __annotations__={})
        sys.modules["__main__"] = main
        try:
            prepare()
            self._execute(main)
        except SystemExit as error:
            return _status(error.code)
        except BaseException as error:
            _show(error)
            if isinstance(error, KeyboardInterrupt):
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGINT)
            return 1
        return 0

    def _execute(self, main: ModuleType) -> None:
        if self._module:
            import runpy

            sys.path.insert(0, os.getcwd())
            runpy._run_module_as_main(self._module)  # type: ignore[attr-defined]
            return
        from importlib.machinery import SourceFileLoader

        path = os.path.abspath(self._path)
        sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
        main.__file__ = path
        main.__loader__ = SourceFileLoader("__main__", path)
        main.__dict__["__cached__"] = None  # as Python has it
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
        exec(code, main.__dict__)


def _interpreter(program: str) -> str:
    """What stands alone after the ``#!`` of a script; empty where that is not so."""
    try:
        with open(program, "rb") as file:
            first = file.read(LONGEST_SHEBANG).split(b"\n")[0]
    except OSError:
        return ""
    words = first[2:].split() if first.startswith(b"#!") else []
    return os.fsdecode(words[0]) if len(words) == 1 else ""


def _status(code: Any) -> int:
    """As Python has it for ``sys.exit(code)``."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _show(error: BaseException) -> None:
    """Its traceback, without the frames of the pipeline's."""
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename in _MACHINERY:
        traceback = traceback.tb_next
    sys.excepthook(type(error), error.with_traceback(traceback), traceback)


_MACHINERY = (__file__,)
