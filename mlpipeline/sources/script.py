"""Model scripts: loading one, and reading the versions of its global MODEL.

Runs in child processes only, since it executes user code.
"""

from __future__ import annotations

import json
import os
import re
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

from mlpipeline.api.keys import (
    AFTER,
    CONSOLE_LIMIT,
    CPUS,
    GPUS,
    MEMORY,
    NO_LIMIT,
    SECRET,
    TIMEOUT,
    looks_secret,
    version_parameters,
)
from mlpipeline.api.model import Model
from mlpipeline.api.names import problem_with, reads_as_attempt
from mlpipeline.api.versions import ALIASES, Versions
from mlpipeline.core.plain import plain, qualified_name
from mlpipeline.errors import ModelError
from mlpipeline.sources.code import code_of
from mlpipeline.sources.code import keep as keep  # noqa: PLC0414 - loading.py asks for it
from mlpipeline.sources.imports import LocalLoader, load_locally

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from mlpipeline.api.versions import Version

MANDATORY = (
    version_parameters.NAME,
    version_parameters.DATALOADER,
    version_parameters.BATCH_SIZE,
    version_parameters.EPOC_COUNT,
)
# What does not tell a version's results from another's.
UNSIGNED = frozenset(
    (
        version_parameters.NAME,
        version_parameters.ORDER,
        version_parameters.DATALOADER,
        TIMEOUT,
        CONSOLE_LIMIT,
        CPUS,
        MEMORY,
        GPUS,
        AFTER,
    )
)
HIDDEN = (version_parameters.NAME, version_parameters.ORDER, AFTER)  # told elsewhere
PASSWORD_IN_URL = r"(://[^/:@\s]*:)[^@/\s]+@"  # RFC 3986, userinfo
_MODERN = {historic: alias for alias, historic in ALIASES.items()}
_ASKED = (
    (CPUS, "a number of CPUs"),
    (MEMORY, "a number of GB"),
    (GPUS, "a whole number of GPUs, or a share of one such as 0.5"),
)
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def load_model(script: str, models_dir: str) -> Model:
    """Execute ``script`` and return its global MODEL.

    The script finds modules beside itself and in ``models_dir``, as ``python script`` would, and at
    last in the working directory, which is the project.
    Raises ModelError when there is no usable MODEL; what the script itself raises passes through.
    """
    folder = os.path.dirname(script)
    sys.path[:0] = [folder] if folder == models_dir else [folder, models_dir]
    sys.path.append(os.getcwd())
    name = os.path.splitext(os.path.basename(script))[0]
    if "." in name or name in sys.modules:
        name = "model_" + name.replace(".", "_")
    load_locally(models_dir, os.getcwd())
    loader = LocalLoader(name, script)
    module = ModuleType(name)
    module.__file__, module.__loader__ = script, loader
    module.__spec__ = ModuleSpec(name, loader, origin=script)
    sys.modules[name] = module  # so that the script's classes can be pickled
    exec(code_of(script), module.__dict__)
    try:
        model = module.MODEL
    except AttributeError:
        raise ModelError(
            "it has no global MODEL; add MODEL = YourModel(versions=...), "
            "or give a helper module a name that starts with _"
        ) from None
    if not isinstance(model, Model):
        what = "a class" if isinstance(model, type) else f"of type {type(model).__qualname__}"
        raise ModelError(f"its MODEL is {what}; it must be an instance of mlpipeline.Model")
    return model


def ordered_versions(model: Model, mandatory: Sequence[str] = MANDATORY) -> list[Version]:
    """The versions of ``model`` in the order they run; raises ModelError for an unusable one, such
    as one that lacks what is ``mandatory``.
    """
    versions = model.versions
    if not isinstance(versions, Versions):
        raise ModelError(
            "its MODEL has no Versions; call super().__init__(versions), or set self.versions"
        )
    if not versions:
        raise ModelError("its MODEL has no versions; add one with versions.add(name, ...)")
    for version in versions:
        _check(version, mandatory)
    return sorted(versions, key=lambda version: version[version_parameters.ORDER])


def signature(version: Version) -> str:
    """8 hex digits that change when a parameter does.

    SHA-256 over the parameters as canonical JSON; of the data loader only its class counts.
    """
    return digest(version, _dataloader_name(version))


def digest(parameters: Mapping[str, Any], dataloader: str | None = None) -> str:
    """8 hex digits over ``parameters``, without those that do not tell a version's results from
    another's.
    """
    signed = {key: plain(value) for key, value in parameters.items() if key not in UNSIGNED}
    if dataloader is not None:
        signed[version_parameters.DATALOADER] = dataloader
    from hashlib import sha256  # costs each run 5 ms, and the worker seldom needs it

    return sha256(_canonical(signed).encode()).hexdigest()[:8]


