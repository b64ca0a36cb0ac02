"""From the list of models to models with versions, by child processes that open the scripts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from mlpipeline import __version__
from mlpipeline.core.judging import signal_name
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.errors import ConfigError
from mlpipeline.execution.processes import child_command
from mlpipeline.state.files import NOT_A_RECORD, read_record, write_whole
from mlpipeline.state.lists import Entry, ModelList, choose_versions, model_files, python_files

POLL_INTERVAL = 0.005  # seconds; the first run waits for the inspector
Stamp = tuple[int, int]  # mtime in ns, size in bytes


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What an inspector found in one model script."""

    sources: dict[str, str] = {}  # SHA-256 of the files below, by their paths in models_dir
    stamp: Stamp = (0, 0)
    versions: tuple[ListedVersion, ...] = ()
    problem: str = ""
    traceback: str = ""
    files: dict[str, Stamp] = {}  # the script and the local modules it imported


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a list asks for, as the scripts are now."""

    models: tuple[ListedModel, ...]  # in its order
    unknown: tuple[str, ...] = ()  # versions that no model has, as model/version
    complaints: tuple[str, ...] = ()  # about them: file, line and remedy


class _Memory(msgspec.Struct, frozen=True):
    """What was found in scripts, by their paths, and with which Python and mlpipeline."""

    environment: str
    known: dict[str, Findings]


ENVIRONMENT = f"{__version__} {sys.version} {sys.prefix}"


class Inspector:
    """Inspects model scripts, each once until it or a local module that it imports changes."""

    def __init__(
        self,
        models_dir: Path,
        project: Path,
        timeout: float,
        *,
        memory: Path | None = None,
        trust: bool = False,
    ):
        """``timeout``: seconds that importing a script may take.

        ``memory``: a file that keeps what is found, for views; they ``trust`` it as long as no
        file has changed. A session looks for itself, since a script's versions may depend on more.
        """
        self._models_dir = models_dir
        self._project = project
        self._timeout = timeout
        self._memory = memory
        self._known = _recall(memory) if memory and trust else {}

    def listed(self, models: ModelList, stop: Callable[[], bool] = lambda: False) -> Reading:
        """The models that the list asks for; inspects what is new.

        When ``stop`` turns true, what is not inspected yet is left out.
        """
        entries = _entries(models, self._models_dir)
        self._inspect({entry.path for entry in entries}, stop)
        result, complaints, nameless = [], [], []
        for entry in entries:
            findings = self._known.get(entry.path)
            if findings is None:
                continue
            versions, unknown = _chosen(entry, findings, models.blacklist)
            nameless += [f"{model_name(Path(entry.path))}/{name}" for name in unknown]
            for name in unknown:
                known = ", ".join(version.name for version in findings.versions)
                complaints.append(
                    str(
                        ConfigError(
                            models.path,
                            f"{entry.path} has no version {name}",
                            line=entry.line,
                            remedy=f"its versions: {known}",
                        )
                    )
                )
            if versions or findings.problem:
                priority = models.priorities.get(entry.path, 0)
                result.append(_model(entry.path, findings, versions, priority))
        return Reading(models=tuple(result), unknown=tuple(nameless), complaints=tuple(complaints))

    def _inspect(self, paths: Iterable[str], stop: Callable[[], bool]) -> None:
        """Bring what is known of ``paths`` up to date, a few scripts at a time."""
        stale = [path for path in paths if not _is_current(self._known.get(path))]
        if not stale:
            return
        files = [self._models_dir / path for path in python_files(self._models_dir)]
        folders = {path.parent for path in files}  # where a missing module may appear
        everything = {str(path): _stamp(path) for path in (*files, *folders)}
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            futures = {
                pool.submit(
                    inspect,
                    self._models_dir / path,
                    self._models_dir,
                    self._project,
                    self._timeout,
                    stop,
                ): path
                for path in stale
            }
            wait(futures)
        for future, path in futures.items():
            findings = future.result()
            if findings is None:
                continue
            if findings.problem:  # perhaps one that is mended in a helper module
                stamps = {**everything, **findings.files}
                findings = msgspec.structs.replace(findings, files=stamps)
            self._known[path] = findings
        if self._memory and self._memory.parent.is_dir():
            _remember(self._memory, self._known)


def _remember(memory: Path, known: dict[str, Findings]) -> None:
    sound = {path: findings for path, findings in known.items() if not findings.problem}
    with suppress(OSError):  # then the scripts are inspected once more
        write_whole(memory, msgspec.json.encode(_Memory(ENVIRONMENT, sound)))


def _recall(memory: Path) -> dict[str, Findings]:
    found = read_record(memory, _Memory)
    return found.known if found and found.environment == ENVIRONMENT else {}


def inspect(
    script: Path, models_dir: Path, project: Path, timeout: float, stop: Callable[[], bool]
) -> Findings | None:
    """Inspect one script in a process of its own; None when ``stop`` turned true first."""
    try:
        return _inspect(script, models_dir, project, timeout, stop)
    except OSError as error:  # no process, no room for a temporary file: the next look may have it
        return Findings(problem=f"it can't be inspected: {error}", files={str(script): (0, 0)})


def _inspect(
    script: Path, models_dir: Path, project: Path, timeout: float, stop: Callable[[], bool]
) -> Findings | None:
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(
            [
                *child_command("mlpipeline.execution.inspector", "main"),
                *(str(script), str(models_dir), model_name(script.relative_to(models_dir))),
                str(answer.fileno()),
            ],
            cwd=project,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            pass_fds=[answer.fileno()],
            start_new_session=True,
        )
        stamp = _stamp(script)
        deadline = time.monotonic() + timeout
        while process.poll() is None and not stop() and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL)
        ended = process.returncode is not None
        _end_session(process)
        answer.seek(0)
        content = answer.read()
        printed.seek(0)
        output = printed.read().decode("utf-8", "replace")
    if not ended:
        if stop():
            return None
        problem = f"importing it takes longer than inspect_timeout ({timeout:g} s)"
    elif process.returncode or not content:
        problem = f"it ended the process when it was imported ({_status(process.returncode)})"
    else:
        try:
            return msgspec.json.decode(content, type=Findings)
        except NOT_A_RECORD as error:
            problem = f"what it says of its versions can't be read: {error}"
    return Findings(problem=problem, traceback=_tail(output), files={str(script): stamp})


def model_name(relative: Path) -> str:
    """The model's name: its path in models_dir without ``.py``."""
    return relative.with_suffix("").as_posix()


