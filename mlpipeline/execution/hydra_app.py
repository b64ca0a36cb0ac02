"""``python -m mlpipeline.execution.hydra_app APP``: an app, as one job of a sweep (hydra_job.py).

The app is a script, ``-m MODULE``, or the task ``MODULE:FUNCTION`` of one whose script can't be run
again.
"""

from __future__ import annotations

import os
import runpy
import sys
from importlib import import_module

from mlpipeline.api.hydra_adapter import hydra_main
from mlpipeline.execution.hydra_job import meet_as_told

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from typing import Any


def main() -> None:
    """Run what the arguments name: a module, a script, or a task by its module and its name."""
    meet_as_told()
    sys.argv[:1] = []
    if sys.argv[0] == "-m":
        sys.argv[:1] = []
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    elif os.path.isfile(sys.argv[0]):
        sys.path[0] = os.path.dirname(os.path.realpath(sys.argv[0]))
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        _run_task(sys.argv[0])


def _run_task(name: str) -> None:
    module, _, function = name.partition(":")
    task: Any = import_module(module)
    for part in function.split("."):
        task = getattr(task, part)
    if not hasattr(task, "__wrapped__"):  # it is decorated elsewhere, by another name
        task = hydra_main(config_path=None, version_base=None)(task)
    task()


if __name__ == "__main__":
    main()
