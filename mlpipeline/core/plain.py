"""Any Python value as plain JSON data, the same in every process and on every day.

What a record says of a parameter or a result, and what a version's signature is taken over.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from typing import Any

LONGEST = 1_000  # characters of JSON; a longer list or array is shown by its digest
SHORT_LIST = 50  # items; so few are shown whatever their length
NOT_FINITE = ("nan", "inf", "-inf")  # numbers that JSON lacks, by their names
_ADDRESS = r" at 0x[0-9a-fA-F]+"


def plain(value: Any) -> Any:
    """``value`` as None, bool, int, float, str, list or dict with string keys, all the way down.

    Numbers that JSON lacks become ``"nan"``, ``"inf"`` and ``"-inf"``; callables and classes their
    qualified name; arrays (whatever has ``tolist``) lists; long lists a digest; dataclasses their
    fields; paths their text; anything else its ``repr`` without memory addresses.
    """
    kind = type(value)
    if kind is int or kind is bool or value is None or (kind is str and value.isascii()):
        return value  # as most are, and a model may have 100,000 versions
    return _plain(value, ())


def safe_text(value: Any) -> str:
    """``str(value)`` in valid Unicode, also where a class of the user's can't be shown."""
    try:
        return str(plain(str(value)))
    except Exception as error:
        return f"<a {type(value).__name__} that can't be shown: {type(error).__name__}>"


def qualified_name(value: Any) -> str:
    """Where a callable or class is defined: ``package.module.Class.method``."""
    module = getattr(value, "__module__", None)
    return f"{module}.{value.__qualname__}" if module else str(value.__qualname__)


def _plain(value: Any, parents: tuple[int, ...]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value).encode("utf-8", "replace").decode()  # without lone surrogates
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        number = float(value)
        return number if number - number == 0 else str(number)
    if id(value) in parents:
        return "…"
    return _plain_container(value, (*parents, id(value)))


def _plain_container(value: Any, parents: tuple[int, ...]) -> Any:
    if isinstance(value, dict):
        return {_key(key, parents): _plain(item, parents) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [_plain(item, parents) for item in value]
        return items if len(items) <= SHORT_LIST else _brief(value, items)
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item, parents) for item in value), key=json.dumps)
    if hasattr(value, "tolist") and not isinstance(value, type):
        return _brief(value, _plain_items(value.tolist(), parents))
    return _plain_object(value, parents)


def _plain_object(value: Any, parents: tuple[int, ...]) -> Any:
    if callable(value) and hasattr(value, "__qualname__"):
        return qualified_name(value)
    if callable(value) and hasattr(value, "func") and hasattr(value, "keywords"):  # partial
        parts = {"partial": value.func, "args": value.args, "keywords": value.keywords}
        return _plain(parts, parents)
    fields = getattr(type(value), "__dataclass_fields__", None)
    if fields is not None:
        return {
            "class": qualified_name(type(value)),
            **{name: _plain(getattr(value, name, None), parents) for name in fields},
        }
    if hasattr(value, "__fspath__"):
        return str(value)
    return _plain(re.sub(_ADDRESS, "", repr(value)), parents)


def _plain_items(items: Any, parents: tuple[int, ...]) -> Any:
    """What ``tolist`` of an array gave, with no part of it shortened by itself."""
    if isinstance(items, list):
        return [_plain_items(item, parents) for item in items]
    return _plain(items, parents)


def _brief(value: Any, items: Any) -> Any:
    """``items``, or in few words what they are where they are long."""
    text = json.dumps(items)
    if len(text) <= LONGEST:
        return items
    from hashlib import sha256  # costs each run 5 ms, and few have long lists

    shape = tuple(getattr(value, "shape", (len(items),)))
    return f"{type(value).__name__}{shape} sha256={sha256(text.encode()).hexdigest()[:16]}"


def _key(key: Any, parents: tuple[int, ...]) -> str:
    made = _plain(key, parents)
    return made if isinstance(made, str) else str(made)
