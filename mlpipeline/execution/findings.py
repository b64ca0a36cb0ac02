"""What is found in a model script, when it still holds, and the memory that keeps it on disk.

What is kept can be deleted, cut or of another version at any time: then it is found anew.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from mlpipeline import __version__
from mlpipeline.api.listed import content_of
from mlpipeline.core.listed import ListedVersion
from mlpipeline.core.ticks import RECENT
from mlpipeline.state.files import NOT_A_RECORD, write_whole
from mlpipeline.state.layout import safe_name

# 2: versions come after others; 3: commands import; 4: versions are steps; 5: of own sources
FORMAT = 5
NO_VERSIONS = memoryview(b'{"versions":[]}')  # of a script that can't be used
GONE = (0, 0)

Stamp = tuple[int, int]  # mtime in ns, size in bytes
Versions = tuple[ListedVersion, ...]


class _Versions(msgspec.Struct, frozen=True):
    versions: Versions


_versions = msgspec.json.Decoder(_Versions)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What an inspector says of one script, but for its versions."""

    at: int = 0  # when it began to look; ns since the epoch
    sources: dict[str, str] = {}  # SHA-256 of the files below, by their paths in models_dir
    imported: tuple[str, ...] = ()  # of sources, what was read from a text that it is imported
    others: dict[str, tuple[str, ...]] = {}  # of sources, by step: what only other steps are of
    stamp: Stamp = GONE  # of the script
    problem: str = ""
    traceback: str = ""
    passing: bool = False  # the problem is not the script's, and need not be there the next time
    preload: tuple[str, ...] = ()  # modules that its runs would have at hand
    files: dict[str, Stamp] = {}  # the script, the local modules it imported, and those below
    configs: dict[str, str] = {}  # SHA-256 of the configs that were read, and of their folders
    takes_overrides: bool = False  # so that what the list says behind its name may be such
    asked_with: str = ""  # what the list said there
    overrides: str = ""  # that, where it was taken for overrides
    largest: int = 0  # jobs of a sweep


class Findings(Found, frozen=True, kw_only=True):
    """What was found in one model script."""

    versions: Versions = ()

    def is_as(self, other: Findings) -> bool:
        """Whether ``other`` found the same, if perhaps at another time."""
        return self._content() == other._content()

    def _content(self) -> tuple[object, ...]:
        return (
            *(self.versions, self.sources, self.others, self.problem),
            *(self.configs, self.asked_with),
        )

    def holds_for(self, text: str) -> bool:
        """Whether it is the same where the list says ``text`` behind the file's name."""
        return self.asked_with == text or not (self.takes_overrides or self.problem)

    @property
    def is_racy(self) -> bool:
        """Whether a file was so new that one of the same stamp need not have the same content."""
        return any(mtime > self.at - RECENT for mtime, _ in self.files.values())


def read_findings(answer: bytes) -> tuple[Findings, memoryview]:
    """What an inspector answers, and the versions among it, still encoded.

    Raises one of NOT_A_RECORD for what is no such answer.
    """
    head, versions = _parts(answer)
    found = msgspec.json.decode(head, type=Found)
    return _joined(found, _shared(_decoded(versions))), versions


def _parts(text: bytes) -> tuple[memoryview, memoryview]:
    """Its first line and the rest, which may be long, without a copy."""
    view, end = memoryview(text), text.find(b"\n")
    return (view[:end], view[end + 1 :]) if end >= 0 else (view, view[:0])


def _joined(found: Found, versions: Versions) -> Findings:
    return Findings(**{each: getattr(found, each) for each in _FIELDS}, versions=versions)


_FIELDS = Found.__struct_fields__


def _decoded(text: memoryview) -> Versions:
    return _versions.decode(text).versions


def encoded(versions: Versions) -> memoryview:
    """As an inspector's answer has them."""
    return memoryview(msgspec.json.encode(_Versions(versions)))


def _shared(versions: Versions) -> Versions:
    """These, with strings that stand in many of them kept once: for who keeps them for long."""
    seen: dict[str, str] = {}
    for version in versions:
        parameters = version.parameters
        for key, value in parameters.items():
            if type(value) is str:
                parameters[key] = seen.setdefault(value, value)
    return versions


def stamp_of(path: str) -> Stamp:
    """Its mtime and size; GONE where there is no such file."""
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return GONE
    return stat.st_mtime_ns, stat.st_size