def shown_parameters(version: Version, model: Model | None = None) -> dict[str, Any]:
    """The parameters for people and records: those that are set, in modern words, as plain data.

    The values of what looks secret by its name are left out.
    """
    return shown({**version, version_parameters.DATALOADER: _dataloader_name(version)})


def shown(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """``parameters`` as :func:`shown_parameters` has them."""
    masked: dict[str, Any] = _masked(
        {
            _MODERN.get(key, key): plain(value)
            for key, value in parameters.items()
            if value is not None and key not in HIDDEN
        }
    )
    return masked


def _masked(value: Any) -> Any:
    """Plain data with the values of secrets replaced."""
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, str):
        if "://" not in value:
            return value
        return re.sub(PASSWORD_IN_URL, rf"\1{SECRET}@", value)
    if not isinstance(value, dict):
        return value
    return {k: SECRET if _is_secret(k, item) else _masked(item) for k, item in value.items()}


_HARMLESS: set[str] = set()  # names that look secret with no value; a model has few, but often


def _is_secret(name: str, value: Any) -> bool:
    if name in _HARMLESS:
        return False
    if not looks_secret(name, ""):
        _HARMLESS.add(name)
        return False
    return looks_secret(name, value)


def time_limit(version: Version) -> float | None:
    """Seconds that a run of ``version`` may take, if it says so; raises ModelError."""
    value = version.get(TIMEOUT)
    if value is None:
        return None
    if isinstance(value, bool) or not hasattr(value, "__float__") or not 0 < value < float("inf"):
        name = version.name
        raise ModelError(f"version {name!r} has timeout={value!r}; it must be a number of seconds")
    return float(value)


def console_limit(version: Version) -> float | None:
    """GB of what a run of ``version`` prints that are kept, if it says so; 0: all of it.

    Raises ModelError.
    """
    value = version.get(CONSOLE_LIMIT)
    if value is None:
        return None
    if value == NO_LIMIT:
        return 0.0
    if isinstance(value, bool) or not hasattr(value, "__float__") or not 0 < value < float("inf"):
        raise ModelError(
            f"version {version.name!r} has console_limit={value!r}; it must be a number of GB "
            f"above 0, or {NO_LIMIT!r}"
        )
    return float(value)


def asked(version: Version) -> dict[str, float]:
    """What a run of ``version`` asks of its host (a ``slots.Asks``); raises ModelError."""
    amounts = {}
    for key, what in _ASKED:
        value = version.get(key)
        if value is None:
            continue
        is_number = not isinstance(value, bool) and hasattr(value, "__float__")
        is_amount = is_number and 0 <= value < float("inf")
        if not is_amount or (key == GPUS and value > 1 and value % 1):
            raise ModelError(f"version {version.name!r} has {key}={value!r}; it must be {what}")
        amounts[key] = float(value)
    return amounts


def model_dir_name(model_name: str, version: Version) -> str:
    """``model`` or ``model-suffix``: versions without a suffix share their model's folder."""
    suffix = version.get(version_parameters.MODEL_DIR_SUFFIX)
    return f"{model_name}-{suffix}" if suffix not in (None, "") else model_name


def _check(version: Version, mandatory: Sequence[str]) -> None:
    name = version.get(version_parameters.NAME)
    for key in mandatory:
        if dict.get(version, key) is None:  # by its historic word; Version.get takes longer
            raise ModelError(f"version {name!r} has no {key}; pass it to add(), or to Versions()")
    if isinstance(name, str) and reads_as_attempt(name):  # it was not added by Versions.add
        raise ModelError(problem_with(name))
    for key in (version_parameters.BATCH_SIZE, version_parameters.EPOC_COUNT):
        value = dict.get(version, key)
        if value is None:  # a command has none
            continue
        whole = hasattr(value, "__index__") and not isinstance(value, bool)
        if not whole or value <= 0:
            raise ModelError(f"version {name!r} has {key}={value!r}; it must be a positive integer")
    order = version.get(version_parameters.ORDER)
    if isinstance(order, bool) or not hasattr(order, "__float__") or order != order:  # or nan
        raise ModelError(f"version {name!r} has order={order!r}; it must be a number")


def _dataloader_name(version: Version) -> str:
    dataloader = version[version_parameters.DATALOADER]
    named = dataloader if hasattr(dataloader, "__qualname__") else type(dataloader)
    return qualified_name(named)
