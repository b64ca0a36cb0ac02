"""What is answered to a template: names that it knows, and values that make working files."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from mlpipeline.core.spelling import nearest
from mlpipeline.core.wording import plural
from mlpipeline.errors import MlpipelineError

FILE = "cookiecutter.json"  # a template's questions
_NUMBER = re.compile(r"[\d.eE+_-]+", re.ASCII)
_PARAMETER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_FILE_NAME = re.compile(r"[A-Za-z0-9_][\w.+-]*", re.ASCII)
_MADE = ("mlproject", "conda.yml")  # beside a step's script


def check_names(template: Path, answers: Mapping[str, str]) -> None:
    """Raises MlpipelineError where the template in that folder asks nothing of such a name."""
    try:
        asked = json.loads((template / FILE).read_bytes())
    except (OSError, ValueError):
        return  # cookiecutter says what is wrong with it
    if not isinstance(asked, dict):
        return
    names = [name for name in asked if not name.startswith("_")]
    for name in answers:
        if name not in asked:
            raise MlpipelineError(
                f"-P {name}: the template asks nothing of that name{nearest(name, names)}; it asks "
                f"{', '.join(names) or 'nothing'}"
            )


def check_name(kind: str, name: str, answers: Mapping[str, str]) -> None:
    """Raises MlpipelineError where ``answers`` give the thing another name than ``name``."""
    for key in ("name", f"{kind}_name"):
        if answers.get(key, name) != name:
            raise MlpipelineError(
                f"-P {key}={answers[key]} contradicts the name {name}: say it once, as `mlpipeline "
                f"new {kind} NAME`"
            )


def flaw_of(name: str, value: str) -> str:
    """Why ``value`` is no answer to what our own templates ask as ``name``; empty: it is one."""
    check = _CHECKS.get(name)
    return check(value) if check else ""


def _count(value: str) -> str:
    number = _number(value)
    is_count = isinstance(number, int) and number > 0
    return "" if is_count else f"{value!r} is no whole number above 0"


def _rates(value: str) -> str:
    rates = [each.strip() for each in value.split(",")]
    for each in rates:
        number = _number(each)
        if number is None or not math.isfinite(number) or number <= 0:
            return f"{each!r} is no number above 0; write 0.1,0.01, say"
    return _twice(rates)


def _number(value: str) -> float | None:
    """What Python reads; None for no number."""
    if not _NUMBER.fullmatch(value):
        return None
    try:
        number = ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return None
    return number if isinstance(number, (int, float)) else None


def _parameters(value: str) -> str:
    if not value.strip():
        return ""
    names = [each.strip() for each in value.split(",")]
    for each in names:
        if not _PARAMETER.fullmatch(each) or each == "help":
            return (
                f"{each!r} can't be the name of a parameter: use letters, digits and _, begin with "
                "a letter, and put commas between names"
            )
    return _twice(names)


def _twice(names: list[str]) -> str:
    again = next((each for each in names if names.count(each) > 1), "")
    return f"{again} is there {plural(names.count(again), 'time')}" if again else ""


def _script(value: str) -> str:
    if not _FILE_NAME.fullmatch(value) or value.lower() in _MADE:
        return f"no script can be called {value!r}: use letters, digits and _ . + -, as in run.py"
    return ""


_CHECKS: Mapping[str, Callable[[str], str]] = {
    "batch_size": _count,
    "epoch_count": _count,
    "learning_rates": _rates,
    "parameters": _parameters,
    "script_name": _script,
}
