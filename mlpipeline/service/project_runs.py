"""``mlpipeline run``: an entry point of an MLproject becomes versions of a model, which the queue
runs.

The one door for whoever wants that: what is asked for, where the project is, what it becomes in
the models' folder, and what of it is to run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from mlpipeline.api import sweeps as axes
from mlpipeline.api import words
from mlpipeline.core.git_addresses import Address, masked
from mlpipeline.core.wording import enumeration
from mlpipeline.errors import ConfigError, MlpipelineError
from mlpipeline.service import sweeps
from mlpipeline.service.adding import folder_text
from mlpipeline.service.entry_lines import TAKEN, Line, extra_words, line_of
from mlpipeline.service.entry_values import Values, values_of
from mlpipeline.service.fan_out import HYDRA_OPTIONS, Wanted, wanted
from mlpipeline.service.lists import Desk
from mlpipeline.service.project import Project, set_umask
from mlpipeline.service.queue import Onlooker
from mlpipeline.service.run_listing import ended, list_versions
from mlpipeline.service.run_models import RunModel
from mlpipeline.service.run_sources import (
    Say,
    Source,
    home_of,
    local_folder,
    made,
    source_of,
)
from mlpipeline.state.lock import list_lock, run_lock
from mlpipeline.state.mlproject import MAIN, MLproject, read_mlproject
from mlpipeline.state.run_model_files import Row, Shared

DIGITS = 8  # hex digits that tell sweeps of one project apart
LOCAL = "local"  # the environment that runs have: that of mlpipeline
SHOWN = 3


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for."""

    uri: str
    entry: str = MAIN
    parameters: Mapping[str, str] = {}
    version: str | None = None  # a tag, branch or commit
    multirun: bool = False
    environment: str | None = None  # "local": whatever MLproject says of it
    any_number: bool = False  # of runs, whatever max_versions says
    rerun: str | None = None  # one of sweeps.RERUNS; None: all of one, what is missing of several


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What it has become: versions of a model in a project's queue."""

    project: Project
    model: str
    names: tuple[str, ...]  # of all versions that are wanted
    left: Mapping[str, str]  # those that are to run, with their signatures
    commit: str = ""  # of the git repository, where it comes from one


def prepare(asked: Asked, named: Path | None, say: Say) -> Prepared:
    """Put what is asked for into the queue of the project ``named``, or the nearest one.

    ``say`` is told what a person should know. Raises MlpipelineError; nothing is listed then.
    """
    try:
        address = Address.of(asked.uri)
    except ValueError as error:
        raise MlpipelineError(f"{masked(asked.uri)}: {error}") from None
    folder = None if address.is_git else local_folder(address)
    with home_of(named, folder, say) as home:
        settings = home.project.settings
        set_umask(settings.shared)
        source = source_of(home.project, address, folder, asked.version, say)
        most = None if asked.any_number else settings.max_versions or None
        read = _runs(asked, source.folder, most=most)
        unset = _unset_environment(read.mlproject, asked.environment)
        rows = [_row(read.line, each, values, source) for each, values in read.runs]
        project = made(home, say)  # what can't be run makes no folder a project
    for note in read.mlproject.notes:
        say(note)
    model = _model_name(read.mlproject, source, asked, is_sweep=len(rows) > 1)
    shared = Shared(
        said=f"{source.said} -e {asked.entry}",
        command=read.line.command,
        cwd=words.escaped(folder_text(source.folder, project)),
        env=read.line.env,
    )
    whole_names = {run.name: run.whole_name for run, _ in read.runs}
    return _queued(project, model, shared, rows, whole_names, asked, source, say, unset)


class _Runs(msgspec.Struct, frozen=True, kw_only=True):
    """What an MLproject makes of what is asked for."""

    mlproject: MLproject
    line: Line
    runs: tuple[tuple[Wanted, Values], ...]


def _runs(asked: Asked, folder: Path, *, most: int | None) -> _Runs:
    mlproject = read_mlproject(folder)
    entry = mlproject.entry(asked.entry)
    runs = wanted(asked.parameters, multirun=asked.multirun, most=most)
    has_more = any(name not in entry.parameters for each in runs for name in each.parameters)
    return _Runs(
        mlproject=mlproject,
        line=line_of(mlproject, entry, has_more=has_more),
        runs=tuple((each, values_of(entry, each.parameters, folder)) for each in runs),
    )


