"""What the jobs of a sweep are called, where they work, and how the app is run for one of them."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from mlpipeline.api import sweeps
from mlpipeline.api.words import escaped
from mlpipeline.core.hydra_jobs import RUNNER
from mlpipeline.errors import MlpipelineError

DIGITS = 8  # hex digits that tell sweeps of one app apart
DEFAULT = "main"  # the name of a job that there is nothing to say of
PYTHON = "{python}"  # in a command file: the interpreter that the queue runs in
# Of Hydra's own overrides, those that a job is the same without.
ASIDE = ("hydra.launcher.", "hydra.sweep.", "hydra.mode=", "hydra/launcher=")
SIMPLE = ("${hydra.job.num}", "${hydra:job.num}")  # a subdir that needs no composed config
NOW = re.compile(r"\$\{now:[^${}]*\}")


def app_command(task_function: TaskFunction, config: DictConfig) -> list[str]:
    """The words that run the app, up to a job's own overrides, for a command file.

    Raises MlpipelineError where it can't be run once more.
    """
    words = [*_program(task_function), *_flags(), *own_overrides(config)]
    return [PYTHON, *map(escaped, words)]


def own_overrides(config: DictConfig) -> list[str]:
    """Hydra's own overrides that all jobs of the sweep have."""
    said = [str(each) for each in config.hydra.overrides.hydra]
    return [each for each in said if not each.startswith(ASIDE)]


def model_name(config: DictConfig, words: Sequence[str], name: str | None = None) -> str:
    """The name of the sweep's model: the app's, or ``name``, and a digest of its command line.

    ``words``: where and how the app is run. An app in a package is called by its module's path.
    """
    said = [*words, *(str(each) for each in config.hydra.overrides.task)]
    digest = sha256(json.dumps(said).encode()).hexdigest()[:DIGITS]
    app = str(name or _app_name(str(config.hydra.job.name)))
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', app).strip('-_') or 'app'}-{digest}"


def _app_name(name: str) -> str:
    """``name``, as Hydra calls the app, with the packages it is in, unless somebody chose it."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    module = spec.name.removesuffix(".__main__") if spec else ""
    return module if name in (module.rpartition(".")[2], "__main__") else name


def _program(task_function: TaskFunction) -> list[str]:
    main = sys.modules["__main__"]
    module = getattr(task_function, "__module__", "")
    if module != "__main__":
        name = getattr(task_function, "__qualname__", "")
        if not module or not name or "<" in name:
            raise MlpipelineError(
                f"the task {name or task_function!r} can't be found by its name in another "
                "process: define it at the top of a module"
            )
        return ["-m", RUNNER, f"{module}:{name}"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        parts = spec.name.rpartition(".")
        return ["-m", parts[0] if parts[2] == "__main__" else spec.name]
    script = getattr(main, "__file__", None)
    if not script or not Path(script).is_file():
        raise MlpipelineError(
            "the app has no script that could be run once more: put it into a file, or its task "
            "into a module"
        )
    path = Path(script).resolve()
    cwd = Path.cwd().resolve()
    return [str(path.relative_to(cwd) if path.is_relative_to(cwd) else path)]


def _flags() -> list[str]:
    """Hydra's own flags that say where the config is."""
    known, _ = get_args_parser().parse_known_args(sys.argv[1:])
    flags = {
        "--config-path": known.config_path,
        "--config-name": known.config_name,
        "--config-dir": known.config_dir,
    }
    return [word for flag, value in flags.items() if value is not None for word in (flag, value)]


def _make(folder: str) -> bool:
    """Make a folder; whether there was nothing of that name."""
    try:
        Path(folder).mkdir()
    except FileExistsError:
        return False
    return True


class Namer:
    """Names jobs by what sets them apart from others of their sweep, whatever batch they are in."""

    def __init__(self, loader: Any, config: DictConfig):
        parser = OverridesParser.create(config_loader=loader)
        said = [str(each) for each in config.hydra.overrides.task]
        fixed = [each for each in parser.parse_overrides(said) if not each.is_sweep_override()]
        self._fixed = {
            *(str(each.input_line) for each in fixed),
            *(f"{each.get_key_element()}={each.get_value_element_as_str()}" for each in fixed),
        }
        self._names: dict[str, tuple[str, ...]] = {}

    def name_of(self, overrides: tuple[str, ...]) -> str:
        """The job's name; the same for the same overrides, and for no others."""
        shown = [sweeps.shown(each) for each in overrides if each not in self._fixed]
        name = base = ",".join(shown) or DEFAULT
        number = 1
        while self._names.setdefault(name, overrides) != overrides:
            number += 1
            name = f"{base}-{number}"
        return name


class Placer:
    """Gives each job a folder for itself, where Hydra would have it if that is free."""

    def __init__(self, loader: Any, config: DictConfig):
        self._loader = loader
        self._config = config
        sweep = OmegaConf.to_container(config.hydra.sweep, resolve=False)
        assert isinstance(sweep, dict)
        self._is_simple = sweep["subdir"] in SIMPLE and "${" not in NOW.sub("", str(sweep["dir"]))

    def place(self, number: int, overrides: Sequence[str]) -> str:
        """A new folder for the job of that number; raises MlpipelineError.

        It is made, so that no sweep that is launched meanwhile takes it, too.
        """
        wanted = os.path.normpath(self._wanted(number, overrides))
        folder, count = wanted, 1
        try:
            Path(wanted).parent.mkdir(parents=True, exist_ok=True)
            while not _make(folder):
                count += 1
                folder = f"{wanted}-{count}"
        except OSError as error:
            raise MlpipelineError(f"{folder} can't be made: {error.strerror}") from None
        return folder

    def is_used(self, folder: str) -> bool:
        """Whether something is there already."""
        try:
            return bool(os.listdir(folder))  # noqa: PTH208
        except FileNotFoundError:
            return False
        except OSError:
            return True

    def _wanted(self, number: int, overrides: Sequence[str]) -> str:
        if self._is_simple and not any(each.startswith("hydra") for each in overrides):
            return os.path.join(str(self._config.hydra.sweep.dir), str(number))  # noqa: PTH118
        config = self._loader.load_sweep_config(self._config, list(overrides))
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
        instance = HydraConfig.instance()
        before = instance.cfg
        instance.set_config(config)
        try:
            keys = ("hydra.sweep.dir", "hydra.sweep.subdir")
            return os.path.join(*(str(OmegaConf.select(config, key)) for key in keys))  # noqa: PTH118
        finally:
            instance.cfg = before
