"""Settings that name a variable of the environment. Free of imports: workers use it, too."""

from __future__ import annotations

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Mapping


def resolved(text: str, environ: Mapping[str, str]) -> str:
    """What is meant by ``text``: itself, or what ``environ`` has where it is ``$NAME`` or
    ``${NAME}``; empty when that is not set.
    """
    return environ.get(text.strip("${}"), "").strip() if text.startswith("$") else text
