"""The child processes that read pipelines and components, compile them, and send them.

Each is asked one thing, by a line of JSON on stdin, and answers with lines of JSON on stdout; the
last one has ``problem`` where it can't be done.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator, Mapping
from itertools import islice, product
from math import prod
from typing import Any

from mlpipeline.errors import MlpipelineError, ModelError, short

_answers = sys.stdout


def main() -> None:
    """Convert or compile: the request's ``do`` says which."""
    _serve(lambda request: {"convert": _convert, "compile": _compile}[request["do"]](request))


def jobs() -> None:
    """Check a compiled pipeline as a job, or send it; ready when it is asked, after the imports."""
    gc.disable()  # of the 100,000s of objects that are imported all stay; it takes as long again
    sys.stdout = sys.stderr  # the SDK's log is no answer
    try:
        from mlpipeline.execution import vertex_jobs
    except ModelError as error:
        sys.stdin.readline()
        _answer({"missing": str(error)})
        return

    def done(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        if request["do"] == "check":
            with open(request["path"], encoding="utf-8") as file:  # noqa: PTH123
                spec = json.load(file)
            yield {
                "notes": vertex_jobs.check(
                    spec, request["path"], request["vertex"], request["values"]
                )
            }
            return
        yield from vertex_jobs.submit(
            request["path"],
            request["vertex"],
            request["jobs"],
            request["timeout"],
            again=request["again"],
        )

    _serve(done)


def _serve(done: Any) -> None:
    request = json.loads(sys.stdin.readline() or "null")
    if request is None:  # who asked has changed their mind
        return
    try:
        for each in done(request):
            _answer(each)
    except MlpipelineError as error:
        _answer({"problem": str(error)})
    except OSError as error:
        _answer({"problem": f"{short(error.filename or request['path'])}: {error.strerror}"})


def _answer(said: Mapping[str, Any]) -> None:
    _answers.write(json.dumps(said) + "\n")
    _answers.flush()


def _convert(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    from mlpipeline.sources.conversion import convert

    with open(request["path"], "rb") as file:  # noqa: PTH123
        content = file.read()
    try:
        made = convert(content)
    except MlpipelineError as error:
        raise ModelError(f"{short(request['path'])}: {error}") from None
    yield {"text": made.text, "count": made.count, "notes": made.notes}


def _compile(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    from mlpipeline.sources.pipeline_file import load_pipeline_file

    gc.disable()
    sys.stdout = sys.stderr  # kfp prints about types
    path = request["path"]
    try:
        file = load_pipeline_file(path)
        values = _values(file, request["values"])
        if request["most"] is not None:
            _check_count(file, values, request["most"])
        from mlpipeline.execution import kfp_adapter  # takes half a second

        spec = kfp_adapter.compiled(file, kfp_adapter.stem_of(path), request["out"])
    except MlpipelineError as error:
        if str(error).startswith(("kfp is not", "google-cloud")):
            raise
        raise ModelError(f"{short(path)}: {error}") from None
    yield {
        "name": spec["pipelineInfo"]["name"],
        "spec": spec,
        "vertex": file.vertex,
        "parameters": {
            each.name: each.default if each.has_default else None
            for each in file.parameters.values()
        },
        "jobs": list(islice(_jobs(file, values), request["jobs"])),
        "lacking": [
            each.name
            for each in file.parameters.values()
            if not each.has_default and each.name not in values and each.name not in file.grid
        ],
        "steps": [_told(step) for step in file.steps.values()],
        "notes": list(_notes(file)),
    }


def _values(file: Any, given: Mapping[str, str]) -> dict[str, Any]:
    """The values of parameters that a command line has, typed."""
    from mlpipeline.core.spelling import nearest
    from mlpipeline.sources.port_types import fitting

    values = {}
    for name, text in given.items():
        parameter = file.parameters.get(name)
        if parameter is None:
            raise ModelError(
                f"it has no parameter {name}{nearest(name, file.parameters)}; "
                f"its parameters are {', '.join(file.parameters) or 'none'}"
            )
        try:
            values[name] = fitting(text, parameter.type, from_text=True)
        except ValueError as error:
            raise ModelError(f"-P {name} {error}") from None
    return values


def _check_count(file: Any, values: Mapping[str, Any], most: int) -> None:
    """Raise ModelError for more jobs than ``most``, or than the file says (0: any number)."""
    count = prod(map(len, _axes(file, values).values()))
    where = "mlp.config" if file.max_versions is None else "the file"
    most = most if file.max_versions is None else file.max_versions
    if most and count > most:
        raise ModelError(
            f"it would be {count:,} jobs, and max_versions is {most:,}: if that is meant, "
            f"raise max_versions in {where}, or say --yes for this once; nothing was sent"
        )


def _axes(file: Any, values: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {key: [values[key]] if key in values else each for key, each in file.grid.items()}


def _jobs(file: Any, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The values for each combination of the grid, in its order."""
    axes = _axes(file, values)
    for choice in product(*axes.values()):
        yield {**values, **dict(zip(axes, choice, strict=True))}


def _told(step: Any) -> dict[str, Any]:
    settings = step.settings
    return {
        "name": step.name,
        "image": step.component.image,
        "after": list(step.after),
        "cpus": settings.there("cpus"),
        "memory": settings.there("memory"),
        "accelerator": settings.there("accelerator"),
        "gpus": settings.there("gpus"),
    }


def _notes(file: Any) -> Iterator[str]:
    """What a person should know before this goes to a cloud."""
    from mlpipeline.api.keys import looks_secret
    from mlpipeline.execution import kfp_adapter

    for step in file.steps.values():
        for name, value in step.settings.env.items():
            if looks_secret(name, value):
                yield f"env's {name} of step {step.name} will be read in the compiled file"
        if step.settings.hydra is None and kfp_adapter.looks_like_hydras(step):
            yield (
                f"step {step.name} has arguments as a Hydra app takes them: hydra: true in it "
                "has texts quoted, so that commas and blanks reach it, hydra: false has it left so"
            )
        if step.settings.timeout:
            yield f"step {step.name} has a timeout, which Vertex AI has no place for"
    if "pipeline_root" not in file.vertex:
        yield "vertex has no pipeline_root: where artifacts go must be said when it is sent"
