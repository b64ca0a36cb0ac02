"""Values as Hydra's grammar has them, so that they reach a program's config exactly as they are.

Source: hydra/grammar/OverrideLexer.g4 and OverrideParser.g4 of Hydra 1.3, and OmegaConf's own for
what stands in a config: there ``${`` begins an interpolation, ``\\${`` is itself.
"""

from __future__ import annotations

import re

from mlpipeline.api.listed import quoted

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

# What Hydra takes for the same text without quotes, unless it is one of its words.
_BARE = re.compile(r"[A-Za-z_/][A-Za-z0-9_/.+@%-]*")
_WORDS = ("true", "false", "null", "inf", "nan")
_INTERPOLATION = re.compile(r"(\\*)\$\{")
_KEY = re.compile(r"(?:\+\+|[+~])?[A-Za-z_$][\w$./@:-]*=")
_DICT_KEY = re.compile(r"[ -~]+")
_IN_KEYS = re.compile(r"([\\()\[\]{}:=, \t])")
_NOT_IN_KEYS = re.compile(r"['\"!#&;<>^`~]")
MISSING = "???"  # OmegaConf's mark of a value that is still to be given


def is_override(word: Sequence[object]) -> bool:
    """Whether a word, of which the parts are texts and others, is ``key=…`` of Hydra's."""
    return bool(word) and isinstance(word[0], str) and bool(_KEY.match(word[0]))


def filled(word: Sequence[str | Value]) -> str:
    """An override whose parts are texts and values: ``key=`` with these, quoted where need be.

    Within quotes, values are as they are: who wrote those has seen to it. Within brackets, and
    between commas, each value is one of its own. Raises ValueError for what Hydra can't be given.
    """
    first = str(word[0])
    start = len(first.partition("=")[0]) + 1
    key, rest = first[:start], [first[start:], *word[1:]] if first[start:] else [*word[1:]]
    written = "".join(part for part in rest if isinstance(part, str))
    if "'" in written or '"' in written:
        return key + "".join(part if isinstance(part, str) else part.text for part in rest)
    if any(each in written for each in ",()[]{}"):
        return key + "".join(part if isinstance(part, str) else hydra(part.value) for part in rest)
    if len(rest) == 1 and isinstance(rest[0], Value):
        return key + hydra(rest[0].value)
    whole = "".join(part if isinstance(part, str) else part.text for part in rest)
    return key + hydra(whole)


class Value:
    """A value in a word, and how a program that is none of Hydra's is given it."""

    __slots__ = ("text", "value")

    def __init__(self, value: Any, text: str):
        self.value = value
        self.text = text


def hydra(value: Any) -> str:
    """``value`` (None, bool, int, float, str, list or dict) in Hydra's grammar.

    Raises ValueError for what that can't hold.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(hydra, value))}]"
    if isinstance(value, dict):
        pairs = [f"{_dict_key(key)}:{hydra(each)}" for key, each in value.items()]
        return f"{{{','.join(pairs)}}}"
    return _text(value)


def _text(text: str) -> str:
    if text == MISSING:
        raise ValueError("??? means for Hydra that a value is still to be given")
    if _BARE.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return quoted(_INTERPOLATION.sub(r"\1\1\\${", text))


def _dict_key(key: str) -> str:
    """A key of a dict, for which Hydra has no quotes."""
    if not _DICT_KEY.fullmatch(key) or _NOT_IN_KEYS.search(key) or "${" in key:
        raise ValueError(f"Hydra has no way to write the key {key!r} of a dict")
    if not re.fullmatch(r"[A-Za-z_].*", key) or key.lower() in _WORDS:
        raise ValueError(f"Hydra takes the key {key!r} of a dict for another thing than a text")
    return _IN_KEYS.sub(r"\\\1", key)
