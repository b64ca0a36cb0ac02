"""mlpipeline: the experiment queue you edit in a text file.

Model scripts import what they need from here; the historic names live on in
:mod:`mlpipeline.helper` and :mod:`mlpipeline.utils`.
"""

from mlpipeline.api.keys import ExecutionModeKeys, ModeKeys, version_parameters
from mlpipeline.api.metrics import Metric, MetricContainer
from mlpipeline.api.model import DataLoader, Model
from mlpipeline.api.reporting import log, log_artifact, log_metrics
from mlpipeline.api.versions import Version, Versions

__version__ = "0.1.0"

__all__ = [
    "DataLoader",
    "ExecutionModeKeys",
    "Metric",
    "MetricContainer",
    "ModeKeys",
    "Model",
    "Version",
    "Versions",
    "__version__",
    "log",
    "log_artifact",
    "log_metrics",
    "version_parameters",
]
