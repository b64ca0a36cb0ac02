"""The listed models as they are now: the list with its scripts, inspected."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from mlpipeline.core.listed import ListedModel
from mlpipeline.errors import ConfigError
from mlpipeline.execution.choosing import Reading
from mlpipeline.execution.known_scripts import KnownScripts
from mlpipeline.state.files import write_whole
from mlpipeline.state.files_below import FilesBelow
from mlpipeline.state.lists import ListText, ModelList, read_list

Stop = Callable[[], bool]

# Seconds that a list must have stayed as it is before it is taken.
SETTLED = 0.3
SETTLED_WITHOUT_END = 2.0  # its last line has no end: perhaps it is being written still
SETTLED_SHORTER = 3.0  # it is what it was, less its last lines


class Look(msgspec.Struct, frozen=True):
    """How a file looks from outside."""

    path: Path
    inode: int
    mtime: int  # ns
    size: int  # bytes

    @classmethod
    def at(cls, path: Path) -> Look | None:
        """How it looks now; None for a file that is not there."""
        try:
            stat = path.stat()
        except OSError:
            return None
        return cls(path, stat.st_ino, stat.st_mtime_ns, stat.st_size)

    @property
    def tells(self) -> bool:
        """Whether a write from now on would show: within a tick of the clock it might not."""
        return time.time() - self.mtime / 1e9 >= SETTLED


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What the list asks for at one moment."""

    models: tuple[ListedModel, ...] = ()
    warnings: tuple[str, ...] = ()  # what is odd in the list in use
    problems: tuple[str, ...] = ()  # what keeps the list, as it stands in the file, from being used
    proposed: tuple[ListedModel, ...] = ()  # what it would be, but for versions that are unknown
    unknown: tuple[str, ...] = ()  # those
    paused: bool = False  # nothing is to be started
    settled: bool = True  # False: the file is being edited, and the list is still the one before
    look: Look | None = None  # of the file; None where that does not tell whether it has changed
    pending: frozenset[str] = frozenset()  # models, by path, whose scripts are being inspected
    behind: frozenset[str] = frozenset()  # models, likewise, that are to start after those
    final: bool = True  # False: there are scripts to look at, and it may be another list then
    waits: str = ""  # for which, where that takes long

    def still_holds(self) -> bool:
        """Whether the file has not been touched since."""
        return self.look is not None and Look.at(self.look.path) == self.look

    @property
    def ready(self) -> tuple[ListedModel, ...]:
        """The models of which something may start: an edited one when its versions are known, and
        what stands behind it in the queue a little later.
        """
        if not self.pending:
            return self.models
        later = self.pending | self.behind
        return tuple(model for model in self.models if model.path not in later)


