"""Compiling pipelines through the kfp SDK: the one module that imports kfp.

A child process runs it, since that import takes half a second. kfp is met by what its manual names
(``dsl.pipeline``, ``load_component_from_text``, ``Compiler``), so that it sees each step as
it stands in the component file, but with ports in its own spelling.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from mlpipeline.api import words
from mlpipeline.core.compiled import problems
from mlpipeline.errors import MlpipelineError, ModelError
from mlpipeline.sources.arguments import Argument, Source
from mlpipeline.sources.command import AT_RUN
from mlpipeline.sources.component import Component, Port
from mlpipeline.sources.pipeline_file import PipelineFile, Step
from mlpipeline.sources.placeholders import VALUE, IfPresent, Reference, Word
from mlpipeline.sources.port_types import BOOLEAN, DICT, FLOAT, INTEGER, LIST, STRING
from mlpipeline.sources.step_settings import VERTEX
from mlpipeline.sources.yaml_file import FileError

MISSING = "kfp is not installed: pip install 'mlpipeline[vertex]'"

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of kfp's own imports
        from google.protobuf import json_format
        from kfp import compiler, dsl
        from kfp.components import load_component_from_text
        from kfp.pipeline_spec import pipeline_spec_pb2
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] not in ("kfp", "google"):
        raise
    raise ModelError(MISSING) from None

_PYTHON = {STRING: str, INTEGER: int, FLOAT: float, BOOLEAN: bool, LIST: list, DICT: dict}
LARGEST = 2**53
FILLED_IN = "{{$"  # begins what Vertex AI fills in
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
# A word of the shape that Hydra's overrides have, with one placeholder for its value.
_OVERRIDE = re.compile(r"[+~]{0,2}[\w./@-]+=")


def compiled(file: PipelineFile, stem: str, out: str) -> dict[str, Any]:
    """Compile ``file`` into ``out`` (``.yaml`` or ``.json``) and return the spec that stands there.

    ``stem`` names the pipeline where the file does not. Raises ModelError: with kfp's words, or
    what the checks of ``core.compiled`` find.
    """
    name = file.name or re.sub("[^a-z0-9]+", "-", stem.lower()).strip("-")
    if not _NAME.fullmatch(name):
        raise ModelError(
            f"{name!r} can't be a pipeline's name on Vertex AI; write name: … at the top of the "
            "file, of small letters, digits and - (128 at most)"
        )
    for parameter in file.parameters.values():
        _check_size(parameter.default, f"the default of {parameter.name}", parameter.line)
    try:
        function = dsl.pipeline(
            _function(file),
            name=name,
            description=file.description or None,
            pipeline_root=file.vertex.get("pipeline_root"),
            display_name=file.vertex.get("display_name"),
        )
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # that JSON is deprecated, which Vertex AI reads as well
            compiler.Compiler().compile(function, out)
    except (MlpipelineError, OSError):
        raise
    except Exception as error:  # kfp raises many, and its words are the best there are
        raise ModelError(f"kfp refuses it: {' '.join(str(error).split())}") from None
    with open(out, encoding="utf-8") as written:  # noqa: PTH123
        spec: dict[str, Any] = next(iter(yaml.safe_load_all(written)))
    check(spec)
    return spec


def check(spec: Mapping[str, Any]) -> None:
    """Raise ModelError where ``spec`` is no PipelineSpec, or one that can't run."""
    try:
        json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    except json_format.ParseError as error:
        raise ModelError(f"that is no PipelineSpec: {error}") from None
    found = problems(spec)
    if found:
        raise ModelError("; ".join(found))


def _function(file: PipelineFile) -> Any:
    """The pipeline as the function that kfp takes, with a parameter for each of the file's."""
    given = sorted(file.parameters.values(), key=lambda each: each.has_default)
    signature = inspect.Signature(
        [
            inspect.Parameter(
                each.name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=each.default if each.has_default else inspect.Parameter.empty,
                annotation=_PYTHON[each.type],
            )
            for each in given
        ]
    )

    def pipeline(*values: Any, **named: Any) -> None:
        parameters = signature.bind(*values, **named).arguments
        tasks: dict[str, Any] = {}
        for name, step in file.steps.items():
            tasks[name] = _task(step, parameters, tasks)

    # By these kfp knows what a function takes, and in which types.
    pipeline.__signature__ = signature  # type: ignore[attr-defined]
    pipeline.__annotations__ = {each.name: _PYTHON[each.type] for each in given}
    return pipeline


def _task(step: Step, parameters: Mapping[str, Any], tasks: Mapping[str, Any]) -> Any:
    def meaning(source: Source) -> Any:
        return tasks[source.step].outputs[source.name] if source.step else parameters[source.name]

    component = load_component_from_text(component_text(step))
    arguments = {key: _given(each, meaning) for key, each in step.arguments.items()}
    try:
        task = component(**arguments)
    except Exception as error:  # kfp raises many, and its words are the best there are
        raise FileError(f"kfp refuses step {step.name}: {error}", step.line) from None
    task.set_display_name(step.name)
    read = {source.step for source in step.sources()}
    task.after(*[tasks[name] for name in step.after if name not in read])
    settings = step.settings
    cpus, memory, gpus, accelerator, retries = map(settings.there, VERTEX)
    if cpus:
        task.set_cpu_limit(_number(cpus))
    if memory:
        task.set_memory_limit(memory_text(memory))
    if accelerator:
        task.set_accelerator_type(accelerator)
        task.set_accelerator_limit(math.ceil(gpus or 1))
    elif gpus:
        raise FileError(
            f"step {step.name} asks for GPUs, and Vertex AI wants to know which",
            settings.line,
            "write accelerator: NVIDIA_TESLA_T4, or another",
        )
    if retries:
        task.set_retry(num_retries=retries)
    if not settings.cache:
        task.set_caching_options(False)
    for name, value in settings.env.items():
        task.set_env_variable(name, _variable(step, name, value))
    return task


