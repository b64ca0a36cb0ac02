"""Choosing among results: their values by name, conditions on them, and which are best."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from mlpipeline.core.measures import lower_is_better
from mlpipeline.core.spelling import nearest
from mlpipeline.errors import MlpipelineError
from mlpipeline.service.results import Result, Results

OPERATORS = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(
    r"\s*(?P<name>[^<>=!]+?)\s*(?P<operator>[<>=!]=|[<>=])\s*(?P<value>[^<>=!\s].*?)\s*"
)
FACTS = ("run", "model", "version", "attempt", "state", "seconds")
PARAMETER, RESULT, METRIC, BEST, FACT = "parameter", "result", "metric", "best", "fact"


class Column(msgspec.Struct, frozen=True):
    """A value that runs may have: a fact, a parameter, a result, or a metric's last or best."""

    name: str  # no two columns have the same
    kind: str
    key: str  # its name among those of its kind

    def of(self, result: Result) -> Any:
        """What ``result`` has there; None where it has nothing."""
        if self.kind == FACT:
            return getattr(result, self.key)
        if self.kind == PARAMETER:
            return _parameters(result.parameters).get(self.key)
        if self.kind == RESULT:
            return result.results.get(self.key)
        metric = result.metrics.get(self.key)
        return None if metric is None else metric.last if self.kind == METRIC else metric.best


def columns(results: Iterable[Result]) -> list[Column]:
    """All columns that ``results`` have, facts first, then in the order of their appearance.

    ``loss`` is the last value of a metric, ``loss.best`` its best. Of two that would have the same
    name, the later kind gets its own before it: ``metric.loss`` beside a parameter ``loss``.
    """
    keys: dict[str, dict[str, None]] = {kind: {} for kind in (PARAMETER, RESULT, METRIC)}
    for result in results:
        keys[PARAMETER] |= dict.fromkeys(_parameters(result.parameters))
        keys[RESULT] |= dict.fromkeys(result.results)
        keys[METRIC] |= dict.fromkeys(result.metrics)
    made = {name: Column(name, FACT, name) for name in FACTS}
    for kind, names in keys.items():
        for key in names:
            name = key if key not in made else f"{kind}.{key}"
            made[name] = Column(name, kind, key)
            if kind == METRIC:
                name = f"{key}.best" if f"{key}.best" not in made else f"metric.{key}.best"
                made[name] = Column(name, BEST, key)
    return list(made.values())


class Condition(msgspec.Struct, frozen=True):
    """What a run's value must be; numbers compare as numbers, all else as words."""

    column: Column
    operator: str  # one of OPERATORS
    value: str

    def holds(self, result: Result) -> bool:
        """Whether it does for ``result``; where that has no such value, only ``!=`` does."""
        value = self.column.of(result)
        if value is None and self.value != str(None):
            return self.operator == "!="
        compare = OPERATORS[self.operator]
        number, limit = _number(value), _number(self.value)
        if number is not None and limit is not None:
            return bool(compare(number, limit))
        if compare not in (operator.eq, operator.ne) and (number is None) != (limit is None):
            return False  # a number is neither before a word nor after it
        return bool(compare(_word(value), _word(self.value)))


def condition(text: str, known: Sequence[Column]) -> Condition:
    """``text`` (``lr<0.1``) as a condition on one of the ``known`` columns.

    Raises MlpipelineError.
    """
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise MlpipelineError(
            f"{text!r} is no condition; write a name, one of < <= > >= = !=, and a value: "
            "'learning_rate<0.1' (in quotes, for the shell)"
        )
    return Condition(column(match["name"], known), match["operator"], match["value"])


def column(name: str, known: Sequence[Column]) -> Column:
    """The column of that name; raises MlpipelineError with the nearest."""
    for each in known:
        if each.name == name:
            return each
    names = [each.name for each in known]
    hint = nearest(name, names) or f"; there are {', '.join(names)}"
    raise MlpipelineError(f"no run has a value called {name!r}{hint}")


def is_lower_better(by: Column) -> bool:
    """Whether less of it is better."""
    return by.name in ("seconds", "attempt") or lower_is_better(by.key)


def ordered(results: Iterable[Result], by: Column, *, descending: bool = False) -> list[Result]:
    """``results`` by a value: numbers before words, and last those that have none, or NaN."""
    valued, rest = [], []
    for result in results:
        value = by.of(result)
        number = _number(value)
        if value is None or (number is not None and math.isnan(number)):
            rest.append(result)
        else:
            key = (number is None, 0.0 if number is None else number, _word(value))
            valued.append((key, result))
    valued.sort(key=lambda pair: pair[0], reverse=descending)
    return [result for _, result in valued] + rest


def best_first(results: Results, by: Column, *, lower: bool) -> Results:
    """The best first, and named; ``lower``: less is better."""
    runs = ordered(results.runs, by, descending=not lower)
    best = runs[0].run if runs and isinstance(by.of(runs[0]), (int, float)) else None
    return Results(runs=tuple(runs), best=best)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _word(value: Any) -> str:
    """``value`` to compare with what a person types: ``true`` is True."""
    return str(value).casefold()


def _parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """Those within a dict by their dotted paths."""
    flat: dict[str, Any] = {}
    for key, value in parameters.items():
        if isinstance(value, dict) and value:
            flat |= {f"{key}.{inner}": item for inner, item in _parameters(value).items()}
        else:
            flat[key] = value
    return flat
