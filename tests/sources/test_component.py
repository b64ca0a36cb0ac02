"""Component files: what is in them, and what is said of one that can't be used."""

import pytest

from mlpipeline.errors import ModelError
from mlpipeline.sources.component import component_of
from mlpipeline.sources.placeholders import IfPresent, Reference, filled, references
from mlpipeline.sources.port_types import as_text

SEEDS = """
name: train
description: trains
metadata: {annotations: {author: me}}
inputs:
- {name: project, type: String}
- {name: Input 1, type: Dataset}
- {name: lr, type: Float, default: '0.1', description: how fast}
- {name: seed, type: Integer, optional: true}
outputs:
- {name: model, type: Model}
- {name: accuracy, type: Float}
implementation:
  container:
    image: registry/train:1
    command: [python3, main.py]
    args:
"""


def component(*args, text=SEEDS):
    return component_of((text + "".join(f"    - {each}\n" for each in args)).encode())


def words(found, given=lambda key: True):
    return filled(found.args, lambda reference: f"<{reference.kind}:{reference.key}>", given)


def problem(*args, text=SEEDS):
    with pytest.raises(ModelError) as refused:
        component(*args, text=text)
    return str(refused.value)


def test_ports_have_kfps_types_and_keys():
    found = component()

    assert [(port.key, port.type, port.is_parameter) for port in found.inputs.values()] == [
        ("project", "String", True),
        ("input_1", "Dataset", False),
        ("lr", "Float", True),
        ("seed", "Integer", True),
    ]
    assert found.input("Input 1") is found.input("input_1")
    assert [port.is_optional for port in found.inputs.values()] == [False, False, True, True]
    assert found.inputs["lr"].default == 0.1
    assert found.output("model").type == "Model"
    assert found.command[0].parts == ("python3",)


@pytest.mark.parametrize(
    ("declared", "meant"),
    [
        ("int", "Integer"),
        ("STRING", "String"),
        ("JsonArray", "List"),
        ("'typing.List[str]'", "List"),
        ("bool", "Boolean"),
        ("dataset", "Dataset"),
        ("system.Model@0.0.1", "Model"),
        ("google.VertexModel", "google.VertexModel"),
        ("GCSPath", "Artifact"),
        ("{GCSPath: {data_type: CSV}}", "Artifact"),
        ("", "Artifact"),
    ],
)
def test_types_are_spelled_as_kfp_takes_them(declared, meant):
    text = SEEDS.replace("type: Dataset", f"type: {declared}")

    assert component(text=text).inputs["input_1"].type == meant


def test_both_ways_to_write_a_placeholder_are_one():
    old = component(
        *("{inputValue: project}", "{inputPath: Input 1}", "{inputUri: Input 1}"),
        *("{outputPath: model}", "{outputUri: model}", "{outputPath: accuracy}"),
    )
    new = component(
        "\"{{$.inputs.parameters['project']}}\"",
        "\"{{$.inputs.artifacts['Input 1'].path}}\"",
        "'{{$.inputs.artifacts[\"input_1\"].uri}}'",
        "\"{{ $.outputs.artifacts['model'].path }}\"",
        "\"{{$.outputs.artifacts['model'].uri}}\"",
        "\"{{$.outputs.parameters['accuracy'].output_file}}\"",
    )

    assert old == new
    assert hash(old) == hash(new)
    assert words(old) == [
        *("<value:project>", "<input path:input_1>", "<input uri:input_1>"),
        *("<output path:model>", "<output uri:model>", "<output file:accuracy>"),
    ]


def test_placeholders_stand_within_texts_which_are_kept_as_they_are():
    found = component(
        "'a={{$.inputs.parameters[\"project\"]}},b={x} ${c} {{d}} é'", "--lr", "0.10", "''"
    )

    assert words(found) == ["a=<value:project>,b={x} ${c} {{d}} é", "--lr", "0.10", ""]
    assert list(references(found.args)) == [Reference("value", "project")]


