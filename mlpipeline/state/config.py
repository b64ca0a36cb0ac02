"""mlp.config and the lists of models, as typed records."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TypeVar

import msgspec

from mlpipeline.core.planning import RETRIED
from mlpipeline.core.runs import Outcome
from mlpipeline.errors import ConfigError, short
from mlpipeline.state.ini import IniFile, nearest
from mlpipeline.state.layout import CONFIG

N = TypeVar("N", int, float)

MAIN = "MLP"
WHITELIST = "WHITELISTED_MODELS"
BLACKLIST = "BLACKLISTED_MODELS"
INIT_HINT = "run `mlpipeline init` to make the files of a project"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What mlp.config says."""

    models_dir: Path  # absolute
    parallel: int = 1  # runs at a time
    grace: float = 30.0  # seconds between asking a run to stop and killing it
    retries: int = 0  # further tries of a failed version in one session
    retry_on: frozenset[Outcome] = RETRIED  # after which outcomes
    retry_delay: float = 10.0  # seconds before the second try; doubled before each further one
    timeout: float = 0.0  # seconds that a run may take; 0: any
    stall_timeout: float = 0.0  # seconds that a run may be silent; 0: any
    stop_on_nan: bool = False  # end a run when a metric is no finite number
    inspect_timeout: float = 60.0  # seconds that importing a model script may take
    min_free_disk: float = 1.0  # GB without which nothing is started
    host_timeout: float = 0.0  # seconds of silence after which a host is lost; 0: a person decides
    shared: bool = False  # let the group write what is made here
    warnings: tuple[str, ...] = ()


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
    warnings: tuple[str, ...] = ()


def read_settings(project: Path) -> Settings:
    """Read ``project``/mlp.config; raises ConfigError."""
    path = project / CONFIG
    ini = IniFile.read(path, remedy=INIT_HINT)
    options = ini.options(MAIN)
    text = options.get("models_dir")
    if not text:
        raise ConfigError(
            path,
            f"[{MAIN}] has no models_dir",
            line=ini.line_of(MAIN, "models_dir") or ini.line_of(MAIN),
            remedy="name the folder of your model scripts: models_dir = models",
        )
    models_dir = Path(os.path.normpath(project / Path(text).expanduser()))
    if not models_dir.is_dir():
        raise ConfigError(
            path,
            f"models_dir {text} is not a folder",
            line=ini.line_of(MAIN, "models_dir"),
            remedy="make it, or correct the path",
        )
    known = set(Settings.__struct_fields__) - {"warnings"}
    default = Settings(models_dir=models_dir)
    return Settings(
        models_dir=models_dir,
        parallel=_number(ini, "parallel", default.parallel, least=1),
        grace=_number(ini, "grace", default.grace),
        retries=_number(ini, "retries", default.retries),
        retry_on=_outcomes(ini, "retry_on", default.retry_on),
        retry_delay=_number(ini, "retry_delay", default.retry_delay),
        timeout=_number(ini, "timeout", default.timeout),
        stall_timeout=_number(ini, "stall_timeout", default.stall_timeout),
        stop_on_nan=_boolean(ini, "stop_on_nan"),
        inspect_timeout=_number(ini, "inspect_timeout", default.inspect_timeout, least=0.1),
        min_free_disk=_number(ini, "min_free_disk", default.min_free_disk),
        host_timeout=_number(ini, "host_timeout", default.host_timeout),
        shared=_boolean(ini, "shared"),
        warnings=tuple(ini.unknown({MAIN: known})),
    )


def read_list(path: Path, models_dir: Path) -> ModelList:
    """Read a list of models and check its paths; raises ConfigError."""
    ini = IniFile.read(path, remedy=INIT_HINT)
    if not ini.sections():
        raise ConfigError(
            path, "it is empty", remedy=f"put a heading [{WHITELIST}] and your model files in it"
        )
    blacklist = _boolean(ini, "use_blacklist")
    section = BLACKLIST if blacklist else WHITELIST
    warnings = ini.unknown({MAIN: {"use_blacklist"}, WHITELIST: None, BLACKLIST: None})
    if blacklist:
        warnings += [
            f"{short(models_dir)}: the name of {path!r} is not UTF-8, so it is left out; rename it"
            for path in python_files(models_dir)
            if not _is_text(path)
        ]
    entries: dict[str, Entry] = {}
    for text, narrowing in ini.options(section).items():
        line = ini.line_of(section, text)
        model = _checked_path(path, line, text, models_dir)
        if model in entries:
            raise ConfigError(
                path,
                f"{text} is the same file as line {entries[model].line}",
                line=line,
                remedy="remove one line",
            )
        names = (narrowing or "").strip(", \n")
        entries[model] = Entry(path=model, line=line, narrowing=names or None)
    return ModelList(
        path=path, entries=tuple(entries.values()), blacklist=blacklist, warnings=tuple(warnings)
    )


