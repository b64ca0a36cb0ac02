"""Child processes that carry messages to where they are wanted.

Nothing here waits for them, but for one that is killed to be gone.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from mlpipeline.core.judging import signal_name
from mlpipeline.core.notices import SHOWN, Notice, Occasion, together, variables
from mlpipeline.core.variables import resolved
from mlpipeline.execution.apprising import MISSING, Parcel
from mlpipeline.execution.processes import child_command
from mlpipeline.state.notify_config import Notify

PAUSE = 60.0  # seconds between two messages of one event; what comes meanwhile becomes one
LAST_WORDS = 4096  # bytes of stderr that are kept
LONGEST_REASON = 300  # characters


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A child process to be started for one message."""

    command: Sequence[str]
    environment: dict[str, str]  # beside our own
    stdin: bytes


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where messages go: ``name`` for people, and how one message becomes a process."""

    name: str
    job: Callable[[Notice], Job]


def targets(notify: Notify, *, project: Path, host: str) -> list[Target]:
    """What [NOTIFY] names: the command, the addresses, or both."""

    def command(notice: Notice) -> Job:
        return Job(
            command=("/bin/sh", "-c", notify.command),
            environment=variables(notice, project=str(project), host=host),
            stdin=notice.message.encode("utf-8", "replace"),
        )

    def addresses(notice: Notice) -> Job:
        parcel = Parcel(
            urls=notify.urls, title=notice.title, message=notice.message, event=notice.event
        )
        return Job(
            command=child_command("mlpipeline.execution.apprising", "main"),
            environment={},
            stdin=msgspec.json.encode(parcel),
        )

    named = [Target(name="command", job=command)] if notify.command else []
    if notify.urls:
        named.append(Target(name="url", job=addresses))
    return named


def lacks(notify: Notify) -> list[str]:
    """What is missing for the addresses to work, known before anything is to be sent."""
    said = [
        f"{url} in url of [NOTIFY] is not set in the environment"
        for url in notify.urls
        if not resolved(url, os.environ)
    ]
    if notify.urls and importlib.util.find_spec("apprise") is None:
        said.append(f"url of [NOTIFY] sends nothing: {MISSING}")
    return said


class Courier:
    """Takes messages to one target, one at a time; moments are monotonic seconds."""

    def __init__(self, target: Target, project: Path, timeout: float, pause: float = PAUSE):
        """``timeout``: seconds that one delivery may take."""
        self.name = target.name
        self._target = target
        self._project = project
        self._timeout = timeout
        self._pause = pause
        self._waiting: dict[str, _Gathered] = {}  # by event
        self._not_before: dict[str, float] = {}
        self._under_way: _Delivery | None = None

    @property
    def outstanding(self) -> int:
        """How many messages are not delivered."""
        waiting = sum(each.kinds.total() for each in self._waiting.values())
        return waiting + (self._under_way is not None)

    def take(self, notice: Notice) -> None:
        """Deliver ``notice`` when it is its turn."""
        if notice.event == Occasion.EMPTY:  # an older one is no news any more
            self._waiting.pop(notice.event, None)
            self._not_before.clear()  # what came before it is told before it
        gathered = self._waiting.setdefault(notice.event, _Gathered())
        gathered.kinds[notice.kind] += 1
        if len(gathered.first) < SHOWN:
            gathered.first.append(notice)

    def wants_log(self, event: str) -> bool:
        """Whether the log of one more message of ``event`` would be sent."""
        return event not in self._waiting

    def get_on(self, now: float, *, hurry: bool = False) -> list[str]:
        """Start and end what is due; returns what went wrong. ``hurry``: wait for no pause."""
        problems = []
        if self._under_way:
            problem = self._under_way.look(now)
            if problem is None:
                return []
            self._under_way = None
            problems = [self._wording(problem)] if problem else []
        for event, gathered in self._waiting.items():
            if hurry or now >= self._not_before.get(event, now):
                del self._waiting[event]
                self._not_before[event] = now + self._pause
                notice = together(gathered.first, gathered.kinds, self._project.name)
                return [*problems, *self._start(notice, now)]
        return problems

    def give_up(self) -> None:
        """Kill what is under way, and forget what waits."""
        if self._under_way:
            self._under_way.kill()
        self._under_way = None
        self._waiting.clear()

    def _start(self, notice: Notice, now: float) -> list[str]:
        try:
            self._under_way = _Delivery(self._target.job(notice), self._project, now, self._timeout)
        except (OSError, ValueError) as error:  # no process, or a command that is no text
            return [self._wording(f"can't be started: {error}")]
        return []

    def _wording(self, problem: str) -> str:
        return f"the {self.name} of [NOTIFY] {problem}"


class _Gathered:
    """Messages of one event that wait: the first ones, and how many there are of each kind."""

    def __init__(self) -> None:
        self.first: list[Notice] = []
        self.kinds: Counter[str] = Counter()


class _Delivery:
    """A child process under way, in a session of its own."""

    def __init__(self, job: Job, project: Path, now: float, timeout: float):
        self._timeout = timeout
        self._deadline = now + timeout
        self._process = subprocess.Popen(
            job.command,
            cwd=project,
            env={**os.environ, **job.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self._stdin, self._stderr = _pipe(self._process.stdin), _pipe(self._process.stderr)
        self._untold = job.stdin
        self._words = b""
        self._talk()

    def look(self, now: float) -> str | None:
        """What went wrong, empty for nothing; None while it goes on."""
        status = self._process.poll()
        self._talk()
        if status is None:
            if now < self._deadline:
                return None
            self.kill()
            return f"takes longer than timeout ({self._timeout:g} s) and was ended"
        self._close()
        if status == 0:
            return ""
        ending = signal_name(-status) if status < 0 else f"exit status {status}"
        words = self._words.decode("utf-8", "replace")
        said = "".join(x for x in words.strip().rpartition("\n")[2] if x.isprintable())
        return f"failed with {ending}" + (f": {said[:LONGEST_REASON]}" if said else "")

    def kill(self) -> None:
        """End it and what it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._close()

    def _talk(self) -> None:
        """Write what it still takes on stdin, and keep the end of what it says on stderr."""
        if not self._stdin.closed:
            with suppress(BlockingIOError):
                try:
                    self._untold = self._untold[os.write(self._stdin.fileno(), self._untold) :]
                except BrokenPipeError:  # it does not care for its stdin
                    self._untold = b""
            if not self._untold:
                self._stdin.close()
        with suppress(BlockingIOError):
            for _ in range(16):  # a flood must not keep us
                chunk = os.read(self._stderr.fileno(), 1 << 16)
                if not chunk:
                    break
                self._words = (self._words + chunk)[-LAST_WORDS:]

    def _close(self) -> None:
        self._stdin.close()
        self._stderr.close()


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    assert end is not None
    os.set_blocking(end.fileno(), False)
    return end
