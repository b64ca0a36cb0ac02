"""Pipeline files: steps of components as a model, like a script's global MODEL.

A version is a step for one combination of the swept values that it depends on, itself or by what it
reads. Nothing of a step runs here: see execution/step_run.py.
"""

from __future__ import annotations

import os
from itertools import product
from math import prod

from mlpipeline.api import listed, words
from mlpipeline.api.keys import (
    AFTER,
    CONSOLE_LIMIT,
    CPUS,
    GPUS,
    MEMORY,
    TIMEOUT,
    version_parameters,
)
from mlpipeline.api.model import Model
from mlpipeline.api.sweeps import TooManyJobs
from mlpipeline.api.versions import Version, Versions
from mlpipeline.sources import local_files, script
from mlpipeline.sources.command import AT_RUN, FOLDER, LINE, MANDATORY, VARIABLES
from mlpipeline.sources.imports import STAMPS, TEXTS
from mlpipeline.sources.pipeline_file import PipelineFile, load_pipeline_file
from mlpipeline.sources.placeholders import (
    INPUT_PATH,
    INPUT_URI,
    OUTPUT_FILE,
    OUTPUT_PATH,
    OUTPUT_URI,
)
from mlpipeline.sources.port_types import as_text
from mlpipeline.sources.step_command import Given, job_of
from mlpipeline.sources.step_version import StepVersion
from mlpipeline.sources.yaml_file import FileError

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mlpipeline.sources.command import Job
    from mlpipeline.sources.pipeline_file import Step

ARGUMENTS, STEP, PIPELINE = "arguments", "step", "pipeline"  # what a version has of its step
STANDARD = (TIMEOUT, CPUS, MEMORY, GPUS, CONSOLE_LIMIT)
MOST = 8  # files that are kept

# By path: what was read, the component files too, and what it became.
_kept: dict[str, tuple[dict[str, bytes], PipelineModel]] = {}


class PipelineModel(Model):
    """The model that a pipeline file describes."""

    versions: Versions

    def __init__(self, file: PipelineFile):
        """Raises FileError, and TooManyJobs."""
        super().__init__(Versions())
        self.file = file
        self.rows: dict[str, StepVersion] = {}  # by name, each behind those that it comes after
        self.of_steps: dict[str, set[str]] = {}  # files, once they were looked at
        self._swept = file.swept()
        self._check_count()
        self._meets: dict[str, bool] = {}  # see step_command.job_of
        # Of a step, the rows by the places of those parameters that another step has as well.
        self._groups: dict[tuple[str, tuple[str, ...]], dict[tuple[int, ...], list[StepVersion]]]
        self._groups = {}
        for step in file.steps.values():
            for places in product(*(range(len(file.grid[key])) for key in self._swept[step.name])):
                self._add(step, dict(zip(self._swept[step.name], places, strict=True)))
        signed = {name: row.signature for name, row in self.rows.items()}
        self.digest = script.digest({"steps": signed})  # of the pipeline's definition, 8 hex digits

    @property
    def preload(self) -> list[str]:
        """Modules that its runs would have at hand."""
        steps = self.file.steps.values()
        return list(dict.fromkeys(name for step in steps for name in step.settings.preload))

    def lines(self, version: Version) -> tuple[int, int]:
        """Where in the file a version's command stands, and its cwd."""
        step = self.rows[version.name].step
        return step.command_line, step.settings.cwd_line

    def owner(self, version: Version) -> tuple[str, str]:
        """Whose command it is, and what may be done where its program is not there: an image has
        another one, or has it elsewhere.
        """
        hint = "say where its program lies on this machine: cwd: FOLDER, or command: [python, …]"
        return f"step {self.rows[version.name].step.name}", hint

    def _check_count(self) -> None:
        counts = (prod(len(self.file.grid[key]) for key in keys) for keys in self._swept.values())
        count, most = sum(counts), listed.now.most
        if most is not None and self.file.max_versions is not None:
            most = self.file.max_versions
        if most is not None and count > most:
            raise TooManyJobs(count, most)
        if self.file.max_versions is None:
            listed.now.largest = max(listed.now.largest, count)

    def _add(self, step: Step, places: dict[str, int]) -> None:
        """The version of ``step`` with these values, by their places in the grid."""
        file = self.file
        choice = {key: file.grid[key][place] for key, place in places.items()}
        said = words.version_name([f"{key}={as_text(value)}" for key, value in choice.items()])
        name = f"{step.name},{said}" if choice else step.name
        if name in self.rows:
            raise FileError(
                f"two values of the grid would both make the version {name!r}",
                file.grid_line,
                "write them so that they differ",
            )
        before = {each: self._fitting(each, places) for each in step.after}
        read = {source.step: before[source.step][0] for source in step.sources() if source.step}
        values = {key: each.default for key, each in file.parameters.items() if each.has_default}
        for source in step.sources():
            if not source.step and source.name not in {*values, *choice}:
                raise FileError(
                    f"step {step.name} reads {source}, a parameter that has no value",
                    file.parameters[source.name].line,
                    f"give it one: {source.name}: {{type: …, default: …}}, or several under grid",
                )
        row = self.rows[name] = StepVersion(step, name, {**values, **choice}, places, read)
        after = [each.name for rows in before.values() for each in rows]
        self.versions.versions[name] = self._version(row, after, len(self.rows) - 1)

    def _fitting(self, step: str, places: Mapping[str, int]) -> list[StepVersion]:
        """The versions of a step that have no other values than these; of what is read, one."""
        common = tuple(key for key in self._swept[step] if key in places)
        if (step, common) not in self._groups:
            groups = self._groups[step, common] = {}
            for row in self.rows.values():
                if row.step.name == step:
                    group = tuple(row.places[key] for key in common)
                    groups.setdefault(group, []).append(row)
        return self._groups[step, common][tuple(places[key] for key in common)]

    def _version(self, row: StepVersion, after: list[str], order: int) -> Version:
        step, given = row.step, row.arguments(repr)
        read = {key for key, each in step.arguments.items() if any(s.step for s in each.sources())}
        version = Version(
            {
                version_parameters.NAME: row.name,
                version_parameters.ORDER: order,
                version_parameters.MODEL_DIR_SUFFIX: row.name,
                STEP: step.name,
                PIPELINE: self,
                ARGUMENTS: {key: each for key, each in given.items() if key not in read},
            }
        )
        said = {key: getattr(step.settings, key) for key in STANDARD}
        version.update({key: value for key, value in said.items() if value is not None})
        if after:
            version[AFTER] = after
        return version

    def described(self, row: StepVersion, project: str) -> Job:
        """What starts a version, with words in braces for what is known when it runs."""
        ports = row.step.component
        paths = {
            (kind, key): f"{{{key}}}"
            for kinds, keys in (
                ((INPUT_PATH, INPUT_URI), ports.inputs),
                ((OUTPUT_PATH, OUTPUT_URI, OUTPUT_FILE), ports.outputs),
            )
            for kind in kinds
            for key in keys
        }
        given = row.arguments(lambda source: f"{{{source.step}.{source.name}}}")
        at_run = {**{word: f"{{{word}}}" for word in AT_RUN}, "project": project}
        return job_of(row.step, Given(given, paths), at_run, meets=self._meets)


