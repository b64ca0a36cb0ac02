"""What a step has made, looked at: values read with their types, numbers taken for results."""

from __future__ import annotations

import os

from mlpipeline.api.keys import looks_secret
from mlpipeline.core.plain import plain
from mlpipeline.execution.writing import read_json
from mlpipeline.sources.port_types import FLOAT, INTEGER, fitting

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from mlpipeline.sources.component import Port

LARGEST = 1 << 20  # bytes of an output that is a parameter


class Problem(Exception):
    """The step can't be run, or has not made what it should; the message says why."""


def lacks(port: Port) -> str:
    """What to say of an output that is not there."""
    what = "the file with the value of" if port.is_parameter else "the artifact"
    return (
        f"it has ended well, but not made {what} {port.name} ({port.type}), as its component "
        f"says: have it write where {{outputPath: {port.name}}} is, or take that output out of "
        "the component"
    )


def parameter(port: Port, path: str) -> Any:
    """The value that was written to ``path``; raises Problem."""
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise Problem(
                f"its output {port.name} ({port.type}) is longer than {LARGEST >> 20} MB: "
                "make it an artifact"
            )
        return fitting(content.decode("utf-8"), port.type, from_text=True)
    except IsADirectoryError:
        raise Problem(
            f"its output {port.name} ({port.type}) must be a file, not a folder"
        ) from None
    except UnicodeDecodeError:
        raise Problem(f"its output {port.name} ({port.type}) is no UTF-8") from None
    except ValueError as error:
        raise Problem(f"its output {port.name} {error}") from None


def metrics(path: str) -> dict[str, Any]:
    """The numbers in an output of the type Metrics, where it is JSON that has some: a file, or
    those in a folder.
    """
    files = [path]
    if os.path.isdir(path):
        files = [os.path.join(path, name) for name in sorted(os.listdir(path))]
    numbers: dict[str, Any] = {}
    for each in files:
        try:
            said = read_json(os.path.dirname(each), os.path.basename(each))
        except (OSError, ValueError):
            continue
        numbers |= dict(_numbers(said))
    return numbers


def with_numbers(
    ports: Mapping[str, Port], values: Mapping[str, Any], results: Mapping[str, Any]
) -> dict[str, Any]:
    """``results``, and those ``values`` of outputs that are numbers; a result of the name stays."""
    numbers = {
        name: plain(value)
        for name, value in values.items()
        if name in ports and ports[name].type in (INTEGER, FLOAT) and not looks_secret(name, value)
    }
    return {**numbers, **results}


def _numbers(said: Any) -> Iterator[tuple[str, Any]]:
    """The numbers in a JSON object, by their names, or in the list that Kubeflow Pipelines 1 has:
    ``{"metrics": [{"name": …, "numberValue": …}]}``.
    """
    if not isinstance(said, dict):
        return
    if isinstance(said.get("metrics"), list):
        for each in said["metrics"]:
            if isinstance(each, dict) and _is_number(each.get("numberValue")):
                yield str(each.get("name")), plain(each["numberValue"])
    for key, value in said.items():
        if _is_number(value):
            yield key, plain(value)
        elif isinstance(value, dict):
            inner = dict(_numbers(value))
            if inner:
                yield key, inner


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
