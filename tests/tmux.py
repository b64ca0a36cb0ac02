"""A terminal in tmux, driven as a person drives one: keys go in, and the screen is looked at."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from projects import skip_without, wait_until
from terminal import UNSET

_servers = itertools.count(1)
PROMPT = re.compile(r"^(\d+):(\d+)> ?")  # number of the command that is to come, last exit code
ALL = ("-S", "-")  # also what has scrolled away
SHELL = r"exec env PS1='\#:$?> ' bash --noprofile --norc --noediting"
ENVIRONMENT = {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "LC_ALL": "C.UTF-8",
    "HISTFILE": "",
}


class Tmux:
    """A tmux server of its own; each pane has a shell in ``folder``. Ends when it is left."""

    def __init__(self, folder: Path, *, columns: int = 80, lines: int = 50):
        skip_without("tmux", ["tmux", "-V"])
        self._name = f"mlpipeline-{os.getpid()}-{next(_servers)}"
        self._folder = str(folder)
        self._size = ["-x", str(columns), "-y", str(lines)]

    def __enter__(self) -> Tmux:
        self.pane = self._pane("new-session", "-d", *self._size)
        self.do("set-option", "-g", "status", "off")
        self.do("resize-window", *self._size)
        return self

    def __exit__(self, *_: object) -> None:
        self.do("kill-server")

    def split(self) -> Pane:
        """Another pane, below."""
        return self._pane("split-window", "-v")

    def do(self, *words: str) -> str:
        """Give a command to tmux and return its answer."""
        kept = {key: value for key, value in os.environ.items() if key not in (*UNSET, "TMUX")}
        return subprocess.run(
            ["tmux", "-u", "-L", self._name, "-f", "/dev/null", *words],
            env={**kept, **ENVIRONMENT},
            check=True,
            capture_output=True,
            encoding="utf-8",
        ).stdout

    def _pane(self, *words: str) -> Pane:
        target = self.do(*words, "-P", "-F", "#{pane_id}", "-c", self._folder, SHELL).strip()
        return Pane(self, target)


class Pane:
    """A shell whose prompt says how many commands it had, and how the last one ended."""

    def __init__(self, tmux: Tmux, target: str):
        self._do = tmux.do
        self._target = target

    @property
    def rows(self) -> list[str]:
        """What is on the screen, row by row."""
        return self._captured()

    @property
    def screen(self) -> str:
        """What is on the screen."""
        return "\n".join(self.rows)

    @property
    def is_idle(self) -> bool:
        """Whether the shell waits for a command."""
        return PROMPT.fullmatch(self.rows[-1]) is not None

    @property
    def exit_code(self) -> int:
        """Of the command that ran last."""
        return int(self._prompts()[-1][2])

    def type(self, line: str) -> None:
        """Type a line and press Enter."""
        self._do("send-keys", "-t", self._target, "-l", "--", line)
        self.press("Enter")

    def press(self, key: str) -> None:
        """Press a key by tmux's name for it: ``Enter``, ``C-c`` …"""
        self._do("send-keys", "-t", self._target, key)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Return when ``condition()`` is true; fail with what is on the screen."""
        try:
            wait_until(condition, what)
        except AssertionError as error:
            raise AssertionError(f"{error}, but the screen shows:\n{self.screen}") from None

    def wait_for(self, text: str) -> None:
        """Return when ``text`` is on the screen."""
        self.wait(lambda: text in self.screen, repr(text))

    def wait_for_prompt(self) -> None:
        """Return when the shell waits for a command."""
        self.wait(lambda: self.is_idle, "the prompt is back")

    def run(self, command: str) -> list[str]:
        """Type ``command`` and return the rows that it drew, when the prompt is back."""
        before = self._prompts()[-1][1]
        self.type(command)
        self.wait(lambda: self.is_idle and self._prompts()[-1][1] != before, f"{command} ends")
        return self.output()

    def output(self, *, joined: bool = False) -> list[str]:
        """The rows that the last command drew; ``joined``: as lines, whatever their width.

        The command itself is to fit on one row.
        """
        lines = self._captured(*ALL, *["-J"] * joined)
        begin, end = [n for n, line in enumerate(lines) if PROMPT.match(line)][-2:]
        return [line.rstrip() for line in lines[begin + 1 : end]]

    def _prompts(self) -> list[re.Match[str]]:
        return [found for line in self._captured(*ALL) if (found := PROMPT.match(line))]

    def _captured(self, *flags: str) -> list[str]:
        text = self._do("capture-pane", "-t", self._target, "-p", *flags)
        return text.rstrip("\n").split("\n")