def _unset_environment(mlproject: MLproject, environment: str | None) -> str:
    """What is not done about the environment that MLproject asks for; raises ConfigError."""
    asked = mlproject.environment
    if not asked or environment == LOCAL:
        return ""
    if asked == "docker_env":
        assert mlproject.path is not None
        raise ConfigError(
            mlproject.path,
            "it asks for docker_env, and mlpipeline starts no containers",
            remedy="--env-manager local runs it with the Python and the packages that are here",
        )
    return (
        f"{asked}: {mlproject.environment_file} is not set up: it runs with the Python and the "
        "packages that are here, as with mlflow run --env-manager=local"
    )


def _row(line: Line, run: Wanted, values: Values, source: Source) -> Row:
    """One version."""
    for override in run.overrides:
        if axes.is_secret(override):
            key = axes.key_of(override)
            raise MlpipelineError(
                f"{HYDRA_OPTIONS} has the value of {key}, which would be in all records: "
                f"write {key}='${{oc.env:NAME}}', and set the variable NAME"
            )
    parameters = {line.keys[name]: value for name, value in values.own.items()}
    if source.commit:
        parameters |= {"source": source.said, "commit": source.commit}
    pairs = (each.lstrip(axes.SIGNS).partition("=") for each in run.overrides)
    overrides = {
        key: value for key, _, value in pairs if key not in TAKEN and key not in parameters
    }
    return Row(
        name=run.name,
        parameters=parameters,
        overrides=overrides,
        arguments=tuple(extra_words(values.extra)),
    )


def _model_name(mlproject: MLproject, source: Source, asked: Asked, *, is_sweep: bool) -> str:
    """A name for the model: of the project, its entry point, its version; of a sweep, a digest."""
    parts = [mlproject.name or source.name]
    if asked.entry != MAIN:
        parts.append(Path(asked.entry).stem)
    if is_sweep:
        said = [source.said, asked.entry, asked.multirun, sorted(asked.parameters.items())]
        parts.append(sha256(json.dumps(said).encode()).hexdigest()[:DIGITS])
    clean = (re.sub(r"[^\w.+-]+", "-", part).strip("-_.") for part in parts)
    name = "-".join(filter(None, clean)) or "project"
    label = re.sub(r"[^\w.+-]+", "-", source.label)
    return f"{name}@{label}" if label else name


def _queued(
    project: Project,
    model: str,
    shared: Shared,
    rows: Sequence[Row],
    whole_names: Mapping[str, str],
    asked: Asked,
    source: Source,
    say: Say,
    unset: str,
) -> Prepared:
    onlooker = Onlooker(project)
    # What is listed here, and ordered to run again, nobody else may take for done meanwhile.
    with run_lock(project.layout.run_lock, lambda: say("waiting for another mlpipeline run …")):
        with list_lock(project.layout.list_lock):
            file = RunModel(project, model, shared)
        model, path = file.name, file.path
        if unset and file.is_new:  # it would be the same each time
            say(unset)
        rows = _as_called(rows, whole_names, file.there())
        names = [row.name for row in rows]
        over = set() if file.is_new else ended(path.name, onlooker)
        with list_lock(project.layout.list_lock):
            there = file.write(rows)
        try:
            problem = Desk(project).problem(path.name)
            if problem:
                raise MlpipelineError(f"{shared.said}: {file.in_its_words(problem)}")
            list_versions(project, path.name, names, there, over)
        except MlpipelineError as error:  # what can't run here is not added
            raise MlpipelineError(f"{error}; {file.undo()}") from None
        sight = sweeps.look(project, model, onlooker)
        rerun = asked.rerun or ("all" if len(names) == 1 else "missing")
        again = {"all": sight.done, "changed": sight.outdated}.get(rerun, lambda _: [])(names)
        sweeps.run_again(project, model, [*again, *sight.failed(names)])
    done = [name for name in sight.done(names) if name not in again]
    if done:
        say(
            f"{enumeration(done, SHOWN)} of {model} {'has' if len(done) == 1 else 'have'} run "
            "already: --rerun all runs again"
        )
    left = {}
    for name in names:
        standing = sight.standings.get(name)
        if name not in done:
            if standing is None or standing.version is None:
                raise MlpipelineError(f"{path.name} has no version {name}: has it been edited?")
            left[name] = standing.version.signature
    return Prepared(
        project=project, model=model, names=tuple(names), left=left, commit=source.commit
    )


def _as_called(rows: Sequence[Row], whole_names: Mapping[str, str], there: list[str]) -> list[Row]:
    """``rows``, those by their whole names that have these in the file: what has run stays done."""
    return [
        msgspec.structs.replace(row, name=whole_names[row.name])
        if whole_names[row.name] in there
        else row
        for row in rows
    ]
