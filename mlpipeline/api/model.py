"""The two classes that a model script extends: Model and DataLoader."""

from __future__ import annotations

from mlpipeline.api import reporting
from mlpipeline.api.keys import ExecutionModeKeys, ModeKeys

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, TypeVar

    from mlpipeline.api.versions import Version, Versions

    T = TypeVar("T")


class _Speaker:
    """Has a summary, which a script adds lines to and its run's record keeps, and a log.

    Works without ``__init__``, since historic classes often do not call ``super().__init__()``.
    """

    summary: str = ""

    @property
    def summery(self) -> str:
        """Historic spelling of ``summary``."""
        return self.summary

    @summery.setter
    def summery(self, text: str) -> None:
        self.summary = text

    def add_to_summary(self, text: object) -> None:
        """Add a line to the summary in the run's record."""
        self.summary = f"{self.summary}\n{text}" if self.summary else str(text)

    add_to_summery = add_to_summary

    def log(self, message: object, log_to_file: bool = False, **kwargs: Any) -> None:
        """Say ``message`` on the console and, with ``log_to_file``, in ``log-<hostname>`` too."""
        reporting.log(message, log_to_file=log_to_file, **kwargs)


class DataLoader(_Speaker):
    """Wraps a data set: gives a model its input, and the pipeline the number of samples."""

    def get_train_input(self, mode: ModeKeys = ModeKeys.TRAIN, **kwargs: Any) -> Any:
        """What ``train_model`` gets as ``input_fn``.

        For the evaluation on training data it is asked with ``mode=ExecutionModeKeys.TEST``.
        """
        raise NotImplementedError(_define(self, "get_train_input(self, mode=…)"))

    def get_test_input(self, **kwargs: Any) -> Any:
        """What ``evaluate_model`` gets as ``input_fn`` for the evaluation on test data."""
        raise NotImplementedError(_define(self, "get_test_input(self)"))

    def get_train_sample_count(self) -> int:
        """The number of training samples; steps = epochs × ceil(samples / batch size)."""
        raise NotImplementedError(_define(self, "get_train_sample_count(self)"))

    def get_test_sample_count(self) -> int:
        """The number of test samples."""
        raise NotImplementedError(_define(self, "get_test_sample_count(self)"))

    def get_dataloader_summary(self) -> str:
        """The text about the data in the run's record."""
        return self.summery

    def get_dataloader_summery(self) -> str:
        """Historic spelling of :meth:`get_dataloader_summary`; the pipeline asks by this name."""
        return self.get_dataloader_summary()


class Model(_Speaker):
    """A model with several versions; a script's global ``MODEL`` is an instance of a subclass.

    ``allow_delete_model_dir``: on a fresh start, :meth:`clean_model_dir` is called.
    ``reset_steps``: train all steps, whatever :meth:`get_trained_step_count` says.
    """

    versions: Versions | None = None
    allow_delete_model_dir: bool = False
    reset_steps: bool = False
    # Set by the pipeline before any method is called:
    name: str = ""
    model_dir: str = ""
    current_version: Version | None = None
    dataloader: Any = None

    def __init__(
        self, versions: Versions, allow_delete_model_dir: bool = False, reset_steps: bool = False
    ):
        self.versions = versions
        self.allow_delete_model_dir = allow_delete_model_dir
        self.reset_steps = reset_steps

    def pre_execution_hook(
        self, version: Version, model_dir: str, exec_mode: ExecutionModeKeys
    ) -> None:
        """Called first: build or load what the version needs."""

    def train_model(self, input_fn: Any, steps: int) -> Any:
        """Train for ``steps`` batches on ``input_fn``, the value of ``get_train_input()``."""
        self.log("train_model is not defined: nothing is trained", level="WARNING")

    def evaluate_model(self, input_fn: Any, steps: int) -> Any:
        """Evaluate on ``input_fn``; what it returns (a dict of numbers, best) is the result.

        Called on training data, then on test data; ``steps`` is the number of samples (1 in test
        mode).
        """

    def post_execution_hook(
        self, version: Version, model_dir: str, exec_mode: ExecutionModeKeys
    ) -> None:
        """Called last, after the evaluations."""

    def get_current_version(self) -> Version | None:
        """The version that runs."""
        return self.current_version

    def get_trained_step_count(self) -> int | None:
        """Steps that a loaded checkpoint has been trained; None: unknown, so all are trained."""
        return None

    def clean_model_dir(self, model_dir: str) -> None:
        """Delete what an earlier start left in ``model_dir``; by default nothing is deleted."""
        self.log("clean_model_dir is not defined: model_dir is left as it is", level="WARNING")

    def progress(self, step: int, total: int | None = None, **metrics: float) -> None:
        """Say that ``step`` of ``total`` steps are done; ``metrics`` are shown and recorded.

        Without ``total``, the steps that ``train_model`` was given. Cheap enough for every step.
        """
        reporting.reporter().progress(step, total, metrics)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record ``metrics``, numbers by name: `mlpipeline plot` draws them over their steps.

        Without ``step``, the one that :meth:`progress` or :meth:`track` is at; where neither is
        used, one more than the last call's. Cheap enough for every step.
        """
        reporting.reporter().metrics(metrics, step)

    def log_artifact(self, path: object, artifact_path: object = None) -> None:
        """Keep a copy of the file or folder at ``path`` with the run, and in MLflow.

        In ``artifacts/`` of the run's folder, there in the folder ``artifact_path``. Another one of
        the same name takes its place.
        """
        reporting.reporter().artifact(path, artifact_path)

    def track(self, iterable: Iterable[T], total: int | None = None) -> Iterator[T]:
        """Yield from ``iterable``, reporting progress; ``total`` by default is its length.

        Over all the steps that ``train_model`` was given, it goes on counting where a resumed run
        was.
        """
        length = getattr(iterable, "__len__", lambda: None)()
        reporter = reporting.reporter()
        before = reporter.steps_before(length if total is None else total)
        total = length if total is None else total
        for step, item in enumerate(iterable, start=1 + before):
            reporter.at(step)
            yield item
            reporter.progress(step, total and total + before, {})


def _define(instance: object, method: str) -> str:
    return f"{type(instance).__qualname__} must define {method}"
