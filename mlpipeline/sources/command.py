"""Command files: a command line with its versions as a model, like a script's global MODEL.

Nothing of a command's runs here: what it takes to start it is a :class:`Job`.
"""

from __future__ import annotations

import json
import os
import sys

from mlpipeline.api import listed, sweeps, words
from mlpipeline.api.keys import AFTER, looks_secret, version_parameters
from mlpipeline.api.model import Model
from mlpipeline.api.names import problem_with
from mlpipeline.api.versions import ALIASES, Version, Versions
from mlpipeline.core.plain import plain
from mlpipeline.core.spelling import nearest
from mlpipeline.sources import local_files, script
from mlpipeline.sources.command_file import STANDARD, CommandFile
from mlpipeline.sources.imports import STAMPS, TEXTS
from mlpipeline.sources.version_texts import version_texts
from mlpipeline.sources.yaml_file import FileError, scalar

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from mlpipeline.sources.command_file import VersionText

MANDATORY = (version_parameters.NAME,)
# In braces: known when the run begins.
AT_RUN = ("model_dir", "run_dir", "version", "project", "python")
LINE, FOLDER, VARIABLES = "command", "cwd", "env"  # what a version has of its file
JOB = "hydra"  # in a version: the digest of the config that Hydra's launcher has composed for it
MOST = 8  # files that are kept

# By path: the text, with what the list says beside it, and what they became.
_kept: dict[str, tuple[tuple[bytes, str], CommandModel]] = {}


class Job:
    """What it takes to start one version: its words, where, and with which variables."""

    __slots__ = ("argv", "cwd", "env")

    def __init__(self, argv: list[str], cwd: str, env: dict[str, str]):
        self.argv = argv
        self.cwd = cwd  # relative to the project, or absolute
        self.env = env  # besides what the run has anyway


def _check_hydra(file: CommandFile) -> None:
    """Raise FileError where the jobs of a sweep are to run in this Python, which lacks Hydra.

    Each of them would fail for that, after the app's own imports.
    """
    if not file.command or file.command[0] != "{python}":
        return  # it is another one, of which nothing is known here
    from importlib.util import find_spec  # few files are sweeps of Hydra's

    try:
        spec = find_spec("hydra")
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:  # a folder of that name is no package
        raise FileError(
            f"its versions are jobs of Hydra's, which {sys.executable} lacks, the Python of the "
            "queue",
            file.line,
            f"{sys.executable} -m pip install 'mlpipeline[hydra]', or start mlpipeline in the "
            "environment of the app",
        )


class CommandModel(Model):
    """The model that a command file describes."""

    versions: Versions

    def __init__(self, file: CommandFile):
        """Raises FileError."""
        super().__init__(Versions())
        self.file = file
        # Of each version: what the file says of it, and how its parameters are written there.
        self._rows: dict[str, tuple[VersionText, dict[str, str]]] = {}
        for text in version_texts(file):
            self._add(text)
        if any(text.hydra for text, _ in self._rows.values()):
            _check_hydra(file)
        if file.chain:
            self._chain()

    @property
    def preload(self) -> list[str]:
        """Modules that its runs would have at hand."""
        return self.file.preload

    def owner(self, version: Version) -> tuple[str, str]:
        """See local_files: it is the file's, of which there is nothing more to say."""
        return "", ""

    def lines(self, version: Version) -> tuple[int, int | None]:
        """Where in the file a version's command stands, and its cwd."""
        return self.file.line, self.file.cwd_line

    def job(self, name: str, at_run: Mapping[str, str], more: Sequence[str] = ()) -> Job:
        """What it takes to start a version; ``at_run`` has what the words of AT_RUN stand for,
        ``more`` are further arguments.
        """
        text, own = self._rows[name]
        return self._job(text, lambda word: at_run[word] if word in at_run else own[word], more)

    def _job(
        self,
        text: VersionText,
        meaning: Callable[[str], str],
        more: Sequence[str] = (),
    ) -> Job:
        file = self.file
        env = {**file.env, **text.env}
        return Job(
            argv=[
                *[words.filled(each, meaning) for each in (*file.command, *text.arguments)],
                *text.overrides,
                *[words.filled(each, meaning) for each in more],
            ],
            cwd=words.filled(file.cwd, meaning),
            env={key: words.filled(value, meaning) for key, value in env.items()},
        )

    def _add(self, text: VersionText) -> None:
        name, line = text.name, text.line
        if problem := problem_with(name):
            raise FileError(problem, line)
        if name in self._rows:
            raise FileError(f"there are two versions named {name!r}", line, "rename one of them")
        given = {**self.file.standard, **text.parameters}
        for word in AT_RUN:
            if word in given:
                raise FileError(f"a parameter can't be called {word}", line, "rename it")
        own = {
            key: text.texts[key] if key in text.texts else json.dumps(plain(value))
            for key, value in given.items()
        }

        def meaning(word: str) -> str:
            if word in own:
                return own[word]
            if word in AT_RUN:
                return f"{{{word}}}"
            known = [*own, *AT_RUN]
            raise FileError(
                f"version {name!r} has no parameter {word} for {{{word}}}{nearest(word, known)}",
                line,
                f"braces are kept where they are doubled: {{{{{word}}}}}",
            )

        job = self._job(text, meaning)
        for each in (*self.file.resume, *self.file.test_arguments):
            words.filled(each, meaning)  # so that what they lack is told now
        version = Version({version_parameters.NAME: name})
        version.update({ALIASES.get(key, key): value for key, value in given.items()})
        if version.get(version_parameters.ORDER) is None:
            version[version_parameters.ORDER] = len(self._rows)
        suffix = version.get(version_parameters.MODEL_DIR_SUFFIX, True)
        version[version_parameters.MODEL_DIR_SUFFIX] = name if suffix is True else suffix or None
        version[LINE] = job.argv
        if job.cwd:
            version[FOLDER] = job.cwd
        if job.env:
            version[VARIABLES] = job.env
        if text.hydra:
            version[JOB] = text.hydra.get("config", "")
        self._rows[name] = text, own
        self.versions.versions[name] = version

    def hydra_job(self, name: str) -> dict[str, Any]:
        """What Hydra's launcher says of the version as a job of its; empty where it is none."""
        text, _ = self._rows[name]
        return text.hydra

    def own_arguments(self, name: str) -> list[str]:
        """What the version adds to the command, as it is written."""
        text, _ = self._rows[name]
        return [*text.arguments, *text.overrides]

    def _chain(self) -> None:
        """Have versions that differ only in what the chain names come one after another."""
        key, names = self.file.chain, list(self._rows)
        jobs = [_said(text) for text, _ in self._rows.values()]
        try:
            befores = sweeps.chained(jobs, names, key)
        except sweeps.NoStages as error:
            raise FileError(str(error), self.file.chain_line) from None
        for name, before in zip(names, befores, strict=True):
            if before:
                version = self.versions.versions[name]
                own = version.get(AFTER) or []
                version[AFTER] = [*([own] if isinstance(own, str) else own), *before]


