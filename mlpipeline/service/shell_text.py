"""Where in a line for bash a value would stand: within which quotes, and whether as code. Pure."""

from __future__ import annotations

import re

import msgspec

SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "ash")
NONE, HEREDOC = "", "<<"  # places, beside the quotes " ' and $'
_DELIMITER = re.compile(r"<<(-?)[ \t]*(?:(['\"])(.*?)\2|(\\?)([^\s;&|<>()'\"]+))")
_ENDS = " \t\n;&|()<>"  # what ends a word


class NotForValues(Exception):
    """A value can't stand where it is to stand; the message says why, and ``remedy`` what to do."""

    def __init__(self, problem: str, remedy: str):
        super().__init__(problem)
        self.remedy = remedy


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """What a line for bash is found to be."""

    quotes: tuple[str, ...]  # that each value stands within: NONE, HEREDOC, " ' or $'
    ends_in_heredoc: bool  # so that nothing can be put behind it


def places(text: str, marks: str) -> Places:
    """Where in ``text`` the letters ``marks`` stand, which are values to come.

    Raises NotForValues for one that another shell would take for code.
    """
    scan = _Scan(text, marks)
    scan.run()
    return Places(quotes=tuple(scan.found), ends_in_heredoc=scan.ends_in_heredoc)


class _Command:
    """The words of a command, as far as it has been read."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.word = ""
        self.has_value = False

    def end_word(self) -> None:
        if self.has_value and self._is_code():
            raise NotForValues(
                "a value behind a shell's -c, or eval, would be run as code",
                "hand it over as an argument: bash -c 'echo \"$1\"' - {x}",
            )
        if self.word:
            self.words.append(self.word)
        self.word, self.has_value = "", False

    def _is_code(self) -> bool:
        before = list(self.words)
        if "eval" in before:
            return True
        if not before or not re.fullmatch(r"-\w*c", before[-1]):
            return False
        while before and before[-1].startswith("-"):
            before.pop()
        return bool(before) and before[-1].rpartition("/")[2] in SHELLS


class _Scan:
    """One reading of a line, letter by letter."""

    def __init__(self, text: str, marks: str):
        self._text = text
        self._marks = marks
        self._at = 0
        self._within: list[str] = []  # what is open: " ' $' ( (( ` {
        self._commands = [_Command()]
        self._heredocs: list[tuple[str, bool, bool]] = []  # delimiter, is quoted, has tabs before
        self.found: list[str] = []
        self.ends_in_heredoc = False

    def run(self) -> None:
        while self._at < len(self._text):
            self._step()
        for command in self._commands:
            command.end_word()

    def _step(self) -> None:
        text, at = self._text, self._at
        char, pair = text[at], text[at : at + 2]
        top = self._within[-1] if self._within else ""
        command = self._commands[-1]
        self._at += 1
        if char in self._marks:
            self.found.append(self._quote())
            command.has_value = True
        elif top == "'":
            self._close_at(char, "'")
        elif char == "\\":
            self._at += 1
        elif top == "$'":
            self._close_at(char, "'")
        elif char == "`":
            self._close() if top == "`" else self._open("`")
        elif text.startswith("$((", at):
            self._at += 2
            self._within += ["((", "(("]
        elif pair in ("$(", "${"):
            self._at += 1
            self._open(pair[1])
        elif char == '"':
            self._close() if top == '"' else self._open('"')
        elif top != '"':
            self._unquoted(char, pair, top)
        if self._is_word(char, top):
            command.word += char

    def _unquoted(self, char: str, pair: str, top: str) -> None:
        if pair == "$'":
            self._at += 1
            self._open(pair)
        elif char == "'":
            self._open("'")
        elif top == "{":
            self._close_at(char, "}")
        elif top == "((":
            self._within += ["(("] if char == "(" else []
            self._close_at(char, ")")
        elif char == "(":
            self._open("(")
        elif char == ")" and top == "(":
            self._close()
        elif char == "#" and (self._at == 1 or self._text[self._at - 2] in _ENDS):
            self._pass_comment()
        elif pair == "<<":
            self._note_heredoc()
        elif char in _ENDS:
            self._commands[-1].end_word()
            if char in "\n;&|()":
                self._commands[-1].words = []
            if char == "\n":
                self._pass_heredocs()

    def _is_word(self, char: str, top: str) -> bool:
        return char not in "'\"" and (top in ("'", '"', "$'") or char not in _ENDS)

    def _quote(self) -> str:
        """The quotes that the value stands in."""
        for each in reversed(self._within):
            if each in ('"', "'", "$'"):
                return each
            if each in ("(", "`"):
                break
        return NONE

    def _open(self, what: str) -> None:
        self._within.append(what)
        if what in ("(", "`"):
            self._commands.append(_Command())

    def _close(self) -> None:
        if self._within.pop() in ("(", "`") and len(self._commands) > 1:
            inner = self._commands.pop()
            has_value = inner.has_value
            inner.end_word()
            self._commands[-1].has_value |= has_value

    def _close_at(self, char: str, end: str) -> None:
        if char == end:
            self._close()

    def _pass_comment(self) -> None:
        end = self._text.find("\n", self._at)
        end = len(self._text) if end < 0 else end
        self._pass(end, NONE)

    def _note_heredoc(self) -> None:
        start = self._at - 1
        if self._text.startswith("<<<", start):
            self._at += 2
            return
        found = _DELIMITER.match(self._text, start)
        if found:
            self._at = found.end()
            is_quoted = bool(found[2] or found[4])
            self._heredocs.append((found[3] or found[5], is_quoted, bool(found[1])))

    def _pass_heredocs(self) -> None:
        for delimiter, is_quoted, has_tabs in self._heredocs:
            while self._at < len(self._text):
                end = self._text.find("\n", self._at)
                end = len(self._text) if end < 0 else end
                line = self._text[self._at : end]
                self._pass(end, "quoted" if is_quoted else HEREDOC)
                is_end = (line.lstrip("\t") if has_tabs else line) == delimiter
                self.ends_in_heredoc = not self._text[end:].strip()
                self._at = min(end + 1, len(self._text))
                if is_end:
                    break
        self._heredocs = []

    def _pass(self, end: int, quote: str) -> None:
        """Pass over what is no command, up to ``end``."""
        for char in self._text[self._at : end]:
            if char in self._marks:
                if quote == "quoted":
                    raise NotForValues(
                        "bash puts no value into a here-document whose delimiter is quoted",
                        "leave out the quotes: <<END",
                    )
                self.found.append(quote)
        self._at = end
