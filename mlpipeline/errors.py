"""The errors that mlpipeline raises itself.

::

    MlpipelineError       a person can mend it; printed as a line, never as a traceback (exit 2)
    ├── ConfigError       mlp.config or a list of models can't be used
    ├── ModelError        a model file can't be used: no MODEL, no versions, a bad parameter …
    │   └── HydraMissing  it needs hydra, which is not installed
    ├── UnknownRun        no run has that name
    ├── AmbiguousName     several versions have that name
    ├── ProjectBusy       another scheduler holds this project on this host (exit 3)
    └── StorageError      a folder or file of the project can't be read or written
        └── DiskFull      for want of room: it can be tried again
"""

import os


def short(path: object) -> str:
    """``path`` relative to the working directory where it lies below it."""
    return str(path).removeprefix(os.getcwd() + os.sep)  # pathlib would cost each run 5 ms


class MlpipelineError(Exception):
    """Base of all; ``str(error)`` is the line that a person sees."""

    exit_code = 2


class ConfigError(MlpipelineError):
    """A configuration file can't be used.

    ``path`` and ``line`` (1-based, where known) say where, ``problem`` what, ``remedy`` what to do.
    """

    def __init__(self, path: object, problem: str, *, line: int | None = None, remedy: str = ""):
        self.path = path
        self.problem = problem
        self.line = line
        self.remedy = remedy
        where = f"{short(path)}:{line}" if line else short(path)
        super().__init__(f"{where}: {problem}" + (f"; {remedy}" if remedy else ""))


class ModelError(MlpipelineError):
    """A model file can't be used; the message says what it lacks."""


class HydraMissing(ModelError):
    """Hydra is needed, and is not installed; the message names the extra to install."""


class UnknownRun(MlpipelineError):
    """No run has the name that was asked for."""


class AmbiguousName(MlpipelineError):
    """Several versions have the name that was asked for; the message lists them."""


class ProjectBusy(MlpipelineError):
    """Another scheduler holds this project on this host."""

    exit_code = 3


class StorageError(MlpipelineError):
    """A folder or file of the project can't be read or written."""


class DiskFull(StorageError):
    """There is no room; when there is, it can be tried again."""