def model_files(models_dir: Path) -> list[str]:
    """The model scripts below ``models_dir`` in path order: what is not named ``_…`` or ``.…``."""
    paths = [PurePosixPath(path) for path in python_files(models_dir) if _is_text(path)]
    return sorted(
        str(path) for path in paths if not any(part.startswith(("_", ".")) for part in path.parts)
    )


def python_files(models_dir: Path) -> list[str]:
    """All ``.py`` files below ``models_dir``, helpers too, but not those in outputs."""
    found = []
    for folder, folders, files in os.walk(models_dir):
        relative = Path(folder).relative_to(models_dir)
        if relative == Path():
            folders[:] = [name for name in folders if name != "outputs"]
        found += [(relative / name).as_posix() for name in files if name.endswith(".py")]
    return found


def _is_text(path: str) -> bool:
    """Whether a path can stand in a list and in a record: a name may be any bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def choose_versions(narrowing: str, known: Iterable[str]) -> tuple[list[str], list[str]]:
    """Split a list of version names at commas and line ends, and tell known from unknown ones.

    Names may themselves have commas (``lr=0.1,depth=2``): at each place the longest known name
    wins. Returns the chosen names in the order written, each once, and the unknown pieces.
    """
    names = {_squeezed(name): name for name in known}
    pieces = [piece.strip() for piece in narrowing.replace("\n", ",").split(",")]
    chosen: dict[str, None] = {}
    unknown = []
    position = 0
    while position < len(pieces):
        for end in range(len(pieces), position, -1):
            name = names.get(",".join(pieces[position:end]))
            if name is not None:
                chosen[name] = None
                position = end
                break
        else:
            if pieces[position]:
                unknown.append(pieces[position])
            position += 1
    return list(chosen), unknown


def _squeezed(name: str) -> str:
    return ",".join(piece.strip() for piece in name.split(","))


def _checked_path(source: Path, line: int | None, text: str, models_dir: Path) -> str:
    """The listed path in its one normal form; raises ConfigError when it is not a model file."""
    relative = PurePosixPath(os.path.normpath(text))
    target = models_dir / relative
    try:
        within, is_file = _is_within(target, models_dir), target.is_file()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL, too long a name
        raise ConfigError(
            source, f"{text!r} can't be a path: {error}", line=line, remedy="correct the name"
        ) from None
    if relative.is_absolute():
        problem, remedy = f"{text} is absolute", f"write it relative to {models_dir}"
    elif ".." in relative.parts or not within:
        problem, remedy = f"{text} leaves models_dir", f"move the file into {models_dir}"
    elif not is_file:
        problem = f"{text} does not exist in {models_dir}"
        remedy = "correct the name" + nearest(text, model_files(models_dir))
    elif target.suffix != ".py":
        problem, remedy = f"{text} is not a model file", "model files end in .py"
    else:
        return relative.as_posix()
    raise ConfigError(source, problem, line=line, remedy=remedy)


def _is_within(target: Path, folder: Path) -> bool:
    return target.resolve().is_relative_to(folder.resolve())


def _boolean(ini: IniFile, option: str) -> bool:
    text = ini.options(MAIN).get(option, "false")
    words = {"1": True, "yes": True, "true": True, "on": True}
    words |= {"0": False, "no": False, "false": False, "off": False}
    try:
        return words[(text or "").lower()]
    except KeyError:
        raise ConfigError(
            ini.path,
            f"{option} is {text or ''!r}, neither true nor false",
            line=ini.line_of(MAIN, option),
            remedy=f"write {option} = true or {option} = false",
        ) from None


def _outcomes(ini: IniFile, option: str, default: frozenset[Outcome]) -> frozenset[Outcome]:
    text = ini.options(MAIN).get(option)
    if option not in ini.options(MAIN):
        return default
    known = [outcome.value for outcome in Outcome if outcome.is_failure]
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise ConfigError(
                ini.path,
                f"{option} names {name!r}, which is no outcome{nearest(name, known)}",
                line=ini.line_of(MAIN, option),
                remedy=f"choose from: {', '.join(known)}",
            )
    return frozenset(Outcome(name) for name in names)


def _number(ini: IniFile, option: str, default: N, *, least: float = 0) -> N:
    """The number that ``option`` holds, of the same type as ``default``."""
    text = ini.options(MAIN).get(option)
    if option not in ini.options(MAIN):
        return default
    kind = type(default)
    try:
        number = kind(text or "")
    except ValueError:
        number = None
    if number is None or not least <= number < float("inf"):
        what = "a whole number" if kind is int else "a number"
        raise ConfigError(
            ini.path,
            f"{option} is {text or ''!r}, not {what} of at least {least:g}",
            line=ini.line_of(MAIN, option),
            remedy=f"the default is {option} = {default:g}",
        )
    return number
