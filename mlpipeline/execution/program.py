"""The program of a command: started in a child process, seen to its end.

The child is in the worker's process group, and prints where the worker does. A Python program of
this interpreter need not be loaded anew: it goes on in the forked child (see main_module.py).
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from contextlib import suppress

from mlpipeline.api import words
from mlpipeline.core import endings, hydra_jobs, run_files
from mlpipeline.execution import last_words
from mlpipeline.execution.main_module import MainModule
from mlpipeline.execution.reporter import Diverged
from mlpipeline.execution.sayings import Sayings
from mlpipeline.sources.local_files import found_program, search_path

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mlpipeline.execution.reporter import FolderReporter
    from mlpipeline.sources.command import CommandModel, Job
    from mlpipeline.sources.step_command import StepCommand

LOOK = 0.2  # seconds between two looks at what the program says
TEST_GRACE = 2.0  # seconds that a program which has passed its rehearsal gets to end
SIGNALS = (signal.SIGTERM, signal.SIGCHLD)
# What Python ignores and other programs heed; as subprocess has it.
RESTORED = ("SIGPIPE", "SIGXFZ", "SIGXFSZ")


class CantStart(Exception):
    """The program can't be started; the message says why."""


class Program:
    """One version's command in one run."""

    def __init__(
        self,
        model: CommandModel | StepCommand,
        spec: dict[str, Any],
        reporter: FolderReporter,
        end: Callable[[int], object] | None,
    ):
        """``spec`` is a ``launch.Spec``; ``end`` a Lifecycle's."""
        self._file = model.file
        self._spec = spec
        self._reporter = reporter
        self._end = None if model.file.is_cold else end
        self._job = _job(model, spec)
        self._variables = _variables(spec) | _hydra_job(model, spec, self._job.cwd)
        self._sayings = Sayings(spec["folder"], model.file.metrics, reporter)
        self._pid = 0
        self._is_asked_to_end = False  # by a signal
        self.is_cut = False  # it was ended, since its rehearsal had gone on for long enough
        self._bell, self._ringer = os.pipe()

    @property
    def line(self) -> str:
        """Its command line, without secrets."""
        import shlex  # only steps of pipelines tell it

        return shlex.join(words.masked(self._job.argv))

    def run(self) -> dict[str, Any]:
        """Start it and wait for its end; returns what the report is to say of that.

        Raises Diverged.
        """
        if self._spec.get("tracking"):
            from mlpipeline.execution.own_calls import wait_for_run  # few use MLflow

            wait_for_run(self._spec["folder"], self._spec)
        self._prepare_for_signals()
        try:
            self._start()
            status = self._await_end()
        except CantStart as error:
            print(f"mlpipeline: {error}", file=sys.stderr)
            return {"ending": endings.EXITED, "detail": str(error)}
        except Diverged:
            with suppress(Diverged):
                self._sayings.finish()
            raise
        finally:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._sayings.finish()
        return self._judged(status)

    def _judged(self, status: int | None) -> dict[str, Any]:
        """``status`` is as Popen has it, None for a program that has passed its rehearsal."""
        if self._is_asked_to_end:
            return {"ending": endings.STOPPED, "detail": "ended by SIGTERM"}
        if not status:
            return {"ending": endings.RETURNED, "results": self._results()}
        if status < 0:
            return {"ending": endings.SIGNALLED, "signal": -status}
        said: dict[str, Any] = {"ending": endings.EXITED, "detail": f"exited with status {status}"}
        if status == 1:  # as Python has it for an exception
            path = os.path.join(self._spec["folder"], run_files.CONSOLE)
            failure = last_words.exception(path)
            if failure:
                said |= {"ending": endings.RAISED, "failures": [failure]}
        return said

    def _results(self) -> dict[str, Any]:
        """What the program itself has put down, where it is a job of Hydra's."""
        try:
            with open(os.path.join(self._spec["folder"], run_files.RESULTS), "rb") as file:
                results: dict[str, Any] = json.loads(file.read())
        except (OSError, ValueError):
            return {}
        return results

    def _prepare_for_signals(self) -> None:
        for end in (self._bell, self._ringer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._ringer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._note_request)

    def _note_request(self, *_: object) -> None:
        """The program has got the signal, too, and may take its time; so nothing else is done."""
        self._is_asked_to_end = True

    # --------------------------------------------------------------------- start

    def _start(self) -> None:
        """Fork the child; raises CantStart."""
        job = self._job
        if not os.path.isdir(job.cwd):
            raise CantStart(f"its cwd {job.cwd} is no folder; make it, or correct it")
        program = found_program(job.argv[0], job.cwd, job.env)
        if program is None:
            raise CantStart(f"there is no program {job.argv[0]}; install it, or write its path")
        main = MainModule.of(program, job.argv, job.cwd, job.env) if self._end else None
        problem, tell = os.pipe()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            self._pid = os.fork()
            if self._pid == 0:
                os.close(problem)
                self._become(program, main, tell)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        if self._is_asked_to_end:  # before there was a program that could get the signal
            os.kill(self._pid, signal.SIGTERM)
        os.close(tell)
        with os.fdopen(problem, "rb") as said:
            why = said.read()
        if why:
            os.waitpid(self._pid, 0)
            raise CantStart(why.decode("utf-8", "replace"))

    def _become(self, program: str, main: MainModule | None, tell: int) -> None:
        """In the child: be the program."""
        try:
            signal.set_wakeup_fd(-1)
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            for end in (self._bell, self._ringer):
                os.close(end)
            os.chdir(self._job.cwd)
            variables = {
                "PATH": os.pathsep.join(search_path({})),
                "PWD": self._job.cwd,
                **self._job.env,
                **self._variables,
            }
            if main is not None:
                assert self._end is not None
                os.environ.update(variables)
                os.close(tell)
                self._end(main.run(self._spec["folder"], self._meet_hydra))
            for name in RESTORED:
                if hasattr(signal, name):
                    signal.signal(getattr(signal, name), signal.SIG_DFL)
            argv = self._job.argv
            if hydra_jobs.VARIABLE in self._variables:
                argv = [argv[0], "-m", hydra_jobs.RUNNER, *argv[1:]]
            os.execve(program, argv, {**os.environ, **variables})
        except (OSError, ValueError) as error:  # a parameter in braces may hold a NUL
            with suppress(OSError):
                os.write(tell, _why(program, error).encode("utf-8", "replace"))
        finally:
            os._exit(127)

    def _meet_hydra(self) -> None:
        """Where the program is a job of Hydra's, have its main find what was composed for it."""
        if hydra_jobs.VARIABLE in self._variables:
            from mlpipeline.execution.hydra_job import meet_as_told  # hydra takes 0.2 s

            meet_as_told()

    # ---------------------------------------------------------------------- wait

    def _await_end(self) -> int | None:
        """Until the program ends; its status, None where its rehearsal has gone on for long enough.

        Raises Diverged.
        """
        begun = time.monotonic()
        passes_at = begun + self._file.test_seconds if self._spec["test"] else None
        try:
            while True:
                pid, status = os.waitpid(self._pid, os.WNOHANG)
                if pid:
                    self._pid = 0
                    return os.waitstatus_to_exitcode(status)
                if passes_at is not None and time.monotonic() >= passes_at:
                    self._stop(TEST_GRACE)
                    self.is_cut = True
                    return None
                rest = LOOK if passes_at is None else min(LOOK, passes_at - time.monotonic())
                select.select([self._bell], [], [], max(0.0, rest))
                with suppress(BlockingIOError):
                    os.read(self._bell, 4096)
                self._sayings.look()
        except BaseException:
            self._stop(self._spec["grace"])
            raise

    def _stop(self, grace: float) -> None:
        """Ask the program to end and wait for that, for ``grace`` seconds.

        What is left of the process group is killed when the worker has ended.
        """
        if not self._pid:
            return
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
        until = time.monotonic() + grace
        while time.monotonic() < until:
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                break
            select.select([self._bell], [], [], min(LOOK, max(0.0, until - time.monotonic())))
            with suppress(BlockingIOError):
                os.read(self._bell, 4096)
        self._pid = 0


