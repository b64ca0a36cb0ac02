"""How one run goes: the calls into a model, in their order, and what came of them."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

from mlpipeline.api import listed
from mlpipeline.api.keys import ExecutionModeKeys, version_parameters
from mlpipeline.core import endings
from mlpipeline.core.model_files import is_command_file
from mlpipeline.core.plain import plain, safe_text
from mlpipeline.core.run_files import PREPARED
from mlpipeline.execution.reporter import Diverged
from mlpipeline.execution.writing import iso_now, mark
from mlpipeline.sources.loading import load_model_file, source_of

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mlpipeline.api.model import Model
    from mlpipeline.api.versions import Version
    from mlpipeline.execution.reporter import FolderReporter


EDITED_MEANWHILE = "the script was edited while this run started; it is listed anew"


class _Stopped(Exception):
    """A part of the run failed and the rest can't follow; the failure is in the report."""


class _StopRequested(BaseException):
    """SIGTERM came, and the script defines on_stop."""


class Lifecycle:
    """Runs a version as ``spec`` (a ``launch.Spec``) says, filling ``report`` (``launch.Report``).

    Nothing that user code raises leaves :meth:`run`; KeyboardInterrupt and SystemExit included.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        reporter: FolderReporter,
        end: Callable[[int], object] | None = None,
    ):
        """``end`` ends a process that was forked from this one, with an exit status, as Python
        ends; None where none is to go on in this interpreter.
        """
        self._spec = spec
        self._end = end
        self._reporter = reporter
        self._pid = os.getpid()
        self._mode = ExecutionModeKeys.TEST if spec["test"] else ExecutionModeKeys.TRAIN
        self.report: dict[str, Any] = {
            "ending": endings.RETURNED,
            "failures": [],
            "results": {},
            "summary": {},
        }

    def run(self) -> None:
        """Go through all parts of the run."""
        model: Model | None = None
        try:
            listed.now = listed.Listed(
                used=self._spec.get("overrides", ""), most=None, wanted=self._spec["version"]
            )
            model = self._part(
                "import", load_model_file, self._spec["script"], self._spec["models_dir"]
            )
            if hasattr(model, "on_stop"):
                signal.signal(signal.SIGTERM, _request_stop)
            version = self._part("versions", self._choose, model)
            job = getattr(version, "job", None)
            if job is not None:
                self._part("hydra", job.begin, self._spec["folder"])
            if hasattr(model, "rows"):
                self._execute_step(model)
            elif is_command_file(self._spec["script"]):
                self._execute_command(model)
            else:
                self._execute(model, version)
        except _Stopped:
            pass
        except _Edited as edited:
            self.report |= {"ending": endings.EDITED, "detail": str(edited)}
        except _StopRequested:  # between two parts
            self._note_stop("")
        except Exception as error:  # in our own code, or in what a script made of its objects
            self._fail("pipeline", error)
        is_stopped = self.report["ending"] == endings.STOPPED
        if model is not None and is_stopped and hasattr(model, "on_stop"):
            self._save_at_stop(model)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is left takes milliseconds
        if model is not None:
            self._summarise(model)
        self._reporter.flush_at_last()
        self.report["metrics"] = self._reporter.metric_summaries()
        self.report["ended_at"] = iso_now()

    def _choose(self, model: Model) -> Version:
        """The version of ``model`` that the spec names, as it was when it was listed."""
        if model.versions is None:  # the inspector saw some
            raise _Edited(EDITED_MEANWHILE)
        stat = os.stat(self._spec["script"])
        edited = [stat.st_mtime_ns, stat.st_size] != self._spec["stamp"] or listed.now.files
        edited = edited or hasattr(model, "rows")  # its components may have been
        name = self._spec["version"]
        if edited and (
            name not in model.versions.versions
            or source_of(self._spec["script"]).signature(model.versions.get(name))
            != self._spec["signature"]
        ):
            raise _Edited(EDITED_MEANWHILE)
        return model.versions.get(name)

    def _execute(self, model: Model, version: Version) -> None:
        spec, part = self._spec, self._part
        dataloader = part("dataloader", _make, version[version_parameters.DATALOADER])
        version[version_parameters.DATALOADER] = dataloader
        model.name, model.model_dir = spec["model"], spec["model_dir"]
        model.current_version, model.dataloader = version, dataloader

        part("clean_model_dir", self._prepare_model_dir, model)
        hook_arguments = {
            "version": version,
            "model_dir": spec["model_dir"],
            "exec_mode": self._mode,
        }
        part("pre_execution_hook", model.pre_execution_hook, **hook_arguments)
        steps = part("get_trained_step_count", self._count_steps, model, version)
        if steps:
            train_input = part("get_train_input", dataloader.get_train_input)
            before = 0 if model.reset_steps else self.report.get("trained_before", 0)
            self._reporter.enter("train", steps, before)
            part("train_model", model.train_model, train_input, steps)
        self._evaluate(
            "train",
            model,
            lambda: dataloader.get_train_input(mode=ExecutionModeKeys.TEST),
            dataloader.get_train_sample_count,
        )
        self._evaluate("test", model, dataloader.get_test_input, dataloader.get_test_sample_count)
        self._reporter.enter("finish")
        part("post_execution_hook", model.post_execution_hook, **hook_arguments)

    def _execute_command(self, model: Any) -> None:
        """The same for a command: its program runs in a process of its own."""
        from mlpipeline.execution.program import Program  # scripts do without

        model.name, model.model_dir = self._spec["model"], self._spec["model_dir"]
        self._part("clean_model_dir", self._prepare_model_dir, model)
        program = Program(model, self._spec, self._reporter, self._end)
        self._reporter.enter("test" if self._spec["test"] else "run")
        self.report |= self._part("command", program.run)

    def _execute_step(self, model: Any) -> None:
        """The same for a step of a pipeline, unless what it makes has been made."""
        from mlpipeline.execution.step_run import StepRun  # others do without

        model.name, model.model_dir = self._spec["model"], self._spec["model_dir"]
        self._part("clean_model_dir", self._prepare_model_dir, model)
        self._reporter.enter("test" if self._spec["test"] else "run")
        step = StepRun(model, self._spec, self._reporter, self._end)
        self.report |= self._part("step", step.run)

    def _prepare_model_dir(self, model: Model) -> None:
        folder = self._spec["model_dir"]
        os.makedirs(folder, exist_ok=True)
        if self._spec["fresh"] and model.allow_delete_model_dir and not self._spec["test"]:
            model.clean_model_dir(folder)
            os.makedirs(folder, exist_ok=True)
        mark(self._spec["folder"], PREPARED)

    def _count_steps(self, model: Model, version: Version) -> int:
        """epochs × ceil(training samples / batch size), less the steps already trained."""
        if self._spec["test"]:
            steps = 1
        else:
            samples = int(model.dataloader.get_train_sample_count())
            batches = -(-samples // int(version[version_parameters.BATCH_SIZE]))
            steps = int(version[version_parameters.EPOC_COUNT]) * batches
            trained = model.get_trained_step_count()
            if trained is not None:
                self.report["trained_before"] = int(trained)
                if not model.reset_steps:
                    steps = max(0, steps - int(trained))
        self.report["steps"] = steps
        return steps

    def _evaluate(
        self,
        data: str,
        model: Model,
        get_input: Callable[[], Any],
        count: Callable[[], int],
    ) -> None:
        """Evaluate on one half of the data; outside test mode a failure does not stop the run."""

        def evaluate() -> Any:
            return plain(model.evaluate_model(get_input(), 1 if self._spec["test"] else count()))

        part = f"evaluation on {data} data"
        self._reporter.enter(f"evaluate {data}")
        try:
            result = self._part(part, evaluate)
        except _Stopped:
            if self._spec["test"] or self.report["ending"] != endings.RAISED:
                raise
        else:
            if result is not None:
                self.report["results"][data] = result

    def _part(self, part: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """``call(…)``; what it raises is put into the report, and _Stopped is raised instead."""
        try:
            return call(*args, **kwargs)
        except _Edited:
            raise
        except _StopRequested:
            self._note_stop(f" in {part}")
        except Diverged as error:
            self.report |= {"ending": endings.DIVERGED, "detail": str(error)}
            self._print(f"mlpipeline: {error}: stopped, as stop_on_nan says\n")
        except SystemExit as error:
            self.report["ending"] = endings.EXITED
            self.report["detail"] = f"called sys.exit({plain(error.code)!r}) in {part}"
        except BaseException as error:
            self._fail(part, error)
        finally:
            if os.getpid() != self._pid:  # the script forked, and its child came back here
                os._exit(0)
        raise _Stopped

    def _fail(self, part: str, error: BaseException) -> None:
        failure = _failure(part, error)
        self.report["ending"] = endings.RAISED
        self.report["failures"].append(failure)
        self._print(failure["traceback"])

    def _print(self, text: str) -> None:
        with suppress(OSError, ValueError):  # a full disk, or a stream that the script closed
            print(text, file=sys.stderr, end="", flush=True)

    def _note_stop(self, where: str) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self.report |= {"ending": endings.STOPPED, "detail": f"ended by SIGTERM{where}"}

    def _save_at_stop(self, model: Model) -> None:
        """Give the script the chance to save a checkpoint."""
        self._reporter.enter("on_stop")
        report = dict(self.report)
        with suppress(_Stopped):
            self._part("on_stop", model.on_stop, self._spec["model_dir"])  # type: ignore[attr-defined]
        self.report |= {key: report[key] for key in ("ending", "detail")}

    def _summarise(self, model: Model) -> None:
        try:
            self.report["summary"] = {
                subject: str(text)
                for subject, text in (
                    ("model", model.summery),
                    ("dataloader", _dataloader_summary(model.dataloader)),
                )
                if text
            }
        except Exception as error:  # a summary is not worth a run
            print(f"the summary can't be read: {safe_text(error)}", file=sys.stderr)


def _request_stop(number: int, _: object) -> None:
    raise _StopRequested


class _Edited(Exception):
    """The script is no longer what was listed."""


def _make(dataloader: Any) -> Any:
    """The data loader itself, where a version names a class or a function that makes one."""
    is_maker = isinstance(dataloader, type) or not hasattr(dataloader, "get_train_input")
    return dataloader() if is_maker and callable(dataloader) else dataloader


def _dataloader_summary(dataloader: Any) -> str:
    """By the historic names, so that a script may define either spelling."""
    describe = getattr(dataloader, "get_dataloader_summery", None)
    return describe() if describe else ""


def _failure(part: str, error: BaseException) -> dict[str, Any]:
    from mlpipeline.sources.user_code import user_traceback  # costs 10 ms, and few raise

    return {
        "part": part,
        "type": type(error).__qualname__,
        "message": safe_text(error),
        "traceback": user_traceback(error),
        "bases": [kind.__name__ for kind in type(error).__mro__],
        "errno": int(error.errno) if isinstance(error, OSError) and error.errno else None,
    }
