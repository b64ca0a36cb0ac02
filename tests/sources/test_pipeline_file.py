"""Pipeline files: what is in them, and what is said of one that can't be used."""

import pytest

from mlpipeline.errors import ModelError
from mlpipeline.sources.arguments import Source
from mlpipeline.sources.imports import STAMPS
from mlpipeline.sources.pipeline_file import PipelineFile, load_pipeline_file

PREPARE = """
inputs: [{name: size, type: Integer, default: 10}, {name: where, type: String, optional: true}]
outputs: [{name: dataset, type: Dataset}, {name: rows, type: Integer}]
implementation: {container: {image: i, command: [prepare, {outputPath: dataset}]}}
"""
TRAIN = """
inputs: [{name: data, type: Dataset}, {name: lr, type: Float}, {name: rows, type: Integer, default: 1}]
outputs: [{name: model, type: Model}]
implementation: {container: {image: i, command: [train, {inputPath: data}, {inputValue: lr}]}}
"""  # noqa: E501 - as such files are
FLOW = """
description: two steps
parameters:
  lr: 0.1
  size: {type: Integer, default: 5, description: of it}
  place: x
steps:
  train:
    component: parts/train.yaml
    arguments: {data: '{prepare.dataset}', lr: '{lr}', rows: '{prepare.rows}'}
    cpus: 2
  prepare:
    component: parts/prepare.yaml
    arguments: {size: '{size}', where: 'to/{place}/{size}/{{lr}}/{"a": 1}/${b}'}
"""


@pytest.fixture
def folder(tmp_path):
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "prepare.yaml").write_text(PREPARE)
    (parts / "train.yaml").write_text(TRAIN)
    return tmp_path


@pytest.fixture
def read(folder):
    return lambda text: PipelineFile(text.encode(), str(folder))


@pytest.fixture
def problem(read):
    def said(text):
        with pytest.raises(ModelError) as refused:
            read(text)
        return str(refused.value)

    return said


def test_steps_stand_behind_those_whose_outputs_they_read(read):
    file = read(FLOW)

    assert list(file.steps) == ["prepare", "train"]
    assert file.steps["train"].after == ("prepare",)
    assert file.steps["train"].arguments["data"].whole == Source("prepare", "dataset")
    assert file.parameters["size"].type == "Integer"
    assert (file.parameters["lr"].type, file.parameters["lr"].default) == ("Float", 0.1)
    assert file.parameters["size"].description == "of it"


def test_a_reference_alone_keeps_its_type_and_within_a_text_is_one(read):
    prepare = read(FLOW).steps["prepare"]
    values = {"size": 5, "place": "é", "lr": 0.1}

    assert prepare.arguments["size"].filled(lambda source: values[source.name]) == 5
    assert (
        prepare.arguments["where"].filled(lambda source: values[source.name])
        == 'to/é/5/{lr}/{"a": 1}/${b}'
    )


def test_values_are_of_the_inputs_type(read):
    steps = read(FLOW.replace("lr: '{lr}'", "lr: 1").replace("size: '{size}'", "size: 2.0")).steps

    assert repr(steps["train"].arguments["lr"].value) == "1.0"
    assert repr(steps["prepare"].arguments["size"].value) == "2"


def test_a_component_may_be_written_in_place(read):
    file = read(
        "steps: {one: {component: {implementation: {container: {image: i, command: [x]}}}}}"
    )

    assert file.steps["one"].component.image == "i"
    assert file.paths() == []


def test_what_a_step_depends_on_of_the_grid_comes_with_what_it_reads(read):
    file = read("grid: {size: [1, 2], lr: [1, 0.5]}\n" + FLOW + "    after: []\n")

    assert file.grid == {"size": [1, 2], "lr": [1.0, 0.5]}
    assert file.swept() == {"prepare": ("size",), "train": ("size", "lr")}


def test_an_order_without_data_is_no_dependence_on_values(read):
    component = "{implementation: {container: {image: i, command: [x]}}}"
    file = read(
        "grid: {size: [1, 2]}\n" + FLOW + f"  last: {{component: {component}, after: train}}\n"
    )

    assert file.steps["last"].after == ("train",)
    assert file.swept()["last"] == ()


def test_the_grid_alone_declares_a_parameter(read):
    file = read("grid: {deep: [true, false]}\n" + FLOW)

    assert file.parameters["deep"].type == "Boolean"
    assert not file.parameters["deep"].has_default


def test_what_the_file_says_for_all_steps_a_step_may_say_for_itself(read):
    file = read(
        "cpus: 1\nmemory: 4\nenv: {A: a, B: b}\ncache: false\n" + FLOW + "    env: {B: c}\n"
    )

    train, prepare = file.steps["train"].settings, file.steps["prepare"].settings
    assert (train.cpus, train.memory, train.env, train.cache) == (2, 4, {"A": "a", "B": "b"}, False)
    assert (prepare.cpus, prepare.env) == (1, {"A": "a", "B": "c"})


