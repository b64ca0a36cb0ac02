"""The lists of models, as typed records."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec

from mlpipeline.core.model_files import SUFFIXES, is_model_file, model_name
from mlpipeline.core.spelling import nearest
from mlpipeline.errors import ConfigError, short
from mlpipeline.state.config import INIT_HINT, boolean
from mlpipeline.state.files_below import FilesBelow, is_text, model_files, twins
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


def read_list(text: ListText, models_dir: Path, files: FilesBelow | None = None) -> ModelList:
    """Parse a list of models and check its paths; raises ConfigError."""
    path = text.path
    files = files or FilesBelow(models_dir)
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
            if not is_text(path)
        ]
        warnings += [
            f"{short(models_dir)}/{path} is left out, since {other} has its name; rename it"
            for path, other in twins(files())
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
    named: dict[str, Entry] = {}  # by the model's name
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
        entry = Entry(path=model, line=line, narrowing=stripped(narrowing or ""))
        twin = named.setdefault(model_name(model), entry)
        if twin is not entry:
            raise ConfigError(
                path,
                f"{name} would share its name, and so its records, with {twin.path} "
                f"in line {twin.line}",
                line=line,
                remedy="rename one of the files, or remove one line",
            )
        entries[model] = entry
    priorities = read_priorities(ini)
    if priorities:
        warnings += unknown_models(ini, models_dir, model_files(files()))
    return ModelList(
        path=path,
        entries=tuple(entries.values()),
        blacklist=blacklist,
        paused=boolean(ini, PAUSED),
        priorities=priorities,
        warnings=tuple(warnings),
    )


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
        remedy = "correct the name" + nearest(text, model_files(FilesBelow(models_dir)()))
    elif not is_model_file(relative):
        endings = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        problem, remedy = f"{text} is not a model file", f"model files end in {endings}"
    else:
        return relative
    raise ConfigError(source, problem, line=line, remedy=remedy)
