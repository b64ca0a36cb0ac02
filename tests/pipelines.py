"""Pipelines of small programs, for tests."""

import sys
import textwrap

import yaml

PYTHON = sys.executable

# Counts how often it is executed; makes a folder and a number.
PREPARE = """
import os, sys
dataset, rows, size = sys.argv[1:4]
with open("prepared", "a") as file:
    file.write("x")
os.makedirs(dataset)
for number in range(int(size)):
    with open(os.path.join(dataset, f"{number}.txt"), "w") as file:
        file.write(str(number))
with open(rows, "w") as file:
    file.write(size)
"""
TRAIN = """
import json, os, sys
data, rows, lr, model, metrics = sys.argv[1:6]
with open("trained", "a") as file:
    file.write(f"{lr} ")
if float(lr) > 1:
    raise ValueError("too high")
numbers = [int(open(os.path.join(data, name)).read()) for name in sorted(os.listdir(data))]
assert len(numbers) == int(rows)
with open(model, "w") as file:
    file.write(str(sum(numbers) * float(lr)))
with open(metrics, "w") as file:
    json.dump({"accuracy": float(lr), "note": "no number"}, file)
"""


def component(command, inputs=(), outputs=(), args=()):
    """A component as KFP has it; ports are (name, type)."""
    return {
        "inputs": [{"name": name, "type": kind} for name, kind in inputs],
        "outputs": [{"name": name, "type": kind} for name, kind in outputs],
        "implementation": {
            "container": {"image": "registry/none:1", "command": list(command), "args": list(args)}
        },
    }


PREPARED = component(
    [PYTHON, "prepare.py"],
    [("size", "Integer")],
    [("dataset", "Dataset"), ("rows", "Integer")],
    [{"outputPath": "dataset"}, {"outputPath": "rows"}, {"inputValue": "size"}],
)
TRAINED = component(
    [PYTHON, "train.py"],
    [("data", "Dataset"), ("rows", "Integer"), ("lr", "Float")],
    [("model", "Model"), ("metrics", "Metrics")],
    [
        *({"inputPath": "data"}, {"inputValue": "rows"}, {"inputValue": "lr"}),
        *({"outputPath": "model"}, {"outputPath": "metrics"}),
    ],
)
STEPS = {
    "prepare": {"component": "parts/prepare.yaml", "arguments": {"size": "{size}"}},
    "train": {
        "component": "parts/train.yaml",
        "arguments": {"data": "{prepare.dataset}", "rows": "{prepare.rows}", "lr": "{lr}"},
    },
}


def program(project, name, text):
    (project.folder / name).write_text(textwrap.dedent(text))


def part(project, name, made):
    (project.models / "parts").mkdir(exist_ok=True)
    (project.models / "parts" / f"{name}.yaml").write_text(yaml.safe_dump(made))


def flow(project, name="flow", **keys):
    """A pipeline file, by default of two steps: prepare, and train for two values of lr."""
    keys = {"parameters": {"size": 3}, "grid": {"lr": [0.5, 0.25]}, "steps": STEPS} | keys
    keys = {key: value for key, value in keys.items() if value is not None}
    (project.models / f"{name}.yaml").write_text(yaml.safe_dump(keys, sort_keys=False))


def two_steps(project, **keys):
    """``project`` with that pipeline, listed."""
    program(project, "prepare.py", PREPARE)
    program(project, "train.py", TRAIN)
    part(project, "prepare", PREPARED)
    part(project, "train", TRAINED)
    flow(project, **keys)
    project.list("flow.yaml")
    project.list("flow.yaml", test=True)
    return project


def count(project, name):
    """How often a program was executed."""
    path = project.folder / name
    return len(path.read_text().split() if name == "trained" else path.read_text())
