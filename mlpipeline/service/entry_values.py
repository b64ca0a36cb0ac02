"""The values of an entry point's parameters: given or by default, checked as their types say."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlparse

import msgspec

from mlpipeline.core.spelling import nearest
from mlpipeline.core.wording import enumeration
from mlpipeline.errors import MlpipelineError
from mlpipeline.state.mlproject import EntryPoint, Parameter

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
NAMED = 5


class Values(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of an entry point is given."""

    own: Mapping[str, str]  # of the parameters that it names
    extra: Mapping[str, str]  # of others


def values_of(entry: EntryPoint, given: Mapping[str, str], folder: Path) -> Values:
    """The values that ``given`` ones come to; ``folder`` is the project's.

    Raises MlpipelineError for what is missing, and for a value that is not of its type.
    """
    missing = [
        each.name
        for each in entry.parameters.values()
        if each.name not in given and each.default is None
    ]
    if missing:
        near = next((nearest(name, given) for name in missing if nearest(name, given)), "")
        them = "it" if len(missing) == 1 else "them"
        options = " ".join(f"-P {shlex.quote(name)}=…" for name in missing)
        raise MlpipelineError(
            f"entry point {entry.name} needs {enumeration(missing, NAMED)}{near}: "
            f"give {them} with {options}"
        )
    own = {}
    for name, parameter in entry.parameters.items():
        value = given.get(name, parameter.default)
        assert value is not None
        own[name] = _checked(parameter, value, folder, is_given=name in given)
    extra = {name: value for name, value in given.items() if name not in own}
    for name, value in (*own.items(), *extra.items()):
        if "\0" in name or "\0" in value:
            raise MlpipelineError(f"{name} has a NUL character, and no program can be given one")
    return Values(own=own, extra=extra)


def _checked(parameter: Parameter, value: str, folder: Path, *, is_given: bool) -> str:
    name = parameter.name
    if parameter.type == "float" and is_given and not _is_number(value):
        raise MlpipelineError(f"{name} must be a number, as MLproject says, and is {value!r}")
    if parameter.type == "uri" and not _SCHEME.match(value):
        raise MlpipelineError(
            f"{name} must be a URI, such as s3://… or file:///…, and is {value!r}"
        )
    return _path(name, value, folder) if parameter.type == "path" else value


def _path(name: str, value: str, folder: Path) -> str:
    """An absolute path: relative ones are from the working directory, else from the project."""
    local = value
    if _SCHEME.match(value):
        said = urlparse(value)
        if said.scheme != "file" or said.netloc not in ("", "localhost"):
            raise MlpipelineError(
                f"{name} must be on this machine, and is {value}: fetch it first, such as with "
                f"`mlflow artifacts download --artifact-uri {value}`, and give its path"
            )
        local = unquote(said.path)
    for start in (Path.cwd(), folder):
        found = os.path.normpath(start / local)
        if os.path.exists(found):  # noqa: PTH110
            return found
    raise MlpipelineError(f"{name} is {value}, and there is no such file or folder")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
