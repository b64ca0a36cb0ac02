"""Editing INI text, as :class:`IniFile` reads it: what is not edited stays as it is, to the byte.

The text is taken to be good INI; what is made of it is for the caller to read back.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import msgspec

_COMMENT = re.compile(r"(?:^|(?<=\s))#")
_HEADING = re.compile(r"\[(?P<name>.+)\]")
_DIVIDER = re.compile(r"\s*[=:]\s*")
DIVIDER = " = "


class Line(msgspec.Struct, frozen=True):
    """A line in its three parts; one that says nothing (blank, a comment) is all tail."""

    indent: str
    content: str
    tail: str  # spaces, comment, line end

    @classmethod
    def of(cls, text: str) -> Line:
        """Take a line apart."""
        content = text.strip()
        comment = _COMMENT.search(text)
        if content.startswith(("#", ";")):
            content = ""
        elif comment:
            content = text[: comment.start()].strip()
        if not content:
            return cls("", "", text)
        start = len(text) - len(text.lstrip())
        return cls(text[:start], content, text[start + len(content) :])

    def __str__(self) -> str:
        return self.indent + self.content + self.tail


class Option(msgspec.Struct, frozen=True):
    """Where an option of a section stands."""

    name: str
    lines: tuple[int, ...]  # 0-based; the first is its own, the others go on with its value


class IniText:
    """The lines of a text, and where its sections and options stand."""

    def __init__(self, text: str):
        self.headings: dict[str, int] = {}  # 0-based lines
        self.options: dict[str, dict[str, Option]] = {}
        # as configparser does: other line ends do not count
        self._lines = [Line.of(line) for line in io.StringIO(text)]
        self._ends = "\r\n" if str(next(iter(self._lines), "")).endswith("\r\n") else "\n"
        self._has_end = not text or text.endswith("\n")
        if not self._has_end:
            last = self._lines[-1]
            self._lines[-1] = Line(last.indent, last.content, last.tail + self._ends)
        self._find()

    def text(self) -> str:
        """The text; its last line has no end where it had none."""
        text = "".join(map(str, self._lines))
        return text if self._has_end else re.sub(r"\r?\n\Z", "", text)

    def make(self, section: str, *, top: bool) -> None:
        """Have a section; where it is missing, it is made at the top or at the end."""
        if section in self.headings:
            return
        blank = Line("", "", self._ends)
        if top:
            indent = self._lines[min(self.headings.values())].indent if self.headings else ""
            self._lines[:0] = [Line(indent, f"[{section}]", self._ends), blank]
        else:
            if self._lines and str(self._lines[-1]).strip():
                self._lines.append(blank)
            self._lines.append(Line("", f"[{section}]", self._ends))
            self._has_end = True
        self._find()

    def insert(self, section: str, name: str, value: str | None, before: str | None = None) -> None:
        """Add an option before another one, or after the last one of its section."""
        content = name + (DIVIDER + value if value else "")
        at, indent = self._place(section, before)
        self._has_end = self._has_end or at == len(self._lines)
        self._lines.insert(at, Line(indent, content, self._ends))
        self._find()

    def remove(self, section: str, name: str) -> None:
        """Take an option away, with the comments behind it; those on lines of their own stay."""
        self._take(self.options[section][name].lines)

    def move(self, section: str, name: str, before: str | None) -> None:
        """Put an option before another one, or after the last one of its section."""
        order = [each for each in self.options[section] if each != name]
        order.insert(order.index(before) if before else len(order), name)
        if order == list(self.options[section]):
            return
        moved = self._take(self.options[section][name].lines)
        at, indent = self._place(section, before)
        first, *rest = moved
        self._lines[at:at] = [
            Line(indent, first.content, first.tail),
            *(Line(_deeper(line.indent, indent), line.content, line.tail) for line in rest),
        ]
        self._find()

    def assign(self, section: str, name: str, value: str | None) -> None:
        """Give an option another value, or none."""
        first, *rest = self.options[section][name].lines
        line = self._lines[first]
        found = _DIVIDER.search(line.content)
        divider = found[0] if found else DIVIDER
        if divider[0].isspace() and not divider[-1].isspace():
            divider += " "  # it stood at the end of its line
        content = name + (divider + value if value else "")
        self._lines[first] = Line(line.indent, content, line.tail)
        self._take(rest)

    def _take(self, numbers: Sequence[int]) -> list[Line]:
        """Take lines away."""
        taken = [self._lines[number] for number in numbers]
        for number in reversed(numbers):
            del self._lines[number]
        self._find()
        return taken

    def _place(self, section: str, before: str | None) -> tuple[int, str]:
        """The line where an option goes, and the indent with which it continues none above it."""
        options = self.options[section]
        if before is not None:
            line = options[before].lines[0]
            return line, self._lines[line].indent
        if options:
            last = next(reversed(options.values()))
            return last.lines[-1] + 1, self._lines[last.lines[0]].indent
        below = [line for line in self.headings.values() if line > self.headings[section]]
        indent = self._lines[min(below)].indent if below else ""
        return self.headings[section] + 1, indent

    def _find(self) -> None:
        """See which line is what, by the rules of configparser."""
        self.headings, self.options = {}, {}
        options: dict[str, Option] = {}
        option: Option | None = None
        blank: list[int] = []  # part of a value that goes on below them
        for number, line in enumerate(self._lines):
            if not line.content:
                blank += [number] if line.tail.isspace() else []
                continue
            if option and len(line.indent) > len(self._lines[option.lines[0]].indent):
                between = [each for each in blank if each > option.lines[-1]]
                option = Option(option.name, (*option.lines, *between, number))
                options[option.name] = option
            elif heading := _HEADING.match(line.content):
                option = None
                self.headings[heading["name"]] = number
                options = self.options[heading["name"]] = {}
            else:
                option = Option(_name(line.content), (number,))
                options[option.name] = option


def _name(content: str) -> str:
    return _DIVIDER.split(content, maxsplit=1)[0]


def _deeper(indent: str, above: str) -> str:
    """An indent that continues a line which has the indent ``above``."""
    return above + indent if indent and len(indent) <= len(above) else indent
