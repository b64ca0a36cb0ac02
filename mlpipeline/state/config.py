"""mlp.config, as a typed record."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path

import msgspec

from mlpipeline.core.planning import RETRIED
from mlpipeline.core.runs import Outcome
from mlpipeline.core.spelling import nearest
from mlpipeline.errors import ConfigError
from mlpipeline.state.console_config import console_limit
from mlpipeline.state.host_config import counted, gpus, parallel
from mlpipeline.state.ini import MAIN, IniFile, number
from mlpipeline.state.layout import CONFIG
from mlpipeline.state.mlflow_config import MLFLOW, MLFLOW_KEYS, Mlflow, read_mlflow
from mlpipeline.state.notify_config import NOTIFY, NOTIFY_KEYS, Notify, read_notify

INIT_HINT = "run `mlpipeline init` to make the files of a project"


class StartMode(StrEnum):
    """How the processes of runs come into being."""

    WARM = "warm"  # forked from an interpreter that has imported what they need
    COLD = "cold"  # each an interpreter of its own


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What mlp.config says."""

    models_dir: Path  # absolute
    parallel: int = 1  # runs at a time
    start: StartMode = StartMode.WARM  # how the processes of runs come into being
    preload: tuple[str, ...] = ()  # modules that are imported before a run is forked
    cpus: float | None = None  # that runs may ask for; None: as many as there are
    memory: float | None = None  # GB that they may ask for; None: as much as there is
    gpus: tuple[str, ...] | None = None  # that they may use, in this order; None: all
    gpu_free_memory: float = 90.0  # percent that must be free of one, or others use it
    grace: float = 30.0  # seconds between asking a run to stop and killing it
    retries: int = 0  # further tries of a failed version in one session
    retry_on: frozenset[Outcome] = RETRIED  # after which outcomes
    retry_delay: float = 10.0  # seconds before the second try; doubled before each further one
    timeout: float = 0.0  # seconds that a run may take; 0: any
    stall_timeout: float = 0.0  # seconds that a run may be silent; 0: any
    stop_on_nan: bool = False  # end a run when a metric is no finite number
    inspect_timeout: float = 60.0  # seconds that importing a model script may take
    max_versions: int = 10_000  # that a sweep may have; 0: any number
    min_free_disk: float = 1.0  # GB without which nothing is started
    console_limit: float = 1.0  # GB that are kept of what a run prints; 0: all
    host_timeout: float = 0.0  # seconds of silence after which a host is lost; 0: a person decides
    shared: bool = False  # let the group write what is made here
    notify: Notify | None = None  # what is sent to a person, and where to; None: nothing
    mlflow: Mlflow | None = None  # where runs are tracked; None: nowhere
    warnings: tuple[str, ...] = ()


