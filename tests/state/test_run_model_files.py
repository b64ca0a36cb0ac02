"""Command files as `mlpipeline run` writes and edits them."""

import pytest
import yaml

from mlpipeline.errors import ConfigError
from mlpipeline.sources.command import CommandModel
from mlpipeline.sources.command_file import CommandFile
from mlpipeline.state.run_model_files import Row, Shared, edited_text, is_for, names_in, new_text

SHARED = Shared(said=". -e main", command=("python", "main.py", "{a}"), cwd="x: y")
TEXTS = ["", "0.10", "1e-3", "true", "null", "yes", "a: b", "é'\"\\", "#x", "{b}", "a\nb", "12:30"]


def loaded(text):
    model = CommandModel(CommandFile(text.encode()))
    return {version.name: (version, model.job(version.name, {})) for version in model.versions}


@pytest.mark.parametrize("value", TEXTS)
def test_a_value_reaches_the_program_as_it_was_given(value):
    row = Row(name=f"n {value!r}", parameters={"a": value}, overrides={"x.y": value})
    ((name, (version, job)),) = loaded(new_text(SHARED, [row])).items()

    assert name == row.name
    assert job.argv == ["python", "main.py", value]
    assert job.cwd == "x: y"
    assert str(version["x.y"]) in (value, "0.1", "0.001", "True")


def test_a_row_is_added_and_one_of_that_name_replaced_and_all_else_stays():
    text = new_text(SHARED, [Row(name="one", parameters={"a": "1"})])
    mine = "timeout: 30  # mine\nmetrics: {x: 'x (.)'}\nversions:  # here\n"
    text = text.replace("versions:\n", mine)
    text += "# the end\n"
    command = ("python", "new.py", "{a}")
    command = ("python", "new.py", "{a}")
    changed = Shared(said=SHARED.said, command=command, cwd="", env={"K": "v"})
    rows = [Row(name="two", parameters={"a": "2"}), Row(name="one", parameters={"a": "3"})]

    after = edited_text("f.yaml", text, changed, rows)

    assert mine in after
    assert after.endswith("# the end\n")
    assert is_for(after, SHARED)
    found = {name: job.argv for name, (_, job) in loaded(after).items()}
    assert found == {"one": ["python", "new.py", "3"], "two": ["python", "new.py", "2"]}
    assert yaml.safe_load(after)["env"] == {"K": "v"}
    assert edited_text("f.yaml", after, changed, rows) == after


def test_a_person_may_have_laid_it_out_otherwise():
    text = (
        f"{SHARED.head}\ncommand:\n  - python\n  - main.py\n  - '{{a}}'\nversions:\n"
        "    - name: one\n      a: 1\n\n    - name: two\n      a: 2\n\n"
    )

    after = edited_text("f.yaml", text, SHARED, [Row(name="one", parameters={"a": "5"})])

    assert {name: job.argv[-1] for name, (_, job) in loaded(after).items()} == {
        "one": "5",
        "two": "2",
    }
    assert names_in("f.yaml", after) == ["one", "two"]


def test_one_is_not_edited_where_something_else_would_change():
    text = new_text(SHARED, [Row(name="one")]) + 'preload: ["two\u2028lines"]\n'

    with pytest.raises(ConfigError, match="can't be added to"):
        edited_text("f.yaml", text, SHARED, [Row(name="one", parameters={"a": "2"})])


@pytest.mark.parametrize(
    "text", ["a: [", "- x", "command: x", "command: x\nversions: []", "versions: [{name: a}]"]
)
def test_one_that_cant_be_edited_is_told(text):
    with pytest.raises(ConfigError):
        edited_text("f.yaml", text, SHARED, [Row(name="one")])
