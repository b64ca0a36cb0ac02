"""The parameters of a pipeline and its grid: their types, defaults and values."""

from __future__ import annotations

from mlpipeline.core.spelling import nearest
from mlpipeline.sources.fields import check_keys, pairs_of, text_of
from mlpipeline.sources.port_types import FLOAT, INTEGER, PARAMETERS, fitting, natural, type_of
from mlpipeline.sources.yaml_file import FileError, Node

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

_KEYS = ("type", "default", "description")


class Parameter:
    """A parameter of the pipeline; ``has_default`` tells whether ``default`` is one. Frozen."""

    __slots__ = ("default", "description", "has_default", "line", "name", "type")

    def __init__(self, name: str, type_name: str, line: int, *default: Any, description: str = ""):
        self.name = name
        self.type = type_name
        self.line = line
        self.has_default = bool(default)
        self.default = default[0] if default else None
        self.description = description

    def __repr__(self) -> str:
        return f"<Parameter {self.name}: {self.type}>"


def parameters_of(
    node: Node | None, grid: Node | None
) -> tuple[dict[str, Parameter], dict[str, list[Any]]]:
    """The parameters, and those of the grid with their values; raises FileError.

    The type of one that does not say it is that of its values: a whole number among fractions is
    a Float. What only the grid names is a parameter without default.
    """
    values: dict[str, list[Any]] = {}
    lines: dict[str, int] = {}
    if grid is not None and not grid.is_empty:
        for name, each in pairs_of(grid, "grid", "grid: {lr: [0.1, 0.01]}").items():
            values[name] = each.value() if each.is_list else [each.value()]
            lines[name] = each.line
            if not values[name]:
                raise FileError(f"the list of values for {name} is empty", each.line)
    parameters: dict[str, Parameter] = {}
    if node is not None and not node.is_empty:
        for name, each in pairs_of(node, "parameters", "parameters: {lr: 0.1}").items():
            parameters[name] = _parameter(name, each, values.get(name, ()))
    for name, line in lines.items():
        if name not in parameters:
            parameters[name] = Parameter(
                _checked(name, line), _common(name, values[name], line), line
            )
    for name, line in lines.items():
        try:
            values[name] = [fitting(each, parameters[name].type) for each in values[name]]
        except ValueError as error:
            raise FileError(f"a value of {name} in the grid {error}", line) from None
        if any(each in values[name][:at] for at, each in enumerate(values[name])):
            raise FileError(f"the grid has a value of {name} twice", line, "remove one of them")
    return parameters, values


def _checked(name: str, line: int) -> str:
    if not name.isidentifier() or not name.isascii():
        raise FileError(
            f"a parameter can't be called {name!r}",
            line,
            "letters, digits and _ will do, the first one no digit",
        )
    return name


def _parameter(name: str, node: Node, others: Iterable[Any]) -> Parameter:
    line = node.line
    _checked(name, line)
    pairs = node.pairs() if node.is_mapping else {}
    if "type" not in pairs:
        value = node.value()
        if value is None:
            raise FileError(
                f"the parameter {name} has neither a value nor a type",
                line,
                f"write {name}: 0.1, or {name}: {{type: Float}}",
            )
        type_name = _common(name, [value, *others], line)
        return Parameter(name, type_name, line, fitting(value, type_name))
    return _declared(name, pairs, line)


def _declared(name: str, pairs: Mapping[str, Node], line: int) -> Parameter:
    check_keys(pairs, _KEYS, f"the parameter {name}")
    said = text_of(pairs["type"], "type")
    type_name, is_parameter = type_of(said)
    if not is_parameter:
        raise FileError(
            f"the parameter {name} has the type {said!r}{nearest(said, PARAMETERS)}",
            pairs["type"].line,
            f"it may be {', '.join(PARAMETERS)}",
        )
    description = text_of(pairs.get("description"), "description")
    default = pairs.get("default")
    if default is None or default.is_empty:
        return Parameter(name, type_name, line, description=description)
    try:
        value = fitting(default.value(), type_name)
    except ValueError as error:
        raise FileError(f"the default of {name} {error}", default.line) from None
    return Parameter(name, type_name, line, value, description=description)


def _common(name: str, values: Iterable[Any], line: int) -> str:
    """The type that all of ``values`` have, or can be written in."""
    try:
        types = list(dict.fromkeys(natural(value) for value in values))
    except ValueError as error:
        raise FileError(f"a value of {name} {error}", line, "write one, or leave it out") from None
    if set(types) == {INTEGER, FLOAT}:
        return FLOAT
    if len(types) > 1:
        raise FileError(
            f"the values of {name} are of different types: {', '.join(types)}",
            line,
            "put all of them in quotes where they are texts",
        )
    return types[0]