def read_settings(project: Path) -> Settings:
    """Read ``project``/mlp.config; raises ConfigError."""
    path = project / CONFIG
    ini = IniFile.read(path, remedy=INIT_HINT)
    options = ini.options(MAIN)
    if MAIN not in ini.sections():
        raise ConfigError(
            path,
            f"it has no section [{MAIN}]",
            line=next((ini.line_of(name) for name in ini.sections()), None),
            remedy=f"put a heading [{MAIN}] above your settings",
        )
    text = options.get("models_dir")
    if not text:
        like = next((name for name in options if nearest(name, ["models_dir"])), "models_dir")
        instead = f", but {like}" if like != "models_dir" else ""
        raise ConfigError(
            path,
            f"[{MAIN}] has no models_dir{instead}",
            line=ini.line_of(MAIN, like) or ini.line_of(MAIN),
            remedy="name the folder of your model scripts: models_dir = models",
        )
    models_dir = Path(os.path.normpath(project / Path(text).expanduser()))
    if not models_dir.is_dir():
        raise ConfigError(
            path,
            f"models_dir {text} is not a folder",
            line=ini.line_of(MAIN, "models_dir"),
            remedy="make it, or correct the path",
        )
    known = set(Settings.__struct_fields__) - {"notify", "mlflow", "warnings"}
    notify, notify_warnings = read_notify(ini)
    mlflow, mlflow_warnings = read_mlflow(ini)
    default = Settings(models_dir=models_dir)
    return Settings(
        models_dir=models_dir,
        parallel=parallel(ini, default.parallel),
        start=_start(ini),
        preload=_modules(ini, "preload"),
        cpus=counted(ini, "cpus"),
        memory=counted(ini, "memory"),
        gpus=gpus(ini),
        gpu_free_memory=number(ini, MAIN, "gpu_free_memory", default.gpu_free_memory),
        grace=number(ini, MAIN, "grace", default.grace),
        retries=number(ini, MAIN, "retries", default.retries),
        retry_on=_outcomes(ini, "retry_on", default.retry_on),
        retry_delay=number(ini, MAIN, "retry_delay", default.retry_delay),
        timeout=number(ini, MAIN, "timeout", default.timeout),
        stall_timeout=number(ini, MAIN, "stall_timeout", default.stall_timeout),
        stop_on_nan=boolean(ini, "stop_on_nan"),
        inspect_timeout=number(ini, MAIN, "inspect_timeout", default.inspect_timeout, least=0.1),
        max_versions=number(ini, MAIN, "max_versions", default.max_versions),
        min_free_disk=number(ini, MAIN, "min_free_disk", default.min_free_disk),
        console_limit=console_limit(ini, default.console_limit),
        host_timeout=number(ini, MAIN, "host_timeout", default.host_timeout),
        shared=boolean(ini, "shared"),
        notify=notify,
        mlflow=mlflow,
        warnings=(
            *ini.unknown({MAIN: known, NOTIFY: NOTIFY_KEYS, MLFLOW: MLFLOW_KEYS}),
            *notify_warnings,
            *mlflow_warnings,
        ),
    )


def boolean(ini: IniFile, option: str) -> bool:
    """Whether ``option`` says yes; a missing one says no; raises ConfigError for other words."""
    text = ini.options(MAIN).get(option, "false")
    words = {"1": True, "yes": True, "true": True, "on": True}
    words |= {"0": False, "no": False, "false": False, "off": False}
    try:
        return words[(text or "").lower()]
    except KeyError:
        raise ConfigError(
            ini.path,
            f"{option} is {text or ''!r}, neither true nor false",
            line=ini.line_of(MAIN, option),
            remedy=f"write {option} = true or {option} = false",
        ) from None


def _start(ini: IniFile) -> StartMode:
    text = ini.options(MAIN).get("start", StartMode.WARM.value) or ""
    try:
        return StartMode(text)
    except ValueError:
        raise ConfigError(
            ini.path,
            f"start is {text!r}, neither warm nor cold",
            line=ini.line_of(MAIN, "start"),
            remedy="write start = warm or start = cold",
        ) from None


def _modules(ini: IniFile, option: str) -> tuple[str, ...]:
    names = [name.strip() for name in (ini.options(MAIN).get(option) or "").split(",")]
    for name in names:
        if name and not all(part.isidentifier() for part in name.split(".")):
            raise ConfigError(
                ini.path,
                f"{option} names {name!r}, which is no module",
                line=ini.line_of(MAIN, option),
                remedy="write the names of modules, with commas between them: torch, sklearn",
            )
    return tuple(filter(None, names))


def _outcomes(ini: IniFile, option: str, default: frozenset[Outcome]) -> frozenset[Outcome]:
    text = ini.options(MAIN).get(option)
    if option not in ini.options(MAIN):
        return default
    known = [outcome.value for outcome in Outcome if outcome.is_failure]
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise ConfigError(
                ini.path,
                f"{option} names {name!r}, which is no outcome{nearest(name, known)}",
                line=ini.line_of(MAIN, option),
                remedy=f"choose from: {', '.join(known)}",
            )
    return frozenset(Outcome(name) for name in names)
