"""Components in kfp's argument style, rewritten to Hydra's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipeline.errors import ModelError
from mlpipeline.sources.component import component_of
from mlpipeline.sources.conversion import convert
from mlpipeline.sources.placeholders import filled, references

HEAD = """\
# what it is
name: train   # its name
inputs:
- {name: project, type: String}
- {name: Input_name, type: Integer}
- {name: Input_path_name, type: Dataset}
- {name: more, type: String, optional: true}
outputs:
- {name: Output_path_name, type: Model}
- {name: count, type: Integer}
implementation:
  container:
    image: registry/train:1
    command: [python3, main.py]
"""


def component(args):
    return f"{HEAD}    args: {args}\n"


def arguments(text):
    found = component_of(text.encode())
    return filled(found.args, repr)


def converted(args):
    return convert(component(args).encode())


def words(args):
    return arguments(converted(args).text)


@pytest.mark.parametrize(
    ("official", "hydras"),
    [
        (
            "--input-val, {inputValue: Input_name}",
            "input-val={{$.inputs.parameters['input_name']}}",
        ),
        (
            "--input-path, {inputPath: Input_path_name}",
            "input-path={{$.inputs.artifacts['input_path_name'].path}}",
        ),
        (
            "--output-path, {outputPath: Output_path_name}",
            "output-path={{$.outputs.artifacts['output_path_name'].path}}",
        ),
    ],
)
def test_the_table_of_the_readme_holds(official, hydras):
    assert words(f"[{official}]") == [hydras]


def test_names_are_written_as_the_file_has_them():
    text = converted("[--input-val, {inputValue: Input_name}]").text

    assert """args: ["input-val={{$.inputs.parameters['Input_name']}}"]""" in text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("--uri, {inputUri: Input_path_name}", "uri={{$.inputs.artifacts['input_path_name'].uri}}"),
        ("--n, {outputPath: count}", "n={{$.outputs.parameters['count'].output_file}}"),
        (
            "--p, \"{{$.inputs.parameters['project']}}\"",
            "p={{$.inputs.parameters['project']}}",
        ),
        (
            "'--p={{$.inputs.parameters[\"project\"]}}'",
            "p={{$.inputs.parameters['project']}}",
        ),
        ("{concat: [--p=, {inputValue: project}, /x]}", "p={{$.inputs.parameters['project']}}/x"),
        ("--p, {concat: [a/, {inputValue: project}]}", "p=a/{{$.inputs.parameters['project']}}"),
        ("--lr=0.1", "lr=0.1"),
        ("--lr, 0.1", "lr=0.1"),
        ("--lr, -1", "lr=-1"),
        ("--name, a b", "name='a b'"),
        ("'--name=a,b'", "name='a,b'"),
        ('--name, "it\'s"', r"name='it\'s'"),
        ("--config-name=big", "--config-name=big"),
        ("lr=0.1", "lr=0.1"),
        ("-m", "-m"),
    ],
)
def test_what_a_program_is_given_becomes_key_and_value(before, after):
    assert words(f"[{before}]") == [after]


def test_an_option_of_hydras_keeps_its_value():
    assert words("[--config-name, big, --lr, 1]") == ["--config-name", "big", "lr=1"]


def test_within_an_if_it_is_rewritten_too():
    found = words("[{if: {cond: {isPresent: more}, then: [--more, {inputValue: more}]}}]")

    assert found == ["more={{$.inputs.parameters['more']}}"]


def test_in_the_command_only_what_has_placeholders_is_rewritten():
    text = HEAD.replace(
        "[python3, main.py]", "[torchrun, --nodes, 4, main.py, --project, {inputValue: project}]"
    )

    found = component_of(convert(text.encode()).text.encode()).command

    assert filled(found, repr) == [
        *("torchrun", "--nodes", "4", "main.py", "project={{$.inputs.parameters['project']}}")
    ]


def test_all_the_rest_of_the_file_stays_with_its_comments():
    text = component(
        """
    # first
    - --project   # whose
    # between
    - {inputValue: project}  # given
    - --data
    - inputPath: Input_path_name  # a block

    # at last
    - lr=0.1"""
    )

    assert convert(text.encode()).text == component(
        """
    # first
    - "project={{$.inputs.parameters['project']}}"   # whose
    # between
      # given
    - "data={{$.inputs.artifacts['Input_path_name'].path}}"  # a block

    # at last
    - lr=0.1"""
    )


def test_comments_between_in_brackets_stay():
    text = converted("[\n      --project,  # whose\n      {inputValue: project},  # é\n    ]").text

    assert text == component(
        "[\n      # whose\n      \"project={{$.inputs.parameters['project']}}\",  # é\n    ]"
    )


def test_what_a_person_should_look_at_is_told_with_its_line():
    notes = converted("[--flag, -x, {inputValue: project}, --in, {inputValue: Input_name}]").notes

    assert notes == [
        "line 15: --flag has no value, and became flag=true",
        "line 15: -x is left as it is: Hydra knows no such option but its own",
        "line 15: {inputValue: …} has no --name before it, and Hydra wants NAME=VALUE",
        *(note for note in notes[3:]),
    ]
    assert notes[3].startswith("line 5: kfp itself calls Input_name input_name")


def test_a_file_that_is_in_hydras_style_stays_byte_by_byte():
    text = component("['project={{$.inputs.parameters[\"project\"]}}',  lr=1]  # é")

    found = convert(text.encode())

    assert (found.count, found.text, found.notes) == (0, text, [])


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("[--x, {inputValue: projet}]", "line 15: there is no input 'projet'"),
        ("[--x, &a {inputValue: project}, --y, *a]", "has an anchor (&) or stands for one (*)"),
        ("python", "args must be a list"),
    ],
)
def test_what_can_not_be_rewritten_is_told(args, said):
    with pytest.raises(ModelError) as refused:
        converted(args)

    assert said in str(refused.value)


ITEMS = st.sampled_from(
    [
        *("--a, {inputValue: project}", "--b, {outputPath: count}", "{inputValue: project}"),
        *("--c, word", "--d", "--e=1", "k=v", "-m", "'{{$.inputs.parameters[''project'']}}'"),
        *("{concat: [--f=, {inputValue: project}]}", "--config-dir, conf", '"--g=a, b"'),
        "{if: {cond: {isPresent: more}, then: [--more, {inputValue: more}], else: [--no]}}",
    ]
)


@given(st.lists(ITEMS, max_size=6), st.booleans())
def test_doing_it_twice_is_doing_it_once_and_nothing_that_is_filled_in_gets_lost(items, block):
    if block:
        lines = [part for item in items for part in _split(item)]
        text = component("".join(f"\n    - {line}" for line in lines) or "[]")
    else:
        text = component(f"[{', '.join(items)}]")
    before = component_of(text.encode())

    once = convert(text.encode())
    twice = convert(once.text.encode())

    assert (twice.count, twice.text) == (0, once.text)
    after = component_of(once.text.encode())
    assert list(references(after.args)) == list(references(before.args))


def _split(item):
    option, comma, value = item.partition(", ")
    return [option, value] if comma and option.startswith("--") else [item]
