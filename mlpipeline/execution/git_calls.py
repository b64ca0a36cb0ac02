"""Calling git, which may speak to another machine: no call waits for ever for one that is mute."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from mlpipeline.core.git_addresses import masked
from mlpipeline.errors import MlpipelineError, short

SILENCE = 120.0  # seconds in which another machine must say something
GRACE = 3.0  # seconds that git has to tidy up, then
POLL = 0.5  # seconds between two looks at what it says
BEAT = 5.0  # seconds between two signs of life at the lock
LOCK_POLL = 0.1  # seconds between two tries to have the lock
LAST = 2  # lines of what git said that are shown
SLOW = (
    "-c",
    "http.lowSpeedLimit=1000",
    "-c",
    "http.lowSpeedTime=60",
)  # bytes/s, s: then it is dead
SSH = "ssh -o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=4"
_PROGRESS = re.compile(
    r"(remote: *)?(Enumerating|Counting|Compressing|Receiving|Resolving|Total)\b"
)
# What a git hook that we are called from has in its environment, for its own repository.
_OWN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")

Done = subprocess.CompletedProcess[str]


class GitProblem(MlpipelineError):
    """git can't do what it was asked for; the message has its words."""


def called(
    *arguments: str, folder: Path, lock: int | None = None, silence: float | None = None
) -> Done:
    """Call git in ``folder``; it holds ``lock``, too, and so when it outlives us.

    ``silence``: seconds after which it is ended when it has said nothing; None: it may be quiet.
    What can't be called, or is ended, has failed, and says why. Raises GitProblem without git.
    """
    is_interactive = bool(sys.stdin and sys.stdin.isatty())
    # Files, since what git leaves behind, such as a shared connection of ssh, would hold pipes.
    with TemporaryFile() as out, TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                ["git", *SLOW, *arguments],
                cwd=folder,
                env=_environment(folder, asks=is_interactive),
                stdout=out,
                stderr=said,
                stdin=None if is_interactive else subprocess.DEVNULL,
                pass_fds=() if lock is None else (lock,),
            )
        except FileNotFoundError as error:
            if not folder.exists():
                return subprocess.CompletedProcess(arguments, 128, "", f"{folder} is gone")
            raise GitProblem("there is no program git: install it") from error
        try:
            is_mute = not _ended(process, lambda: _size(out) + _size(said), lock, silence)
        finally:
            _end(process)
        texts = [_text(each) for each in (out, said)]
    if is_mute:
        texts[1] = f"fatal: nobody has said anything for {silence:g} s, so it was given up"
    return subprocess.CompletedProcess(arguments, process.returncode or int(is_mute), *texts)


def words(said: str) -> str:
    """What git said was wrong, in one line; hints and progress aside."""
    lines = [line.strip() for line in said.splitlines()]
    lines = [line for line in lines if line and not _PROGRESS.match(line)]
    signs = ("fatal:", "error:", "remote:", "ssh:")
    wrong = [line for line in lines if line.startswith(signs)] or lines
    text = "; ".join(line.removeprefix("fatal: ") for line in wrong[:LAST])
    return masked(text) or "git does not say why"


@contextmanager
def locked(path: Path, say: Callable[[str], None]) -> Iterator[int]:
    """Hold the lock of a mirror, however long another is at work on it: a clone may take its time.

    Who holds it shows by its time of change that it lives. Raises GitProblem where only a git is
    left of that, OSError.
    """
    with path.open("a+b", buffering=0) as file:
        seen, seen_at, is_told = 0, time.monotonic(), False
        while not _take(file):
            if not is_told:
                say("waiting for another mlpipeline, which fetches this repository …")
                is_told = True
            changed = os.fstat(file.fileno()).st_mtime_ns
            if changed != seen:
                seen, seen_at = changed, time.monotonic()
            elif time.monotonic() - seen_at > SILENCE:
                raise GitProblem(
                    f"{short(path.parent)} is held by {_holder(file)}, which no mlpipeline watches "
                    "any more: wait for its end, or end it"
                )
            time.sleep(LOCK_POLL)
        yield file.fileno()


def _take(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: IO[bytes]) -> str:
    file.seek(0)
    number = file.read(20).decode("ascii", "replace").strip()
    return f"git (process {number})" if number.isdigit() else "a git"


def _ended(
    process: subprocess.Popen[bytes],
    said: Callable[[], int],
    lock: int | None,
    silence: float | None,
) -> bool:
    """Wait for its end; returns False where it has been silent for too long."""
    heard, heard_at, beat_at = 0, time.monotonic(), 0.0
    _note(lock, process.pid)
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL if silence is None else min(POLL, silence))
            return True
        now = time.monotonic()
        if now - beat_at >= BEAT:
            beat_at = now
            _note(lock, process.pid)
        if said() != heard:
            heard, heard_at = said(), now
        elif silence is not None and now - heard_at >= silence:
            return False


def _note(lock: int | None, pid: int) -> None:
    """Show at the lock that somebody watches, and whom."""
    if lock is not None:
        with suppress(OSError):  # a full disk
            os.ftruncate(lock, 0)
            os.write(lock, f"{pid}\n".encode())


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    if process.poll() is None:
        process.kill()
        process.wait()


def _environment(folder: Path, *, asks: bool) -> dict[str, str]:
    environment = {key: value for key, value in os.environ.items() if key not in _OWN}
    environment["LC_ALL"] = "C"
    if not asks:  # nobody could answer
        environment["GIT_TERMINAL_PROMPT"] = "0"
    if not {"GIT_SSH_COMMAND", "GIT_SSH"} & environment.keys() and not _own_ssh(folder):
        environment["GIT_SSH_COMMAND"] = SSH if asks else f"{SSH} -o BatchMode=yes"
    return environment


def _own_ssh(folder: Path) -> bool:
    """Whether a person has configured what git is to use for ssh, which knows best."""
    command: Sequence[str] = ("git", "config", "--get", "core.sshCommand")
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
