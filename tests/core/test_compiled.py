"""What is wrong with a compiled pipeline is found offline."""

import copy

import pytest

from mlpipeline.core.compiled import problems

SOUND = {
    "schemaVersion": "2.1.0",
    "pipelineInfo": {"name": "flow"},
    "components": {
        "comp-prepare": {
            "executorLabel": "exec-prepare",
            "outputDefinitions": {"artifacts": {"dataset": {}}, "parameters": {"rows": {}}},
        },
        "comp-train": {
            "executorLabel": "exec-train",
            "inputDefinitions": {
                "artifacts": {"data": {}},
                "parameters": {"lr": {}, "rows": {}, "more": {"isOptional": True}},
            },
        },
    },
    "deploymentSpec": {
        "executors": {
            "exec-prepare": {
                "container": {
                    "image": "i",
                    "args": ["{{$.outputs.artifacts['dataset'].path}}"],
                }
            },
            "exec-train": {
                "container": {
                    "image": "i",
                    "command": ['a={{$.inputs.parameters["lr"]}}'],
                    "env": [{"name": "D", "value": "{{$.inputs.artifacts['data'].uri}}"}],
                }
            },
        }
    },
    "root": {
        "inputDefinitions": {"parameters": {"lr": {}}},
        "dag": {
            "tasks": {
                "prepare": {"componentRef": {"name": "comp-prepare"}},
                "train": {
                    "componentRef": {"name": "comp-train"},
                    "dependentTasks": ["prepare"],
                    "inputs": {
                        "artifacts": {
                            "data": {
                                "taskOutputArtifact": {
                                    "outputArtifactKey": "dataset",
                                    "producerTask": "prepare",
                                }
                            }
                        },
                        "parameters": {
                            "lr": {"componentInputParameter": "lr"},
                            "rows": {
                                "taskOutputParameter": {
                                    "outputParameterKey": "rows",
                                    "producerTask": "prepare",
                                }
                            },
                        },
                    },
                },
            }
        },
    },
}
TASKS = ("root", "dag", "tasks")
DATA = (*TASKS, "train", "inputs", "artifacts", "data", "taskOutputArtifact")
GIVEN = (*TASKS, "train", "inputs", "parameters")
ARGS = ("deploymentSpec", "executors", "exec-train", "container", "command")


def test_nothing_is_said_of_a_sound_one():
    assert problems(SOUND) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("schemaVersion",), "2.0.0", "its schema is 2.0.0, and 2.1.0 is wanted"),
        (("pipelineInfo",), {}, "the pipeline has no name"),
        (TASKS, {}, "it has no steps"),
        ((*TASKS, "train", "componentRef", "name"), "comp-x", "runs comp-x, which is not there"),
        (("components", "comp-train", "executorLabel"), "x", "is run by x, which is not there"),
        ((*DATA, "producerTask"), "prepar", "from prepar, which is not there (did you mean prep"),
        ((*DATA, "outputArtifactKey"), "data", "reads data of prepare, which makes no such output"),
        ((*TASKS, "train", "dependentTasks"), [], "from prepare and does not wait for it"),
        ((*TASKS, "prepare", "dependentTasks"), ["trai"], "comes after trai, which is not there"),
        (
            (*TASKS, "prepare", "dependentTasks"),
            ["train"],
            "step prepare comes after itself: prepare after train after prepare",
        ),
        (
            (*GIVEN, "lr", "componentInputParameter"),
            "lrr",
            "reads the parameter lrr for lr, which is unknown (did you mean lr?)",
        ),
        ((*GIVEN, "size"), {"runtimeValue": {"constant": 1}}, "is given size, which it has no"),
        (GIVEN, {}, "step train is given nothing for its input lr"),
        (ARGS, ["{{$.inputs.parameters['lrr']}}"], "no such input (did you mean lr?)"),
        (ARGS, ["{{$.outputs.parameters['lr'].output_file}}"], "and no such output"),
        (("deploymentSpec", "executors", "exec-train", "container", "image"), "", "has no image"),
    ],
)
def test_what_would_fail_there_is_told_here(path, value, said):
    spec = copy.deepcopy(SOUND)
    place = spec
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value

    assert said in "; ".join(problems(spec))


def test_what_kfp_adds_for_texts_is_no_unknown_input():
    spec = copy.deepcopy(SOUND)
    parameters = spec["root"]["dag"]["tasks"]["train"]["inputs"]["parameters"]
    parameters["pipelinechannel--lr"] = {"componentInputParameter": "lr"}

    assert problems(spec) == []