def _variable(step: Step, name: str, value: str) -> str:
    """A variable of a step as a run here has it; raises FileError for what is known here only."""

    def meaning(word: str) -> str:
        if word in AT_RUN:
            raise FileError(
                f"env's {name} of step {step.name} is {value!r}, which is known here only",
                step.settings.line,
                "have the component take it as an input",
            )
        return f"{{{word}}}"

    text = words.filled(value, meaning)
    if FILLED_IN in text:
        raise FileError(
            f"env's {name} of step {step.name} has {{{{$, which Vertex AI would fill in",
            step.settings.line,
        )
    return text


def _check_size(value: Any, what: str, line: int) -> None:
    """Raise FileError for a number that the compiled file, which has JSON's, does not hold."""
    if isinstance(value, int) and abs(value) > LARGEST:
        raise FileError(
            f"{what} is {value}, and numbers on Vertex AI are exact up to {LARGEST} only",
            line,
            "give it as a String",
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise FileError(f"{what} is {value}, which no compiled file can hold", line)


def _given(argument: Argument, meaning: Any) -> Any:
    literal = [part for part in argument.parts if isinstance(part, str)] or argument.value
    if FILLED_IN in json.dumps(literal):
        raise FileError("a value has {{$, which Vertex AI would fill in", argument.line)
    if argument.parts and argument.whole is None:  # kfp finds its channels within a text
        return "".join(
            part if isinstance(part, str) else str(meaning(part)) for part in argument.parts
        )
    value = argument.filled(meaning)
    if not argument.parts:
        _check_size(value, "a value", argument.line)
    return value


def looks_like_hydras(step: Step) -> bool:
    """Whether texts of the step would be quoted, if it said that its program is a Hydra app."""
    component = step.component
    return any(
        _plain(each, component, True) != _plain(each, component, False) for each in component.args
    )


def component_text(step: Step) -> str:
    """The component of a step as a file of kfp's: named by the step, its ports in kfp's spelling.

    JSON, which is YAML. The values of texts are quoted for Hydra's grammar where ``hydra: true``.
    """
    component = step.component
    is_hydras = step.settings.hydra is True
    container = {
        "image": component.image,
        "command": [_plain(each, component, False) for each in component.command],
        "args": [_plain(each, component, is_hydras) for each in component.args],
        "env": {name: _plain(word, component, False) for name, word in component.env.items()},
    }
    return json.dumps(
        {
            "name": step.name,
            **({"description": component.description} if component.description else {}),
            "inputs": [_port(each) for each in component.inputs.values()],
            "outputs": [_port(each) for each in component.outputs.values()],
            "implementation": {"container": container},
        }
    )


def _port(port: Port) -> dict[str, Any]:
    said: dict[str, Any] = {"name": port.key, "type": port.type}
    if port.default is not None:
        said["default"] = port.default
    elif port.is_optional:
        said["optional"] = True
    return said


def _plain(element: Word | IfPresent, component: Component, is_hydras: bool) -> Any:
    """A word as the file has it: a text, or a mapping where it depends on what is given."""
    if isinstance(element, IfPresent):
        then = [_plain(each, component, is_hydras) for each in element.then]
        otherwise = [_plain(each, component, is_hydras) for each in element.otherwise]
        return _if(element, then, otherwise)
    parts = _quoted(element.parts, component) if is_hydras else element.parts
    plain = [
        part if isinstance(part, str) else repr(part) if isinstance(part, Reference)
        else _if(part, *(
            _plain(each[0], component, False) if each else ""
            for each in (part.then, part.otherwise)
        ))
        for part in parts
    ]  # fmt: skip
    texts = [each for each in plain if isinstance(each, str)]
    return "".join(texts) if len(texts) == len(plain) else {"concat": plain}


def _if(element: IfPresent, then: Any, otherwise: Any) -> dict[str, Any]:
    said = {"cond": {"isPresent": element.key}, "then": then}
    return {"if": {**said, "else": otherwise} if otherwise else said}


def _quoted(parts: Sequence[Any], component: Component) -> Sequence[Any]:
    """``key={{a text}}`` with quotes around the value, so that it reaches Hydra as it is."""
    if len(parts) == 2 and isinstance(parts[0], str) and _OVERRIDE.fullmatch(parts[0]):
        value = parts[1]
        if (
            isinstance(value, Reference)
            and value.kind == VALUE
            and component.inputs[value.key].type == STRING
        ):
            return (f"{parts[0]}'", value, "'")
    return parts


def memory_text(gigabytes: float) -> str:
    """GB as kfp takes them: ``16G``, ``1500M``."""
    if gigabytes == int(gigabytes):
        return f"{int(gigabytes)}G"
    return f"{math.ceil(gigabytes * 1000)}M"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.3f}".rstrip("0")


def stem_of(path: str) -> str:
    """The name of a file without its folder and suffix."""
    return os.path.splitext(os.path.basename(path))[0]  # noqa: PTH119, PTH122