def test_a_file_and_its_components_are_noted_as_read(folder):
    path = folder / "flow.yaml"
    path.write_text(FLOW)

    file = load_pipeline_file(str(path))

    assert [*file.paths(), str(path)] == [
        *(str(folder / "parts" / name) for name in ("prepare.yaml", "train.yaml")),
        str(path),
    ]
    assert {str(path), *file.paths()} <= set(STAMPS)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  place: x", "  place:", "line 6: the parameter place has neither a value nor a type"),
        ("place: x", "place: {type: Strin, default: x}", "(did you mean String?)"),
        ("default: 5", "default: five", "line 5: the default of size is 'five' (String) and must"),
        ("default: 5", "defalt: 5", "did you mean default?"),
        ("  place: x", "  my place: x", "can't be called 'my place'"),
        ("steps:", "stepps:", "line 7: unknown key stepps (did you mean steps?)"),
        ("cpus: 2", "cpu: 2", "line 11: step train has the unknown key cpu (did you mean cpus?)"),
        ("cpus: 2", "cpus: many", "line 11: cpus is 'many'; it must be a number above 0"),
        ("cpus: 2", "after: prepar", "no step is called (did you mean prepare?)"),
        ("cpus: 2", "cache: maybe", "cache must be true or false"),
        ("cpus: 2", "retries: none", "retries must be a whole number above 0"),
        ("  train:", "  3d:", "a step can't be called '3d'"),
        ("    component: parts/train.yaml\n", "", "step train has no component"),
        ("parts/train.yaml", "parts/trian.yaml", "put it at "),
        ("data: '{prepare.dataset}', ", "", "is given nothing for its input data (Dataset)"),
        ("data: '", "dat: '", "has no input 'dat' (did you mean data?)"),
        ("{prepare.dataset}", "{prepare.data}", "which nothing makes: prepare has no output data"),
        ("{prepare.dataset}", "{prep.dataset}", "there is no step prep (did you mean prepare?)"),
        ("'{prepare.dataset}'", "here", "must be a step's output: it is of the type Dataset"),
        ("'{prepare.dataset}'", "'{lr}'", "is Float (the parameter {lr}) and must be Dataset"),
        ("'{prepare.dataset}'", "'x/{prepare.dataset}'", "which is a file or folder (Dataset)"),
        ("'{lr}'", "'{learning_rate}'", "the pipeline has no parameter learning_rate"),
        ("'{lr}'", "'{size}'", "lr is Integer (the parameter {size}) and must be Float; write"),
        ("'{lr}'", "'{prepare.dataset}'", "is Dataset (the output {prepare.dataset}) and must be"),
        ("'{lr}'", "'1{lr}'", "what step train is given for lr is a text and must be Float"),
        ("'{lr}'", "fast", "what step train is given for lr is 'fast' (String) and must be Float"),
        ("'{lr}'", "[1]", "is [1] (List) and must be Float"),
        ("'{lr}'", "['{lr}']", "has {lr} in a list or mapping"),
        (
            "'to/{place}/{size}/{{lr}}/{\"a\": 1}/${b}'",
            "3",
            "is 3 (Integer) and must be String; put it in quotes",
        ),
        ("size: '{size}'", "size: '{train.model}'", "is Model"),
        ("description", "grid: {lr: []}\ndescription", "the list of values for lr is empty"),
        ("description", "grid: {lr: [a]}\ndescription", "the values of lr are of different types"),
        ("description", "grid: {lr: [1, 1.0]}\ndescription", "has a value of lr twice"),
        ("description", "vertex: {pipeline_root: /x}\ndescription", "gs://BUCKET/FOLDER"),
        ("description", "vertex: {region: x}\ndescription", "vertex has the unknown key region"),
        (FLOW, "", "it is empty"),
        (FLOW, "steps: {}", "it has no steps"),
        (FLOW, "steps: [a]", "steps must have keys"),
        (FLOW, "description: x", "it has no steps"),
    ],
)
def test_what_can_not_be_meant_is_told(problem, old, new, said):
    assert old in FLOW
    found = problem(FLOW.replace(old, new, 1))
    assert said in found


def test_a_circle_is_told_with_its_steps(problem):
    found = problem(FLOW + "    after: train\n")

    assert "step train comes after itself: train after prepare after train" in found
    assert found.startswith("line 8: ")


def test_a_components_problem_is_told_with_both_lines(problem, folder):
    (folder / "parts" / "train.yaml").write_text(TRAIN.replace("image: i, ", ""))

    found = problem(FLOW)

    assert found.startswith("line 9: in the component parts/train.yaml of step train: line 4: ")
    assert "it has no image" in found