def at_run(spec: dict[str, Any]) -> dict[str, str]:
    """What words in braces stand for that are known when a run begins."""
    return {
        "model_dir": spec["model_dir"],
        "run_dir": spec["folder"],
        "version": spec["version"],
        "project": spec["project"],
        "python": sys.executable,
    }


def _job(model: CommandModel | StepCommand, spec: dict[str, Any]) -> Job:
    file = model.file
    more = [*(() if spec["fresh"] else file.resume), *(file.test_arguments if spec["test"] else ())]
    job = model.job(spec["version"], at_run(spec), more)
    job.cwd = os.path.normpath(os.path.join(spec["project"], os.path.expanduser(job.cwd)))
    return job


def _variables(spec: dict[str, Any]) -> dict[str, str]:
    """What a program is told of its run."""
    return {
        "MLPIPELINE_RUN": spec["folder"],
        "MLPIPELINE_MODEL_DIR": spec["model_dir"],
        "MLPIPELINE_MODE": "test" if spec["test"] else "train",
        "MLPIPELINE_MODEL": spec["model"],
        "MLPIPELINE_VERSION": spec["version"],
        "MLPIPELINE_ATTEMPT": str(spec["attempt"]),
    }


def _hydra_job(model: CommandModel | StepCommand, spec: dict[str, Any], cwd: str) -> dict[str, str]:
    """Where the version is a job of Hydra's, what it is to be told: see hydra_job.py."""
    job = model.hydra_job(spec["version"])
    if not job:
        return {}
    folder = spec["model_dir"] if spec["test"] else os.path.join(cwd, job["dir"])
    told = {
        "number": job["number"],
        "folder": folder,
        "config": job.get("config", ""),
        "handover": os.path.join(
            *(spec["models_dir"], "outputs", hydra_jobs.HANDED_OVER, spec["model"]),
            f"{job.get('handover', '')}{hydra_jobs.KIND}",
        ),
        "results": spec["folder"],
    }
    return {hydra_jobs.VARIABLE: json.dumps(told)}


def _why(program: str, error: OSError | ValueError) -> str:
    import errno

    if not isinstance(error, OSError):
        return f"{program} can't be run with these arguments and variables: {error}"
    if error.errno == errno.ENOEXEC:
        return (
            f"{program} can't be run: begin it with #! and an interpreter, or name that before it"
        )
    return f"{program} can't be run: {error.strerror}"
