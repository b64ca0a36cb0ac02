"""Has a script's own calls of MLflow land in the run's MLflow run, by MLflow's variables.

In the worker, before any user code, so that forked and preloaded programs see it as well.
"""

from __future__ import annotations

import os
import time

from mlpipeline.core.model_files import is_command_file
from mlpipeline.core.run_files import TRACKED
from mlpipeline.core.variables import resolved
from mlpipeline.execution.writing import read_json

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from typing import Any

LOOK = 0.002  # seconds between two looks; doubled up to LONGEST_LOOK
LONGEST_LOOK = 0.02
ALLOWED = "MLFLOW_ALLOW_FILE_STORE"  # which MLflow wants set, for a store in a folder
URI, RUN, EXPERIMENT = "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"


def land_in_the_run(folder: str, spec: dict[str, Any]) -> None:
    """Set the variables for the run in ``folder``, whose ``launch.Spec`` is ``spec``.

    Waits for the MLflow run as long as ``spec`` says; of a command, only :func:`wait_for_run` does
    so. In test mode all goes into the run's own folder, which is temporary.
    """
    for name in (RUN, EXPERIMENT, "MLFLOW_EXPERIMENT_NAME"):
        os.environ.pop(name, None)  # of a run that has started this session
    if spec["test"]:
        os.environ[URI] = "file://" + _quoted(os.path.join(folder, "mlruns"))
        os.environ[ALLOWED] = "true"
        return
    uri = os.environ[URI] = resolved(spec["tracking"]["uri"], os.environ)
    if uri.startswith("file:") or "://" not in uri:  # a folder
        os.environ.setdefault(ALLOWED, "true")
    if not is_command_file(spec["script"]):
        wait_for_run(folder, spec)


def wait_for_run(folder: str, spec: dict[str, Any]) -> None:
    """Wait for the MLflow run as long as ``spec`` says, and name it in the variables.

    A command has no code of the user's before its program, and a step that is made already has no
    program: it does without.
    """
    if spec["test"] or not spec.get("tracking"):
        return
    sent = _awaited(folder, spec["tracking"]["wait"])
    if sent.get("run"):
        os.environ[RUN] = sent["run"]
        os.environ[EXPERIMENT] = sent["experiment"]


def _awaited(folder: str, seconds: float) -> dict[str, Any]:
    """What mlflow.json says of the run; empty when it does not come in time."""
    until = time.monotonic() + seconds
    pause = LOOK
    while True:
        try:
            sent: dict[str, Any] = read_json(folder, TRACKED)
        except (OSError, ValueError):
            sent = {}
        left = until - time.monotonic()
        if sent.get("run") or sent.get("missed") or left <= 0:
            return sent
        time.sleep(min(pause, left))
        pause = min(2 * pause, LONGEST_LOOK)


def _quoted(path: str) -> str:
    from urllib.parse import quote  # in test mode only

    return quote(path)
