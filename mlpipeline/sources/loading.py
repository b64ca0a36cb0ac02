"""Loading a model file of any kind: a module for each, with functions of the same names.

``load_model(path, models_dir)``, ``ordered_versions(model)``, ``signature(version)``,
``shown_parameters(version, model)`` and ``keep(path)``.
"""

from __future__ import annotations

import re

from mlpipeline.core.model_files import is_command_file
from mlpipeline.sources import script

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from types import ModuleType

    from mlpipeline.api.model import Model


# The key of the first column that tells a pipeline from a command.
_STEPS_KEY = re.compile(rb"""^(["']?)steps\1[ \t]*:""", re.MULTILINE)


def source_of(path: str) -> ModuleType:
    """The module for model files like ``path``."""
    if not is_command_file(path):
        return script
    if is_pipeline(path):
        from mlpipeline.sources import pipeline  # what it needs costs 10 ms

        return pipeline
    from mlpipeline.sources import command  # needs YAML, and scripts do without

    return command


def is_pipeline(path: str) -> bool:
    """Whether a model file is a pipeline of steps; False for what can't be read."""
    if not is_command_file(path):
        return False
    try:
        with open(path, "rb") as file:
            return _STEPS_KEY.search(file.read()) is not None
    except OSError:
        return False


def load_model_file(path: str, models_dir: str) -> Model:
    """The model in a model file; raises ModelError, and what user code raises."""
    model: Model = source_of(path).load_model(path, models_dir)
    return model