def load_model(path: str, models_dir: str) -> PipelineModel:
    """The model in the pipeline file ``path``; raises FileError, and OSError."""
    known, model = _kept.get(path, ({}, None))
    if model and all(_content(each) == content for each, content in known.items()):
        return model
    return PipelineModel(load_pipeline_file(path))


def keep(path: str) -> None:
    """Have the model at hand; what can't be used is left alone."""
    try:
        if path in _kept and all(_content(each) == text for each, text in _kept[path][0].items()):
            return
        file = load_pipeline_file(path)
        model = PipelineModel(file)
        known = {each: TEXTS[each] for each in (path, *file.paths())}
    except Exception:  # the run says why
        return
    while len(_kept) >= MOST:
        del _kept[next(iter(_kept))]
    _kept[path] = known, model


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            stat = os.fstat(file.fileno())
            content = file.read()
    except OSError:
        return None
    STAMPS[path], TEXTS[path] = (stat.st_mtime_ns, stat.st_size), content
    return content


def ordered_versions(model: PipelineModel) -> list[Version]:
    """The versions in the order they run; raises ModelError for one that can't run here."""
    project = os.getcwd()
    for version in model.versions:
        job = model.described(model.rows[version.name], project)
        version[LINE] = job.argv
        if job.cwd:
            version[FOLDER] = job.cwd
        if job.env:
            version[VARIABLES] = job.env
    local_files.check(model, project, model.of_steps)
    return script.ordered_versions(model, MANDATORY)


def others(model: PipelineModel) -> dict[str, list[str]]:
    """Of the files that steps are made of, by the step: those that only other ones are, if any."""
    every = set().union(*model.of_steps.values())
    left = {step: sorted(every - model.of_steps.get(step, set())) for step in model.file.steps}
    return {step: paths for step, paths in left.items() if paths}


def signature(version: Version) -> str:
    """8 hex digits that change when the step's component or an argument does, or those of what it
    reads.
    """
    row: StepVersion = version[PIPELINE].rows[version.name]
    return row.signature


def shown_parameters(version: Version, model: PipelineModel) -> dict[str, Any]:
    """The arguments that are values and the settings, for people and records; no secrets.

    What it reads of other steps is told when it has run, and so is its command.
    """
    hidden = (version_parameters.MODEL_DIR_SUFFIX, STEP, PIPELINE, ARGUMENTS, LINE)
    own = {key: value for key, value in version.items() if key not in hidden}
    return script.shown(
        {(f"{ARGUMENTS}.{key}" if key in version else key): value
         for key, value in version[ARGUMENTS].items()} | own
    )  # fmt: skip


def step_of(version: Version) -> dict[str, str]:
    """Which step of which pipeline a version is: its name, and 8 hex digits of the definition."""
    return {"step": version[STEP], "pipeline": version[PIPELINE].digest}