def _entries(models: ModelList, models_dir: Path) -> list[Entry]:
    """The list's entries; for a blacklist all other scripts, and what is narrowed in it."""
    if not models.blacklist:
        return list(models.entries)
    black = {entry.path: entry for entry in models.entries}
    return [
        black.get(path, Entry(path=path))
        for path in model_files(models_dir)
        if path not in black or black[path].narrowing
    ]


def _chosen(
    entry: Entry, findings: Findings, blacklist: bool
) -> tuple[tuple[ListedVersion, ...], list[str]]:
    """The versions that ``entry`` asks for, and the names in it that no version has."""
    if not entry.narrowing or findings.problem:
        return findings.versions, []
    by_name = {version.name: version for version in findings.versions}
    names, unknown = choose_versions(entry.narrowing, by_name)
    if blacklist:
        black = set(names)
        return tuple(v for v in findings.versions if v.name not in black), unknown
    return tuple(by_name[name] for name in names), unknown


def _model(
    path: str, findings: Findings, versions: tuple[ListedVersion, ...], priority: int
) -> ListedModel:
    return ListedModel(
        name=model_name(Path(path)),
        path=path,
        sources=findings.sources,
        priority=priority,
        stamp=findings.stamp,
        versions=versions,
        problem=f"{path}: {findings.problem}" if findings.problem else "",
        traceback=findings.traceback,
        files=findings.files,
    )


def _is_current(findings: Findings | None) -> bool:
    return findings is not None and all(
        _stamp(Path(path)) == stamp for path, stamp in findings.files.items()
    )


def _stamp(path: Path) -> Stamp:
    try:
        stat = path.stat()
    except OSError:
        return (0, 0)
    return stat.st_mtime_ns, stat.st_size


def _end_session(process: subprocess.Popen[Any]) -> None:
    """End the inspector and what the script started in its process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _status(code: int) -> str:
    return signal_name(-code) if code < 0 else f"exit status {code}"


def _tail(output: str, lines: int = 20) -> str:
    return "".join(f"{line}\n" for line in output.splitlines()[-lines:])
