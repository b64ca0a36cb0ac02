"""The inspector (inspector.py) as its parent sees it: what is asked of it, and what has ended."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from mlpipeline.core.model_files import model_name
from mlpipeline.execution.findings import GONE, Stamp, environment, stamp_of
from mlpipeline.execution.processes import child_command

TAIL = 1 << 16  # bytes of what a script printed that are looked at


class Task:
    """A script that is to be opened, or is open."""

    def __init__(self, ticket: int, path: str, text: str = "", *, leisurely: bool):
        self.ticket = ticket
        self.path = path  # in models_dir
        self.text = text  # that the list has behind its name
        self.leisurely = leisurely
        self.stamp: Stamp = GONE  # of the script, before it was opened
        self.begun_at = 0.0  # monotonic seconds
        self.tries = 0
        self.ended_for = ""  # why it has been ended before its time: what is to be said of it
        self._files: list[IO[bytes]] = []

    def make_files(self) -> list[int]:
        """Descriptors of new files: for what is found, and for what the script prints."""
        self.close()
        for _ in range(2):
            self._files.append(tempfile.TemporaryFile())  # noqa: SIM115 - see close()
        return [file.fileno() for file in self._files]

    @property
    def printed(self) -> int:
        """How much the script has printed; bytes."""
        return os.fstat(self._files[1].fileno()).st_size if self._files else 0

    def contents(self) -> tuple[bytes, bytes]:
        """What was found, and the end of what was printed; they are gone after that."""
        answer, printed = self._files
        start = max(0, self.printed - TAIL)
        answer.seek(0)
        contents = answer.read(), os.pread(printed.fileno(), TAIL, start)
        self.close()
        return contents

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files:
            file.close()
        self._files.clear()


class InspectorChild:
    """The child that forks inspections; started when it is needed."""

    def __init__(self, models_dir: Path, project: Path, most: int | None = None):
        """``most``: jobs that a sweep may have; None: any number."""
        self._most = most
        self._models_dir = models_dir
        self._project = project
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._text = b""  # of what it says, the last of which may not be whole
        self.open: dict[int, Task] = {}  # by ticket
        self.environment = ""  # as findings.environment, when it was started

    @property
    def sockets(self) -> list[socket.socket]:
        """What can be read from when an inspection has ended."""
        return [self._socket] if self._socket else []

    @property
    def is_outdated(self) -> bool:
        """Whether packages have come or gone since it was started."""
        return self._socket is not None and self.environment != environment()

    def begin(self, task: Task) -> None:
        """Have a script opened; raises OSError."""
        script = self._models_dir / task.path
        task.stamp = stamp_of(str(script))
        if self.is_outdated and not self.open:
            self.close()
        if self._socket is None:
            self._start()
        assert self._socket is not None
        request = {
            "open": task.ticket,
            "script": str(script),
            "name": model_name(task.path),
            "leisurely": task.leisurely,
            "text": task.text,
            "most": self._most,
        }
        task.begun_at, task.ended_for, files = time.monotonic(), "", task.make_files()
        task.tries += 1
        with suppress(BrokenPipeError, ConnectionResetError):  # it is gone, as is heard in ended()
            socket.send_fds(self._socket, [_line(request)], files)
        self.open[task.ticket] = task

    def end(self, task: Task) -> None:
        """End an inspection; its end is told as that of any other."""
        if self._socket:
            with suppress(BrokenPipeError, ConnectionResetError):
                self._socket.sendall(_line({"end": task.ticket}))

    def ended(self) -> Iterator[tuple[Task, int | None]]:
        """The inspections that have ended since, with their exit status as Popen has it.

        None where the inspector itself is gone.
        """
        if self._socket is None:
            return
        try:
            said = self._socket.recv(1 << 16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except ConnectionResetError:
            said = b""
        if not said:
            lost = list(self.open.values())
            self.open.clear()
            self.close()
            yield from ((task, None) for task in lost)
            return
        *lines, self._text = (self._text + said).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            yield self.open.pop(answer["ended"]), answer["status"]

    def close(self) -> None:
        """Let it go; what is open ends."""
        if self._socket:
            self._socket.close()
        if self._process:
            self._process.wait()
        self._socket = self._process = None
        self._text = b""
        for task in self.open.values():
            task.close()
        self.open.clear()

    def _start(self) -> None:
        self.environment = environment()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [
                        *child_command("mlpipeline.execution.inspector", "main"),
                        *(str(theirs.fileno()), str(self._models_dir)),
                    ],
                    cwd=self._project,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            except OSError:
                ours.close()
                raise
        self._socket = ours


def _line(said: dict[str, object]) -> bytes:
    return json.dumps(said).encode() + b"\n"
