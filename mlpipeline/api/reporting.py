"""How a model script reports to whoever runs it: messages, progress and metrics.

A script that is run by hand reports to a plain :class:`Reporter`, which prints messages. The worker
installs its own, which writes into the run's folder.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Mapping

LEVELS = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}


class Reporter:
    """Receives a script's reports; this one prints messages and ignores the rest."""

    def message(self, text: str, level: str, log_to_file: bool) -> None:
        """Say ``text`` on the console and, with ``log_to_file``, in the log too."""
        print(text, flush=True)

    def progress(self, step: int, total: int | None, metrics: Mapping[str, float]) -> None:
        """Note that ``step`` of ``total`` steps are done, with the ``metrics`` at this point."""

    def steps_before(self, count: int | None) -> int:
        """How many steps were done before the ``count`` that are to come now, all of them."""
        return 0

    def at(self, step: int) -> None:
        """Note that the script is at ``step``: metrics without a step are of that one."""

    def metrics(self, values: Mapping[str, float], step: int | None) -> None:
        """Note the metrics ``values`` at ``step`` (None: the one that the script is at)."""

    def artifact(self, path: object, artifact_path: object) -> None:
        """Keep the file or folder at ``path``, in ``artifact_path`` of the run's artifacts."""


_reporter: Reporter | None = None
RUN = "MLPIPELINE_RUN"  # the variable that names the folder of the run whose program this is
ARTIFACTS = "artifacts"  # the folder in there of what is kept with log_artifact


def reporter() -> Reporter:
    """The reporter in use: in the program of a command, one that its run hears of."""
    global _reporter
    if _reporter is None:
        folder = os.environ.get(RUN)
        if folder:
            from mlpipeline.api.saying import SayingReporter  # needed by few

            _reporter = SayingReporter(folder)
        else:
            _reporter = Reporter()
    return _reporter


def install_reporter(reporter: Reporter) -> None:
    """Send all further reports to ``reporter``."""
    global _reporter
    _reporter = reporter


def log(
    message: object,
    level: int | str = 20,
    log_to_file: bool = True,
    modifier_1: str | None = None,
    modifier_2: str | None = None,
    **_: object,
) -> None:
    """Say ``message`` on the console and, with ``log_to_file``, in ``log-<hostname>``.

    ``level`` is a number or name of the standard library's ``logging``. The modifiers are
    ``console_colors`` for the console.
    """
    name = level.upper() if isinstance(level, str) else LEVELS.get(level, f"LEVEL {level}")
    colours = f"{modifier_1 or ''}{modifier_2 or ''}"
    text = f"{colours}{message}\033[0m" if colours else str(message)
    reporter().message(text, name, log_to_file)


def log_metrics(metrics: Mapping[str, float], step: int | None = None) -> None:
    """Record ``metrics``, numbers by name, as they are at ``step``.

    Without ``step``, the one that ``progress`` or ``track`` is at; where the script uses neither,
    one more than the last call's. What can't be recorded is left out, with a warning. Outside the
    queue, and in child processes of a run's, nothing happens. Any thread may call it. Cheap enough
    for every step.
    """
    reporter().metrics(metrics, step)


def log_artifact(path: object, artifact_path: object = None) -> None:
    """Keep a copy of the file or folder at ``path`` with the run: in ``artifacts/`` of its folder,
    there in the folder ``artifact_path``; and in MLflow, where mlp.config names that.

    Another one of the same name takes its place. What can't be kept is left out, with a warning.
    Outside the queue, nothing happens.
    """
    reporter().artifact(path, artifact_path)
