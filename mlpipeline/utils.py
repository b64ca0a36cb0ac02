"""Historic face: versions, metrics, keys and logging for model scripts. No logic lives here."""

from mlpipeline.api.console import add_script_dir_to_PATH, console_colors
from mlpipeline.api.keys import ExecutionModeKeys, ModeKeys, version_parameters
from mlpipeline.api.logger import set_logger
from mlpipeline.api.metrics import Metric, MetricContainer
from mlpipeline.api.reporting import log
from mlpipeline.api.versions import Versions

__all__ = [
    "ExecutionModeKeys",
    "Metric",
    "MetricContainer",
    "ModeKeys",
    "Versions",
    "add_script_dir_to_PATH",
    "console_colors",
    "log",
    "set_logger",
    "version_parameters",
]
