"""The words of a command line: splitting it, what stands in braces, what its options say."""

from __future__ import annotations

import re

from mlpipeline.api import sweeps
from mlpipeline.api.keys import SECRET
from mlpipeline.api.names import made_of

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# {{word}} and {word}, but not the ${word} of a shell or of Hydra; other braces are themselves.
_BRACES = re.compile(r"\{\{(\w+)\}\}|(?<!\$)\{([A-Za-z_]\w*)\}")
_EXPANDED = re.compile(r"[A-Za-z_({]")
_NAME = re.compile(r"[A-Za-z_@][\w./@-]*")
SHELL = "|&;<>"  # a shell would do something at each of these
LONGEST = 120  # characters of a version's name that is made of its arguments


class NeedsShell(ValueError):
    """A command line has something that only a shell does; ``str(error)`` is that."""


def split(line: str) -> list[str]:
    """The words of ``line``, as a POSIX shell splits them; raises NeedsShell, and ValueError for
    quotes that do not end.
    """
    words: list[str] = []
    word: str | None = None
    quote = ""
    chars = iter(range(len(line := line.replace("\\\n", " ").strip())))
    for at in chars:
        char, following = line[at], line[at + 1 : at + 2]
        if quote != "'" and (char == "`" or (char == "$" and _EXPANDED.match(following))):
            raise NeedsShell(f"{char}{following}" if following in "({" else f"{char}…")
        if char == quote:
            quote = ""
        elif char == "\\" and quote != "'" and following in ('$`"\\' if quote else line):
            word = (word or "") + following
            next(chars, None)
        elif quote:
            word = (word or "") + char
        elif char in "'\"":
            quote, word = char, word or ""
        elif char in SHELL:
            raise NeedsShell(char + (following if following == char else ""))
        elif char == "\n":
            raise NeedsShell("one line after another")
        elif char.isspace():
            words += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + char
    if quote:
        raise ValueError(f"a {quote} has no end")
    return words if word is None else [*words, word]


def filled(text: str, meaning: Callable[[str], str]) -> str:
    """``text`` with what the names in braces stand for; doubled braces are literal ones."""
    if "{" not in text:
        return text
    return _BRACES.sub(lambda match: f"{{{match[1]}}}" if match[1] else meaning(match[2]), text)


def escaped(text: str) -> str:
    """What :func:`filled` makes ``text`` of, whatever it means."""
    return _BRACES.sub(lambda match: f"{{{match[0]}}}", text)


def options(arguments: Sequence[str]) -> Iterator[tuple[str, str | None, int]]:
    """What ``--name value``, ``--name=value``, ``name=value`` and ``--name`` say: the name, the
    value (None: none is given), and which of the ``arguments`` is the value. What has no name, has
    an empty one.
    """
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        is_option = argument.startswith("-") and not _is_number(argument)
        name, equals, value = argument.lstrip("-" if is_option else "+~").partition("=")
        following = arguments[position + 1] if position + 1 < len(arguments) else "-"
        if not _NAME.fullmatch(name) or not (is_option or equals):
            yield "", argument, position
        elif equals:
            yield name, value, position
        elif "=" in following or (following.startswith("-") and not _is_number(following)):
            yield name, None, position
        else:
            position += 1
            yield name, following, position
        position += 1


def masked(arguments: Sequence[str]) -> list[str]:
    """``arguments`` with the values of options whose names look secret replaced."""
    shown = list(arguments)
    for name, value, position in options(arguments):
        if name and value and is_secret(name, value):
            shown[position] = arguments[position].removesuffix(value) + SECRET
    return shown


def is_secret(name: str, value: str) -> bool:
    """Whether an option's value is kept out of records."""
    return sweeps.is_secret(f"{name.replace('-', '_')}={value}")


def version_name(arguments: Sequence[str]) -> str:
    """A name for the version with these arguments: short, the same every time, without secrets."""
    parts = []
    for name, value, _ in options(arguments):
        if name and value is not None:
            parts.append(f"{name}={_digest(value) if is_secret(name, value) else value}")
        else:
            parts.append(name or str(value))
    text = ",".join(" ".join(part.split()) for part in parts)
    text = "".join(char if char.isprintable() else "?" for char in text)
    if len(text) <= LONGEST:
        return made_of(text)
    digest = _digest("\0".join(arguments))
    return f"{text[: LONGEST - len(digest) - 1]}…{digest}"


def _digest(text: str) -> str:
    from hashlib import sha256  # costs each run 5 ms, and few have secrets

    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:6]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