def test_concat_and_if_are_as_kfps():
    found = component(
        "{concat: [--out=, {outputPath: model}, /x]}",
        "{if: {cond: {isPresent: seed}, then: [--seed, {inputValue: seed}], else: [--none]}}",
        "{concat: [a, {if: {cond: {isPresent: seed}, then: b, else: c}}]}",
    )

    assert isinstance(found.args[1], IfPresent)
    assert words(found) == ["--out=<output path:model>/x", "--seed", "<value:seed>", "ab"]
    assert words(found, lambda key: False) == ["--out=<output path:model>/x", "--none", "ac"]


def test_a_value_is_given_as_json_writes_it_and_a_text_as_it_is():
    assert [as_text(each) for each in ("é, '", 0.1, 3, True, {"a": [1]})] == [
        *("é, '", "0.1", "3", "true", '{"a": [1]}')
    ]


def test_what_differs_in_names_for_people_only_is_one():
    assert component(text=SEEDS.replace("name: train", "name: other")) == component()
    assert component(text=SEEDS.replace("train:1", "train:2")) != component()
    assert component("a") != component("b")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    image: registry/train:1\n", "", "no image; write image: REGISTRY/NAME:TAG"),
        ("image: registry/train:1", "image:", "line 15: it has no image"),
        ("    command: [python3, main.py]\n", "", "no command; write what the image is to run"),
        ("command: [python3, main.py]", "command: []", "line 16: it has no command"),
        (
            "command: [python3, main.py]",
            "command: python3 main.py",
            "write command: [python3, main.py]",
        ),
        ("implementation:", "implementaton:", "did you mean implementation?"),
        ("container:", "graph:", "make each a step of the pipeline"),
        ("image: registry", "fileOutputs: {}\n    image: registry", "{outputPath: NAME}"),
        ("name: Input 1", "name: PROJECT", "PROJECT is there twice, first in line 6 (project and"),
        ("name: model", "name: lr", "lr is an input and an output"),
        ("name: model", "name: '!'", "line 11: the output has the name '!'"),
        (
            "default: '0.1'",
            "default: fast",
            "line 8: the default of lr is 'fast' and must be Float",
        ),
        (
            "type: Dataset",
            "type: Dataset, default: x",
            "Input 1 is a Dataset, which has no default",
        ),
        ("type: Dataset", "kind: Dataset", "the input has the unknown key kind"),
        ("optional: true", "optional: 1", "optional must be true or false"),
        ("name: train\n", "pipelineInfo: {}\n", "this is a compiled component or pipeline"),
        (SEEDS, "", "it is empty"),
        (SEEDS, "- a\n", "a component must have keys"),
        (SEEDS, "name: {", "it is no YAML"),
    ],
)
def test_what_can_not_be_a_component_is_told(old, new, said):
    assert old in SEEDS
    assert said in problem(text=SEEDS.replace(old, new, 1))


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("{inputValue: projet}", "there is no input 'projet' (did you mean project?)"),
        ("{outputPath: x}", "there is no output 'x'; the outputs are model, accuracy"),
        ("{inputValue: Input 1}", "write {{$.inputs.artifacts['Input 1'].path}}"),
        ("{inputPath: lr}", "which has a value and no path; write {{$.inputs.parameters['lr']}}"),
        ("{outputUri: accuracy}", "write {{$.outputs.parameters['accuracy'].output_file}}"),
        ("'{{$.pipeline_job_name}}'", "{{$.pipeline_job_name}} can't be used here"),
        ("{inputvalue: lr}", "did you mean inputValue?"),
        ("{executorInput: null}", "the placeholder executorInput can't be used here"),
        ("{inputValue: lr, inputPath: lr}", "must have one key"),
        ("[a]", "take it apart"),
        ("{if: {cond: true, then: a}}", "an if must ask whether an input isPresent"),
        ("{concat: a}", "concat must have a list"),
        ('"\\0"', "NUL"),
    ],
)
def test_what_can_not_be_filled_in_is_told_with_its_line(argument, said):
    found = problem(argument)

    assert found.startswith("line 18: ")
    assert said in found
