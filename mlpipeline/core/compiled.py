"""What can be wrong with a compiled pipeline (a PipelineSpec, as its file has it), found offline.

Format: https://github.com/kubeflow/pipelines/blob/master/api/v2alpha1/pipeline_spec.proto.
A service says the same only when the pipeline is sent, or when the step is to run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mlpipeline.core.circles import circle
from mlpipeline.core.spelling import nearest

SCHEMA = "2.1.0"
_PLACEHOLDER = re.compile(
    r"\{\{\$\.(?P<side>inputs|outputs)\.(?P<kind>parameters|artifacts)\[(?P<q>['\"])(?P<name>.*?)(?P=q)\]"
)
# What kfp calls an input that is there for the texts of others alone.
_WITHIN = "pipelinechannel--"

Spec = Mapping[str, Any]


def problems(spec: Spec) -> list[str]:
    """What is wrong with ``spec``, each a line for people; empty where nothing is."""
    said = []
    if spec.get("schemaVersion") != SCHEMA:
        said.append(f"its schema is {spec.get('schemaVersion')}, and {SCHEMA} is wanted")
    if not spec.get("pipelineInfo", {}).get("name"):
        said.append("the pipeline has no name")
    components = spec.get("components", {})
    executors = spec.get("deploymentSpec", {}).get("executors", {})
    root = spec.get("root", {})
    if not root.get("dag", {}).get("tasks"):
        said.append("it has no steps")
    said += _of_dag("the pipeline", root, components)
    for name, component in components.items():
        if "dag" in component:
            said += _of_dag(name, component, components)
        elif component.get("executorLabel") not in executors:
            said.append(f"{name} is run by {component.get('executorLabel')}, which is not there")
        else:
            said += _of_executor(name, component, executors[component["executorLabel"]])
    return said


def _of_dag(where: str, component: Spec, components: Mapping[str, Spec]) -> Iterator[str]:
    """What is wrong with the steps of a component that is a graph."""
    tasks = component.get("dag", {}).get("tasks", {})
    for name, task in tasks.items():
        reference = task.get("componentRef", {}).get("name")
        if reference not in components:
            yield f"step {name} of {where} runs {reference}, which is not there"
            continue
        wanted = components[reference].get("inputDefinitions", {})
        for kind in ("parameters", "artifacts"):
            inputs = task.get("inputs", {}).get(kind, {})
            for key, value in inputs.items():
                known = wanted.get(kind, {})
                if key not in known and not key.startswith(_WITHIN):
                    yield f"step {name} is given {key}, which it has no input for" + (
                        nearest(key, known)
                    )
                yield from _of_value(name, key, value, kind, component, components)
            for key, definition in wanted.get(kind, {}).items():
                if key not in inputs and not definition.get("isOptional"):
                    yield f"step {name} is given nothing for its input {key}"
        for other in task.get("dependentTasks", ()):
            if other not in tasks:
                yield f"step {name} comes after {other}, which is not there{nearest(other, tasks)}"
    round_ = circle({name: task.get("dependentTasks", ()) for name, task in tasks.items()})
    if round_:
        yield f"step {round_[0]} comes after itself: {' after '.join([*round_, round_[0]])}"


def _of_value(
    step: str, key: str, value: Spec, kind: str, graph: Spec, components: Mapping[str, Spec]
) -> Iterator[str]:
    """What is wrong with what an input is given."""
    tasks = graph["dag"]["tasks"]
    if "componentInputParameter" in value or "componentInputArtifact" in value:
        name = value.get("componentInputParameter") or value.get("componentInputArtifact")
        known = graph.get("inputDefinitions", {}).get(kind, {})
        if name not in known:
            yield f"step {step} reads the parameter {name} for {key}, which is unknown" + (
                nearest(str(name), known)
            )
        return
    made = value.get("taskOutputParameter") or value.get("taskOutputArtifact")
    if not made:
        return
    producer = made.get("producerTask")
    if producer not in tasks:
        yield f"step {step} reads {key} from {producer}, which is not there" + (
            nearest(str(producer), tasks)
        )
        return
    if producer not in tasks[step].get("dependentTasks", ()):
        yield f"step {step} reads {key} from {producer} and does not wait for it"
    output = made.get("outputParameterKey") or made.get("outputArtifactKey")
    reference = tasks[producer].get("componentRef", {}).get("name")
    outputs = components.get(reference, {}).get("outputDefinitions", {}).get(kind, {})
    if output not in outputs:
        yield f"step {step} reads {output} of {producer}, which makes no such output" + (
            nearest(str(output), outputs)
        )


def _of_executor(name: str, component: Spec, executor: Spec) -> Iterator[str]:
    """What is wrong with the placeholders in a container's words."""
    container = executor.get("container", {})
    words = [*container.get("command", ()), *container.get("args", ())]
    words += [each.get("value", "") for each in container.get("env", ())]
    for word in words:
        for match in _PLACEHOLDER.finditer(word):
            definitions = component.get(f"{match['side'][:-1]}Definitions", {})
            known = definitions.get(match["kind"], {})
            if match["name"] not in known:
                yield f"{name} has {match[0]}…, and no such {match['side'][:-1]}" + (
                    nearest(match["name"], known)
                )
    if not container.get("image") and "importer" not in executor:
        yield f"{name} has no image"
