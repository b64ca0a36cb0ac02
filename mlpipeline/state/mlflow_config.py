"""The section [MLFLOW] of mlp.config: the tracking server that hears of runs."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from mlpipeline.core.spelling import nearest
from mlpipeline.errors import ConfigError, short
from mlpipeline.state.ini import IniFile, number

MLFLOW = "MLFLOW"
MISSING = "mlflow is not installed: pip install 'mlpipeline[mlflow]'"
MLFLOW_KEYS = ("tracking_uri", "experiment", "wait", "timeout")
VARIABLE = "MLFLOW_TRACKING_URI"  # MLflow's own, that says where where mlp.config does not

_NAMES = ("model", "project")  # that stand in braces in `experiment`
_WORDS = ("databricks", "databricks-uc", "uc")  # that are no folders
_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)(?!/)(.+)")


class Mlflow(msgspec.Struct, frozen=True, kw_only=True):
    """Where runs are sent to, and how."""

    uri: str  # or $NAME, for what a variable holds; may hold a password
    experiment: str = "{model}"  # its name, with the model or the project in braces
    wait: float = 10.0  # seconds that a run's start waits, at most, for its MLflow run
    timeout: float = 30.0  # seconds after which the server does not answer

    def __repr__(self) -> str:
        """Without what may be secret."""
        return f"Mlflow(experiment={self.experiment!r})"

    def experiment_of(self, model: str, project: str) -> str:
        """The name of the experiment that a model's runs are in."""
        return self.experiment.replace("{model}", model).replace("{project}", project)


def read_mlflow(ini: IniFile) -> tuple[Mlflow | None, list[str]]:
    """What the section says, None where there is none or it names no server, and warnings.

    Raises ConfigError.
    """
    options = ini.options(MLFLOW)
    if MLFLOW not in ini.sections():
        return None, []
    uri = (options.get("tracking_uri") or "").strip()
    if not uri and os.environ.get(VARIABLE):
        uri = f"${VARIABLE}"
    default = Mlflow(uri="")
    settings = Mlflow(
        uri=_absolute(uri, ini.path.absolute().parent),
        experiment=_experiment(ini, default.experiment),
        wait=number(ini, MLFLOW, "wait", default.wait),
        timeout=number(ini, MLFLOW, "timeout", default.timeout, least=1),
    )
    if uri:
        return settings, []
    where = f"{short(ini.path)}:{ini.line_of(MLFLOW)}"
    return None, [f"{where}: [{MLFLOW}] has no tracking_uri, so nothing is sent"]


def _absolute(uri: str, project: Path) -> str:
    """``uri`` as it is meant in any working directory: paths are relative to the project."""
    if sqlite := _SQLITE.fullmatch(uri):
        is_in_memory = sqlite[2].startswith(":")
        return uri if is_in_memory else f"{sqlite[1]}{project / sqlite[2]}"
    if not uri or uri.startswith("$") or uri in _WORDS or re.match(r"[\w+.-]+:", uri):
        return uri
    return Path(os.path.normpath(project / Path(uri).expanduser())).as_uri()


def _experiment(ini: IniFile, default: str) -> str:
    text = (ini.options(MLFLOW).get("experiment") or "").strip() or default
    for name in re.findall(r"\{([^{}]*)\}", text):
        if name not in _NAMES:
            raise ConfigError(
                ini.path,
                f"experiment has {{{name}}}, which stands for nothing{nearest(name, _NAMES)}",
                line=ini.line_of(MLFLOW, "experiment"),
                remedy="write experiment = {model}, say, or {project}/{model}",
            )
    return text
