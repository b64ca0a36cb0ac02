"""Loading a model file of any kind: a module for each, with functions of the same names.

``load_model(path, models_dir)``, ``ordered_versions(model)``, ``signature(version)``,
``shown_parameters(version, model)`` and ``keep(path)``.
"""

from __future__ import annotations

from mlpipeline.core.model_files import is_command_file
from mlpipeline.sources import script

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from types import ModuleType

    from mlpipeline.api.model import Model


def source_of(path: str) -> ModuleType:
    """The module for model files like ``path``."""
    if not is_command_file(path):
        return script
    from mlpipeline.sources import command  # needs YAML, and scripts do without

    return command


def load_model_file(path: str, models_dir: str) -> Model:
    """The model in a model file; raises ModelError, and what user code raises."""
    model: Model = source_of(path).load_model(path, models_dir)
    return model