class Files:
    """The files as they are now, each looked at once."""

    def __init__(self, models_dir: Path, files_below: Callable[[], Sequence[str]]):
        """``files_below``: their paths in models_dir."""
        self._models_dir = str(models_dir)
        self._files_below = files_below
        self._stamps: dict[str, Stamp] = {}
        self._digests: dict[str, str] = {}
        self._all: dict[str, Stamp] | None = None
        self.at = time.time_ns()  # before any of them was looked at

    def stamp(self, path: str) -> Stamp:
        """Its mtime and size."""
        known = self._stamps.get(path)
        if known is None:
            known = self._stamps[path] = stamp_of(path)
        return known

    def are(self, stamps: Mapping[str, Stamp]) -> bool:
        """Whether all have these stamps."""
        known, stamp = self._stamps, self.stamp
        return all((known.get(path) or stamp(path)) == each for path, each in stamps.items())

    def have(self, found: Found) -> bool:
        """Whether all have the content that was found."""
        return all(
            self._digest(path) == found.configs.get(path)
            or self._digest(path) == found.sources.get(os.path.relpath(path, self._models_dir))
            for path in found.files
        )

    def _digest(self, path: str) -> str:
        if path not in self._digests:
            self.stamp(path)  # before it is read: an edit in between must show
            try:
                content = content_of(path)
                self._digests[path] = hashlib.sha256(content).hexdigest()
            except (OSError, ValueError):
                self._digests[path] = "it can't be read"
        return self._digests[path]

    def renewed(self, findings: Findings, script: str) -> Findings:
        """``findings`` with the stamps of now."""
        files = {path: self.stamp(path) for path in findings.files}
        return msgspec.structs.replace(findings, at=self.at, stamp=files[script], files=files)

    def surroundings(self) -> dict[str, Stamp]:
        """The stamps of all scripts and command files in models_dir, and of the folders where they
        lie: what may mend a model file that can't be used.
        """
        if self._all is None:
            files = [os.path.join(self._models_dir, each) for each in self._files_below()]
            folders = dict.fromkeys(map(os.path.dirname, files))
            self._all = {path: self.stamp(path) for path in (*files, *folders)}
        return self._all


class _Head(Found, frozen=True, kw_only=True):
    format: int = 0
    environment: str = ""
    path: str = ""


class Memory:
    """A folder with a file for each script: what was found in it, and with which packages.

    Several processes may write there: each file is put in its place whole.
    """

    def __init__(self, folder: Path, *, sparing: bool = True):
        """``sparing``: rather of memory than of time."""
        self._folder = folder
        self._sparing = sparing
        self.is_kept = False
        """Whether it stays as it is: it is another's, who has a Python of his own, perhaps."""

    def recall(self, path: str, environment: str | None = None) -> Findings | None:
        """What is known of a script, if it was found with the same packages (None: with any)."""
        try:
            head, versions = _parts(self._file(path).read_bytes())
            found = msgspec.json.decode(head, type=_Head)
            if environment is None:
                environment = found.environment
            if (found.format, found.environment, found.path) != (FORMAT, environment, path):
                return None
            decoded = _decoded(versions)
            return _joined(found, _shared(decoded) if self._sparing else decoded)
        except (OSError, *NOT_A_RECORD):
            return None

    def keep(
        self, path: str, environment: str, findings: Findings, versions: memoryview | None = None
    ) -> None:
        """Remember what was found; ``versions`` encoded, or as they are remembered already."""
        head = _Head(
            **{each: getattr(findings, each) for each in _FIELDS},
            format=FORMAT,
            environment=environment,
            path=path,
        )
        if self.is_kept:
            return
        with suppress(OSError):  # then the script is inspected once more
            if findings.problem:
                versions = NO_VERSIONS
            elif versions is None:
                versions = _parts(self._file(path).read_bytes())[1]
            self._make()
            write_whole(self._file(path), b"".join([msgspec.json.encode(head), b"\n", versions]))

    def forget(self, path: str) -> None:
        """Forget what was found in a script."""
        if self.is_kept:
            return
        with suppress(OSError):
            self._file(path).unlink()

    def tidy(self, scripts: Iterable[str]) -> None:
        """Forget all but these ``scripts``, and what writers that were killed left."""
        names = {self._file(path).name for path in scripts}
        with suppress(OSError):
            for each in list(os.scandir(self._folder)):
                if each.name not in names:
                    Path(each.path).unlink()

    def _make(self) -> None:
        if not self._folder.is_dir() and self._folder.parent.is_dir():
            self._folder.mkdir(exist_ok=True)
            with suppress(OSError):  # what earlier versions kept
                self._folder.with_name(f"{self._folder.name}.json").unlink()

    def _file(self, path: str) -> Path:
        return self._folder / f"{safe_name(path)}.jsonl"


def environment() -> str:
    """Names this Python with what is installed for it; another one when a package comes or goes."""
    folders = [
        f"{folder} {_mtime(folder)}"
        for folder in sys.path
        if folder.endswith(("site-packages", "dist-packages"))
    ]
    return "\n".join([_PYTHON, os.environ.get("PYTHONPATH", ""), *folders])


_PYTHON = f"{__version__} {sys.version} {sys.prefix}"


def _mtime(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


def failure(
    problem: str,
    script: str,
    stamp: Stamp = GONE,
    traceback: str = "",
    *,
    passing: bool = False,
    text: str = "",
) -> Findings:
    """That nothing was found, and why; ``passing``: which is not the script's doing.

    ``text`` is what the list said behind its name.
    """
    return Findings(
        problem=problem,
        traceback=traceback,
        files={script: stamp},
        passing=passing,
        asked_with=text,
    )