class Listing:
    """Reads a list of models; keeps the last good one while an edit goes on or can't be used."""

    def __init__(
        self,
        path: Path,
        models_dir: Path,
        scripts: KnownScripts,
        *,
        patient: bool = True,
        memory: Path | None = None,
    ):
        """``patient``: take no list that has just been written, since it may be half of one.

        ``memory``: a file that has the list in use; written by the patient, and read by the others
        where the list can't be used.
        """
        self._memory = memory
        self._path = path
        self._models_dir = models_dir
        self._scripts = scripts
        self._patient = patient
        self._good: ModelList | None = None
        self._taken: ListText | None = None  # of the good list
        self._parsed: _Parsed | None = None
        self._idle = False
        self._refused: _Refused | None = None
        self._seen: ListText | None = None
        self._seen_at = 0.0  # monotonic seconds

    @property
    def name(self) -> str:
        """The name of the file."""
        return self._path.name

    @property
    def only(self) -> frozenset[str]:
        """Names of the models that a session is for: others are read, checked and left out.

        Empty: it is for all that are listed.
        """
        return self._scripts.only

    @only.setter
    def only(self, models: frozenset[str]) -> None:
        self._scripts.only = models

    @property
    def wake(self) -> Callable[[], None]:
        """Called, from a thread, when more is known of the scripts: time for another look."""
        return self._scripts.wake

    @wake.setter
    def wake(self, call: Callable[[], None]) -> None:
        self._scripts.wake = call

    @property
    def idle(self) -> bool:
        """Whether nothing runs that would mind if scripts were inspected as fast as can be."""
        return self._idle

    @idle.setter
    def idle(self, idle: bool) -> None:
        self._idle = idle
        self._scripts.hurry(idle)

    def leave_to_session(self, changed_at: float | None, *, remember: bool = True) -> None:
        """See KnownScripts.leave_to_session."""
        self._scripts.leave_to_session(changed_at, remember=remember)

    def close(self) -> None:
        """Inspect no more."""
        self._scripts.close()

    def refresh(self, stop: Stop = lambda: False) -> Listed:
        """Read everything again.

        When ``stop`` turns true, models that are not inspected yet are left out.
        """
        look = Look.at(self._path)  # before it is read: what is written meanwhile must show
        files = FilesBelow(self._models_dir)
        try:
            text = ListText.read(self._path)
            if not self._has_settled(text):
                self._look_ahead(text, stop, files)
                return msgspec.structs.replace(self._last_good([], stop, files), settled=False)
            models = self._parse(text, files)
            is_edited = self._taken is not None and self._taken.content != text.content
            if self._taken and is_edited:
                text.check_whole(self._taken, models)
        except ConfigError as error:
            return self._last_good([str(error)], stop, files)
        if self._refused and (self._refused.text.content, self._refused.text.mtime) == (
            *(text.content, text.mtime),
        ):
            return self._last_good(self._refused.problems, stop, files)
        read = self._scripts.listed(models, stop, files)
        wrong = read.wrong if is_edited else ()  # at the start, the other models are in use at once
        self._refused = _Refused(text, wrong) if wrong else None
        if read.complaints or wrong:
            kept = self._last_good((*read.complaints, *wrong), stop, files)
            return msgspec.structs.replace(kept, proposed=read.models, unknown=read.unknown)
        if read.is_sure or self._good is None:
            if self._taken is None or self._taken.content != text.content:
                self._remember(text)
            self._good, self._taken = models, text
        return msgspec.structs.replace(
            _listed(models, read), look=look if look and look.tells else None
        )

    def _parse(self, text: ListText, files: FilesBelow) -> ModelList:
        """The list; the one before, as long as nothing of it has changed. Raises ConfigError."""
        before = self._parsed
        if before and before.content == text.content and before.holds(files):
            return before.models
        models = read_list(text, self._models_dir, files)
        scripts = [f"{self._models_dir}/{entry.path}" for entry in models.entries]
        self._parsed = _Parsed(text.content, models, scripts, files() if models.blacklist else [])
        return models

    def _look_ahead(self, text: ListText, stop: Stop, files: FilesBelow) -> None:
        """Where nothing is in use yet, inspect what may be, rather than only wait."""
        if self._good is None:
            with suppress(ConfigError):  # it is told when the list has settled
                self._scripts.listed(self._parse(text, files), stop, files)

    def _has_settled(self, text: ListText) -> bool:
        """Whether ``text`` has stayed as it is for long enough, by its mtime or our own clock."""
        if not self._patient:
            return True
        if self._taken and text.content == self._taken.content:
            self._seen = None  # what was seen meanwhile is given up: if it comes again, it is new
            return True
        if self._seen is None or text.content != self._seen.content:
            self._seen, self._seen_at = text, time.monotonic()
        if self._taken and text.is_start_of(self._taken):
            return time.monotonic() - self._seen_at >= SETTLED_SHORTER
        age = max(time.time() - text.mtime, time.monotonic() - self._seen_at)
        return age >= (SETTLED if text.content.endswith("\n") else SETTLED_WITHOUT_END)

    def _remember(self, text: ListText) -> None:
        if self._memory and self._patient:
            with suppress(OSError):  # then views know less
                write_whole(self._memory, text.content.encode())

    def _recall(self) -> ModelList | None:
        if self._memory is None or self._patient:
            return None
        try:
            content = self._memory.read_text("utf-8")
            return read_list(ListText(self._path, content, 0.0), self._models_dir)
        except (OSError, UnicodeDecodeError, ConfigError):
            return None

    def _last_good(self, problems: Sequence[str], stop: Stop, files: FilesBelow) -> Listed:
        """The last good list, whose scripts may have changed all the same."""
        if self._good is None:
            self._good = self._recall()
        if self._good is None:
            return Listed(problems=tuple(problems))
        read = self._scripts.listed(self._good, stop, files)
        return msgspec.structs.replace(_listed(self._good, read), problems=tuple(problems))


class _Refused(msgspec.Struct, frozen=True):
    """A list that says what can't be of a model, and why; it is looked at anew when it is saved."""

    text: ListText
    problems: tuple[str, ...]


class _Parsed(msgspec.Struct, frozen=True):
    """A list that was parsed, and what it was found to be right by."""

    content: str
    models: ModelList
    scripts: list[str]
    files: list[str]  # of a blacklist

    def holds(self, files: FilesBelow) -> bool:
        """Whether the scripts are there still, and none has become a link that leads elsewhere."""
        try:
            there = all(stat.S_ISREG(os.lstat(script).st_mode) for script in self.scripts)
        except OSError:
            return False
        return there and (not self.models.blacklist or self.files == files())


def _listed(models: ModelList, read: Reading) -> Listed:
    return Listed(
        models=read.models,
        warnings=models.warnings,
        paused=models.paused,
        pending=read.pending,
        behind=read.behind,
        final=read.is_final,
        waits=read.waits,
    )
