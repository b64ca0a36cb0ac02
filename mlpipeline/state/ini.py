"""Reading INI files so that every error names its line."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from mlpipeline.core.spelling import nearest
from mlpipeline.errors import ConfigError, short

MAIN = "MLP"  # the section of mlpipeline's own options
N = TypeVar("N", int, float)

_SECTION = re.compile(r"\s*\[(?P<name>[^]]+)\]")
_OPTION_END = re.compile(r"[=:]|\s#")


class IniFile:
    """A parsed INI file: sections of options, whose values are optional.

    Raises ConfigError, with the line, for what is not INI.
    """

    def __init__(self, path: Path, text: str):
        self.path = path
        self.text = text
        self._parser = configparser.ConfigParser(
            allow_no_value=True,
            interpolation=None,
            inline_comment_prefixes=("#",),
            default_section="",  # a section of defaults for all others would list models
        )
        self._lines = _line_numbers(text)
        self._parser.optionxform = str  # type: ignore[assignment,method-assign]  # keep case
        try:
            self._parser.read_string(text, str(path))
        except configparser.DuplicateOptionError as error:
            raise ConfigError(
                path, f"{error.option} is there twice", line=error.lineno, remedy="remove one line"
            ) from None
        except configparser.DuplicateSectionError as error:
            raise ConfigError(
                path,
                f"section [{error.section}] is there twice",
                line=error.lineno,
                remedy="put its lines under one heading",
            ) from None
        except configparser.MissingSectionHeaderError as error:
            raise ConfigError(
                path,
                f"{error.line.strip()!r} stands before any section",
                line=error.lineno,
                remedy="put a heading such as [MLP] above it",
            ) from None
        except configparser.ParsingError as error:
            number, _ = error.errors[0]
            source = text.split("\n")[number - 1].strip()
            raise ConfigError(
                path,
                f"{source!r} is not a section, an option or a comment",
                line=number,
                remedy="correct it, or put a # before it",
            ) from None
        except AttributeError:
            # What CPython before 3.13 raises where an indented line follows an option that has no
            # value, and so can't be continued (python/cpython#107625).
            raise ConfigError(
                path,
                "an indented line follows an entry that has no value",
                line=_stray_continuation(text),
                remedy="remove the spaces at its start",
            ) from None

    @classmethod
    def read(cls, path: Path, *, remedy: str) -> IniFile:
        """Read ``path``; ``remedy`` is what to do when there is no such file."""
        return cls(path, cls.text_of(path, remedy=remedy))

    @staticmethod
    def text_of(path: Path, *, remedy: str) -> str:
        """What stands in ``path``; raises ConfigError."""
        try:
            return path.read_bytes().decode("utf-8-sig")
        except FileNotFoundError:
            raise ConfigError(path, "there is no such file", remedy=remedy) from None
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise ConfigError(
                path, "not UTF-8 text", line=line, remedy="save it as UTF-8"
            ) from None
        except OSError as error:
            raise ConfigError(path, f"can't be read: {error.strerror}") from None

    def sections(self) -> list[str]:
        """The names of the sections, in order."""
        return self._parser.sections()

    def options(self, section: str) -> dict[str, str | None]:
        """The options of ``section`` in order, none when there is no such section."""
        return dict(self._parser.items(section)) if self._parser.has_section(section) else {}

    def line_of(self, section: str, option: str | None = None) -> int | None:
        """The 1-based line of a section's heading, or of an option in it."""
        return self._lines.get((section, option))

    def unknown(self, known: dict[str, Iterable[str] | None]) -> list[str]:
        """A warning for each section or option that is not ``known``, with the nearest that is.

        ``known`` maps sections to their options, or to None where any option will do.
        """
        warnings = []
        for section in self.sections():
            if section not in known:
                where = f"{short(self.path)}:{self.line_of(section)}"
                warnings.append(f"{where}: unknown section [{section}]{nearest(section, known)}")
                continue
            options = known[section]
            for option in self.options(section) if options is not None else ():
                if option not in (options or ()):
                    where = f"{short(self.path)}:{self.line_of(section, option)}"
                    hint = nearest(option, options or ())
                    warnings.append(f"{where}: unknown key {option}{hint}")
        return warnings


def number(ini: IniFile, section: str, option: str, default: N, *, least: float = 0) -> N:
    """The number that ``option`` holds, of the same type as ``default``; raises ConfigError."""
    options = ini.options(section)
    if option not in options:
        return default
    text = options[option] or ""
    kind = type(default)
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not least <= value < float("inf"):
        what = "a whole number" if kind is int else "a number"
        raise ConfigError(
            ini.path,
            f"{option} is {text!r}, not {what} of at least {least:g}",
            line=ini.line_of(section, option),
            remedy=f"the default is {option} = {default:g}",
        )
    return value


def _line_numbers(text: str) -> dict[tuple[str, str | None], int]:
    """The first line of each section (option None) and of each option in it."""
    numbers: dict[tuple[str, str | None], int] = {}
    section = ""
    for number, line in enumerate(text.split("\n"), start=1):
        heading = _SECTION.match(line)
        if heading:
            section = heading["name"]
        option = None if heading else _OPTION_END.split(line.strip(), maxsplit=1)[0].strip()
        numbers.setdefault((section, option), number)
    return numbers


def _stray_continuation(text: str) -> int | None:
    """The first line that is indented below an option without a value."""
    above = None  # the indent of such an option
    for number, line in enumerate(text.split("\n"), start=1):
        content = re.split(r"(?:^|\s)[#;]", line.strip(), maxsplit=1)[0].strip()
        if not content:
            continue
        indent = len(line) - len(line.lstrip())
        if above is not None and indent > above:
            return number
        has_value = re.search(r"[=:]", content) or _SECTION.match(line)
        above = None if has_value else indent
    return None
