"""Where the steps of listed pipelines stand: what each has read, from which run, and made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from mlpipeline.api.keys import SECRET, looks_secret
from mlpipeline.core.model_files import is_command_file
from mlpipeline.core.spelling import nearest
from mlpipeline.core.standings import Standing, State
from mlpipeline.errors import MlpipelineError
from mlpipeline.service.project import Project
from mlpipeline.service.queue import Queue
from mlpipeline.state.files import read_record


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a step has read of another one; an input that is a text may have several."""

    input: str
    output: str  # of the step that made it
    run: str  # MODEL/VERSION#ATTEMPT that made it
    sha256: str | None = None  # of an artifact
    value: Any = None  # of a parameter


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder that a step has made."""

    name: str
    type: str  # Dataset, Model, Metrics …
    path: str  # absolute
    sha256: str  # of names and content
    size: int  # bytes
    files: int


class StepState(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a step: where it stands, and what its run read and made."""

    step: str
    version: str
    run: str  # its success, or its newest attempt; without # where there is none
    state: str  # as in status
    reason: str = ""
    cached: str | None = None  # the run that made what this one only found
    after: tuple[str, ...] = ()  # versions
    reads: tuple[Reading, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    outputs: dict[str, Any] = {}  # that are values


class PipelineState(msgspec.Struct, frozen=True, kw_only=True):
    """A listed pipeline and its steps, in their order."""

    model: str
    pipeline: str  # 8 hex digits of its definition
    steps: tuple[StepState, ...]


class Pipelines(msgspec.Struct, frozen=True, kw_only=True):
    """What `mlpipeline pipeline show --json` prints."""

    pipelines: tuple[PipelineState, ...]
    problems: tuple[str, ...] = ()  # of listed pipelines that can't be used: file, line, remedy


class _Record(msgspec.Struct):
    """As much of artifacts.json as is shown."""

    run: str
    made_by: str
    # By the input; a list, but in records of before that was one.
    inputs: dict[str, list[dict[str, Any]] | dict[str, Any]] = {}
    artifacts: dict[str, dict[str, Any]] = {}
    parameters: dict[str, Any] = {}


def pipelines(project: Project, queue: Queue, model: str = "") -> Pipelines:
    """The listed pipelines, or the one that ``model`` names; raises MlpipelineError."""
    found: dict[str, list[Standing]] = {}
    for standing in queue.standings:
        if standing.version and standing.version.step:
            found.setdefault(standing.model.name, []).append(standing)
    if model:
        _check(queue, model, found)
        found = {name: each for name, each in found.items() if _is_called(each[0], model)}
    return Pipelines(
        pipelines=tuple(
            PipelineState(
                model=name,
                pipeline=standings[0].version.pipeline if standings[0].version else "",
                steps=tuple(_steps(project, queue, standings)),
            )
            for name, standings in found.items()
        ),
        problems=() if model else tuple(_problems(project, queue)),
    )


def _problems(project: Project, queue: Queue) -> Iterator[str]:
    for standing in queue.standings:
        path = standing.model.path
        is_broken = standing.state is State.BROKEN and is_command_file(path)
        if is_broken and _has_steps(project.layout.models_dir / path):
            yield standing.reason


def _has_steps(path: Path) -> bool:
    """Whether a file that can't be used would be a pipeline; also where nobody can tell."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return True
    return any(line.startswith((b"steps", b'"steps"', b"'steps'")) for line in lines)


def _check(queue: Queue, model: str, found: Mapping[str, list[Standing]]) -> None:
    if any(_is_called(each[0], model) for each in found.values()):
        return
    for standing in queue.standings:
        if _is_called(standing, model):
            raise MlpipelineError(
                standing.reason or f"{standing.model.path} is no pipeline of steps"
            )
    raise MlpipelineError(
        f"no pipeline {model} is listed{nearest(model, found)}; "
        + (f"these are: {', '.join(found)}" if found else "`mlpipeline add` lists one")
    )


def _is_called(standing: Standing, model: str) -> bool:
    return model in (standing.model.name, standing.model.path)


def _steps(project: Project, queue: Queue, standings: list[Standing]) -> Iterator[StepState]:
    ordered = {each.version.name: each for each in standings if each.version}
    for version in standings[0].model.versions:  # the order of the file
        standing = ordered[version.name]
        run = standing.success or standing.last
        record = None
        if run is not None and run.signature == version.signature:
            record = read_record(project.layout.run_folder(run.id).step_record, _Record)
        yield StepState(
            step=version.step,
            version=version.name,
            run=str(run.id) if run else f"{standing.model.name}/{version.name}",
            state=queue.state_of(standing).value,
            reason=queue.reason_of(standing),
            cached=record.made_by if record and record.made_by != record.run else None,
            after=version.after,
            **(_made(project, record) if record else {}),
        )


def _made(project: Project, record: _Record) -> dict[str, Any]:
    outputs = project.layout.outputs
    return {
        "reads": tuple(
            Reading(
                input=name,
                output=str(each.get("output")),
                run=str(each.get("from")),
                sha256=each.get("sha256"),
                value=_shown(name, each.get("value")),
            )
            for name, read in record.inputs.items()
            for each in (read if isinstance(read, list) else [read])
        ),
        "artifacts": tuple(
            Artifact(
                name=name,
                type=str(each.get("type")),
                path=str(outputs / str(each.get("path"))),
                sha256=str(each.get("sha256")),
                size=int(each.get("size", 0)),
                files=int(each.get("files", 0)),
            )
            for name, each in record.artifacts.items()
        ),
        "outputs": {name: _shown(name, each) for name, each in record.parameters.items()},
    }


def _shown(name: str, value: Any) -> Any:
    return SECRET if looks_secret(name, value) else value
