"""The lists of models, as typed records; which files below models_dir are model files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec

from mlpipeline.core.spelling import nearest
from mlpipeline.errors import ConfigError, short
from mlpipeline.state.config import INIT_HINT, boolean
from mlpipeline.state.ini import MAIN, IniFile
from mlpipeline.state.priorities import PRIORITIES, read_priorities, unknown_models

WHITELIST = "WHITELISTED_MODELS"
BLACKLIST = "BLACKLISTED_MODELS"
PAUSED = "paused"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A listed model file, with the text that narrows its versions (None: all of them)."""

    path: str  # relative to models_dir, with forward slashes
    line: int | None = None
    narrowing: str | None = None


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """A list of models: the whitelisted ones in order, or all but the blacklisted ones."""

    path: Path
    entries: tuple[Entry, ...]
    blacklist: bool = False
    paused: bool = False  # nothing is to be started
    priorities: dict[str, int] = {}  # by path, of models that are listed or not; higher first
    warnings: tuple[str, ...] = ()

    @property
    def section(self) -> str:
        """The section that its entries stand in."""
        return BLACKLIST if self.blacklist else WHITELIST


class ListText(msgspec.Struct, frozen=True):
    """A list as it stands in its file."""

    path: Path
    content: str
    mtime: float  # seconds since the epoch

    @classmethod
    def read(cls, path: Path) -> ListText:
        """Read the file; raises ConfigError when that fails."""
        content = IniFile.text_of(path, remedy=INIT_HINT)
        try:
            return cls(path, content, path.stat().st_mtime)
        except OSError:  # it is just being replaced
            return cls(path, content, float("inf"))

    def is_start_of(self, before: ListText) -> bool:
        """Whether it is the list before, less its end."""
        return self.content != before.content and before.content.startswith(self.content)

    def check_whole(self, before: ListText, models: ModelList) -> None:
        """Raise ConfigError where it looks like the list before, cut short by accident.

        A list that lost its last lines may be meant so, if it still lists something. But one that
        ends within a line, or a shorter blacklist, could start what nobody listed.
        """
        if not self.is_start_of(before):
            return
        ends_with_line = self.content.endswith("\n") or before.content[len(self.content)] == "\n"
        if models.blacklist or not models.entries or not ends_with_line:
            raise ConfigError(
                self.path,
                "it is the list before, cut short",
                line=self.content.count("\n") + 1,
                remedy="save it whole; if it is meant so, put a # and a line end after it",
            )


class PythonFiles:
    """The ``.py`` files below models_dir, looked for once, and only if they are asked for."""

    def __init__(self, models_dir: Path):
        self._models_dir = models_dir
        self._paths: list[str] | None = None

    def __call__(self) -> list[str]:
        """Their paths in models_dir, as :func:`python_files` has them."""
        if self._paths is None:
            self._paths = python_files(self._models_dir)
        return self._paths


def read_list(text: ListText, models_dir: Path, files: PythonFiles | None = None) -> ModelList:
    """Parse a list of models and check its paths; raises ConfigError."""
    path = text.path
    files = files or PythonFiles(models_dir)
    ini = IniFile(path, text.content)
    if not ini.sections():
        raise ConfigError(
            path, "it is empty", remedy=f"put a heading [{WHITELIST}] and your model files in it"
        )
    blacklist = boolean(ini, "use_blacklist")
    section = BLACKLIST if blacklist else WHITELIST
    anything = dict.fromkeys((WHITELIST, BLACKLIST, PRIORITIES))
    warnings = ini.unknown({MAIN: {"use_blacklist", PAUSED}, **anything})
    if blacklist:
        warnings += [
            f"{short(models_dir)}: the name of {path!r} is not UTF-8, so it is left out; rename it"
            for path in files()
            if not _is_text(path)
        ]
    for name in ini.sections() if section not in ini.sections() else ():
        if section in nearest(
            name, [WHITELIST, BLACKLIST, MAIN]
        ):  # the whole queue must not go for a typo
            raise ConfigError(
                path,
                f"unknown section [{name}], and there is no [{section}]",
                line=ini.line_of(name),
                remedy=f"write [{section}]",
            )
    entries: dict[str, Entry] = {}
    folder = os.path.realpath(models_dir)
    for name, narrowing in ini.options(section).items():
        line = ini.line_of(section, name)
        model = _checked_path(path, line, name, models_dir, folder)
        if model in entries:
            raise ConfigError(
                path,
                f"{name} is the same file as line {entries[model].line}",
                line=line,
                remedy="remove one line",
            )
        entries[model] = Entry(path=model, line=line, narrowing=stripped(narrowing or ""))
    priorities = read_priorities(ini)
    if priorities:
        warnings += unknown_models(ini, models_dir, model_files(models_dir, files))
    return ModelList(
        path=path,
        entries=tuple(entries.values()),
        blacklist=blacklist,
        paused=boolean(ini, PAUSED),
        priorities=priorities,
        warnings=tuple(warnings),
    )


def model_files(models_dir: Path, files: PythonFiles | None = None) -> list[str]:
    """The model scripts below ``models_dir`` in path order: what is not named ``_…`` or ``.…``."""
    paths = files() if files else python_files(models_dir)
    return sorted(
        path
        for path in paths
        if path[0] not in "_." and "/_" not in path and "/." not in path and _is_text(path)
    )


def python_files(models_dir: Path) -> list[str]:
    """All ``.py`` files below ``models_dir``, helpers too, but not those in outputs."""
    found: list[str] = []
    folders = [""]
    for prefix in folders:  # it grows meanwhile
        try:
            with os.scandir(f"{models_dir}/{prefix}") as entries:
                for entry in entries:
                    name = entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if prefix or name != "outputs":
                            folders.append(f"{prefix}{name}/")
                    elif name.endswith(".py") and not entry.is_dir():
                        found.append(prefix + name)
        except OSError:  # it is gone, or not for us
            continue
    return found


def _is_text(path: str) -> bool:
    """Whether a path can stand in a list and in a record: a name may be any bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def stripped(narrowing: str) -> str | None:
    """The text of a narrowing without what stands around its names; None when it names nothing."""
    return narrowing.strip(", \n") or None


def _checked_path(source: Path, line: int | None, text: str, models_dir: Path, folder: str) -> str:
    """The listed path in its one normal form; raises ConfigError when it is not a model file.

    ``folder``: models_dir without symbolic links.
    """
    relative = os.path.normpath(text)
    target = os.path.join(models_dir, relative)
    try:
        within = os.path.realpath(target).startswith(os.path.join(folder, ""))
        is_file = stat.S_ISREG(os.stat(target).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        is_file = False
    except (OSError, ValueError) as error:  # a loop of links, a NUL, too long a name
        raise ConfigError(
            source, f"{text!r} can't be a path: {error}", line=line, remedy="correct the name"
        ) from None
    if os.path.isabs(relative):
        problem, remedy = f"{text} is absolute", f"write it relative to {models_dir}"
    elif ".." in relative.split("/") or not within:
        problem, remedy = f"{text} leaves models_dir", f"move the file into {models_dir}"
    elif not is_file:
        problem = f"{text} does not exist in {models_dir}"
        remedy = "correct the name" + nearest(text, model_files(models_dir))
    elif os.path.splitext(relative)[1] != ".py":
        problem, remedy = f"{text} is not a model file", "model files end in .py"
    else:
        return relative
    raise ConfigError(source, problem, line=line, remedy=remedy)
