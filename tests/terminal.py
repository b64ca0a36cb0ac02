"""The installed command on a terminal, as a person sees it."""

from __future__ import annotations

import os
import sys

import pexpect
import pyte

# What a person's shell does not hand down; xdist sets the size.
UNSET = ("NO_COLOR", "CI", "COLUMNS", "LINES")


class Terminal:
    """The installed command on a real pseudo-terminal, with the screen as it would be drawn."""

    def __init__(self, project, *arguments, columns=80, lines=40, **environment):
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.states = []
        kept = {key: value for key, value in os.environ.items() if key not in UNSET}
        self._child = pexpect.spawn(
            sys.executable,
            ["-m", "mlpipeline", *arguments],
            cwd=str(project.folder),
            dimensions=(lines, columns),
            env={**kept, "TERM": "xterm-256color", **environment},
            timeout=60,
        )

    def run(self, *, interrupt_at=None):
        """Read to the end, keeping each state of the screen; returns the exit status.

        When ``interrupt_at`` is on the screen, Ctrl-C is pressed.
        """
        while True:
            if interrupt_at and interrupt_at in self.text:
                self._child.sendintr()
                interrupt_at = None
            try:
                data = self._child.read_nonblocking(1 << 16)
            except pexpect.EOF:
                break
            self.raw += data
            self._stream.feed(data)
            self.states.append(self.text)
        self._child.close()
        return self._child.exitstatus

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()
