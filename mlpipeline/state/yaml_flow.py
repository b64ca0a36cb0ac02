"""Values as YAML in flow style, in one line, which YAML 1.1 and 1.2 read alike."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

# Needs no quotes, wherever it stands: a word, or an option such as --lr.
PLAIN = re.compile(r"(?:--?)?[A-Za-z][A-Za-z0-9_./+@=-]*")
# What YAML 1.1 or 1.2 takes for something else.
WORDS = frozenset(["true", "false", "yes", "no", "on", "off", "null", "y", "n", "inf", "nan"])


def flow(value: Any) -> str:
    """``value``, which is made of mappings, sequences, texts, numbers, booleans and None."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_text(key)}: {flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(flow, value))}]"
    return _number(value) if isinstance(value, float) else json.dumps(value)


def _text(text: str) -> str:
    if PLAIN.fullmatch(text) and text.lower() not in WORDS:
        return text
    if text.isprintable():
        return json.dumps(text, ensure_ascii=False)
    dumped: str = yaml.safe_dump(text, default_style='"', width=10**9, allow_unicode=False)
    return dumped.strip()


def _number(value: float) -> str:
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else f"{'-' * (value < 0)}.inf"
    text = repr(value)
    return text if "." in text else text.replace("e", ".0e")  # 1e-05 is a text in YAML 1.1
