"""The types of what goes into a step and comes out: their names, and values that fit them.

Parameters are values; what is not one is an artifact, a file or a folder. Names as in kfp's
``type_utils``, which takes several spellings of each.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from typing import Any

STRING, INTEGER, FLOAT, BOOLEAN, LIST, DICT = PARAMETERS = (
    *("String", "Integer", "Float", "Boolean", "List", "Dict"),
)
ARTIFACT, METRICS = "Artifact", "Metrics"
ARTIFACTS = (
    ARTIFACT,
    "Dataset",
    "Model",
    METRICS,
    "ClassificationMetrics",
    "SlicedClassificationMetrics",
    "HTML",
    "Markdown",
)
_SPELLINGS = {
    **{name.lower(): name for name in (*PARAMETERS, *ARTIFACTS)},
    **{"int": INTEGER, "double": FLOAT, "str": STRING, "text": STRING, "bool": BOOLEAN},
    **{"jsonarray": LIST, "jsonobject": DICT},
}
_GOOGLES = re.compile(r"google\.[A-Za-z]+")
_YES, _NO = ("y", "yes", "t", "true", "on", "1"), ("n", "no", "f", "false", "off", "0")


def key_of(name: str) -> str:
    """The name of a port as kfp spells it: ``Input 1`` is ``input_1``."""
    return re.sub("[^_0-9a-z]+", "_", name.lower()).strip("_")


def type_of(declared: Any) -> tuple[str, bool]:
    """What a component's ``type`` means, and whether that is a parameter.

    As for kfp, what it does not know (``GCSPath``) or nothing is an Artifact.
    """
    if not isinstance(declared, str):
        return ARTIFACT, False
    if _GOOGLES.fullmatch(declared):
        return declared, False
    # typing.List[str], List[int]; system.Dataset@0.0.1, as compiled files have it
    short = declared.removeprefix("typing.").removeprefix("system.").partition("@")[0]
    name = _SPELLINGS.get(short.partition("[")[0].lower(), ARTIFACT)
    return name, name in PARAMETERS


def natural(value: Any) -> str:
    """The type of a value; raises ValueError for None and others that have none."""
    for kinds, name in ((bool, BOOLEAN), (int, INTEGER), (float, FLOAT), (str, STRING)):
        if isinstance(value, kinds):
            return name
    if isinstance(value, (list, tuple)):
        return LIST
    if isinstance(value, dict):
        return DICT
    raise ValueError(f"is {value!r}, which has no type")


def fitting(value: Any, type_name: str, *, from_text: bool = False) -> Any:
    """``value`` as a parameter's type has it: whole numbers are Floats, too.

    ``from_text``: what a text says counts, as in a component's defaults and on a command line.
    Raises ValueError, whose text goes behind what the value is called: "is 'x', …".
    """
    if from_text and isinstance(value, str) and type_name != STRING:
        return _read(value, type_name)
    if from_text and type_name == STRING and not isinstance(value, (list, dict)):
        return as_text(value)
    own = natural(value)
    if own == type_name:
        return value
    if own == INTEGER and type_name == FLOAT:
        return float(value)
    if own == FLOAT and type_name == INTEGER and value.is_integer():
        return int(value)
    remedy = "; put it in quotes" if type_name == STRING and own not in (LIST, DICT) else ""
    raise ValueError(f"is {value!r} ({own}) and must be {type_name}{remedy}")


def _read(text: str, type_name: str) -> Any:
    word = text.strip()
    try:
        if type_name == INTEGER:
            return int(word)
        if type_name == FLOAT:
            return float(word)
        if type_name == BOOLEAN and word.lower() in (*_YES, *_NO):
            return word.lower() in _YES
        if type_name in (LIST, DICT):
            value = json.loads(word)
            if natural(value) == type_name:
                return value
    except ValueError:
        pass
    raise ValueError(f"is {text!r} and must be {type_name}")


def as_text(value: Any) -> str:
    """A parameter's value as a program is given it: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def compatible(given: str, wanted: str) -> bool:
    """Whether an output of one type can be another's input, as kfp has it: Artifact is any."""
    if given in PARAMETERS or wanted in PARAMETERS:
        return given == wanted
    return given == wanted or ARTIFACT in (given, wanted)