def _said(text: VersionText) -> tuple[str, ...]:
    """What a version says, each as ``key=value``."""
    options = words.options(text.arguments)
    return (
        *(f"{key}={each}" for key, each in text.texts.items() if key not in STANDARD),
        *(
            value or name if value is None or not name else f"{name}={value}"
            for name, value, _ in options
        ),
        *text.overrides,
    )


def load_model(path: str, models_dir: str) -> CommandModel:
    """The model in the command file ``path``; raises FileError, and OSError."""
    with open(path, "rb") as file:
        stat = os.fstat(file.fileno())
        content = file.read()
    STAMPS[path], TEXTS[path] = (stat.st_mtime_ns, stat.st_size), content
    known, model = _kept.get(path, (None, None))
    if model and known == (content, listed.now.used):
        return model
    return CommandModel(CommandFile(content))


def keep(path: str) -> None:
    """Have the model at hand; what can't be used is left alone."""
    try:
        with open(path, "rb") as file:
            content = file.read()
        said = content, ""
        if path in _kept and _kept[path][0] == said:
            return
        model = CommandModel(CommandFile(content))
    except Exception:  # the run says why
        return
    while len(_kept) >= MOST:
        del _kept[next(iter(_kept))]
    _kept[path] = said, model


def ordered_versions(model: CommandModel) -> list[Version]:
    """The versions in the order they run; raises ModelError for one that can't run here."""
    local_files.check(model, os.getcwd())
    return script.ordered_versions(model, MANDATORY)


def signature(version: Version) -> str:
    """8 hex digits that change when the command or a parameter does.

    Of variables whose names look secret only the names count: a new token is no new experiment.
    """
    signed = {key: value for key, value in version.items() if value is not None}
    if "commit" in signed and FOLDER in signed:
        signed = _anywhere(signed, str(signed["commit"]))
    if VARIABLES in signed:
        signed[VARIABLES] = {
            key: "" if looks_secret(key, value) else value
            for key, value in signed[VARIABLES].items()
        }
    return script.digest(signed)


def _anywhere(signed: dict[str, Any], commit: str) -> dict[str, Any]:
    """What a version says, whichever worktree of its ``commit`` it is to run in."""
    import re  # few versions are of a commit

    tree = re.compile(rf"(?<=/git/)([^/]+/{re.escape(commit[:12])})-\d+(?=/|$)")

    def same(value: Any) -> Any:
        if isinstance(value, str):
            return tree.sub(r"\1", value)
        if isinstance(value, list):
            return [same(each) for each in value]
        if isinstance(value, dict):
            return {key: same(each) for key, each in value.items()}
        return value

    found: dict[str, Any] = same(signed)
    return found


def shown_parameters(version: Version, model: CommandModel) -> dict[str, Any]:
    """The parameters for people and records, those among its arguments too; no secrets."""
    import shlex

    told = {
        name: True if value is None else scalar(value)
        for name, value, _ in words.options(words.masked(model.own_arguments(version.name)))
        if name
    }
    hidden = (version_parameters.MODEL_DIR_SUFFIX, LINE, JOB)
    own = {key: value for key, value in version.items() if key not in hidden}
    return script.shown({**told, **own, LINE: shlex.join(words.masked(version[LINE]))})
