"""Which files below models_dir are model files."""

import os

import pytest

from mlpipeline.core.model_files import is_command_file, is_model_file, model_name
from mlpipeline.state.files_below import files_below, model_files, twins


@pytest.fixture
def models(tmp_path):
    return tmp_path


def command(folder, name, text="command: x\n"):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "path, name", [("a.py", "a"), ("b/c.yaml", "b/c"), ("d.yml", "d"), ("e.py.yaml", "e.py")]
)
def test_a_model_is_called_like_its_file(path, name):
    assert model_name(path) == name
    assert is_model_file(path)
    assert is_command_file(path) == (not path.endswith(".py"))


@pytest.mark.parametrize(
    "text", ["command: x", "cwd: y\ncommand : [x]", "'command': x", '# c\n"command": x']
)
def test_a_yaml_file_with_a_command_at_the_top_is_one(models, text):
    command(models, "sub/m.yaml", text)

    assert model_files(files_below(models)) == ["sub/m.yaml"]


def test_a_yaml_file_with_steps_of_components_is_one_and_other_steps_are_not(models):
    command(models, "flow.yaml", "grid: {lr: [1]}\nsteps:\n  a: {component: a.yaml}\n")
    command(models, "workflow.yaml", "steps:\n- run: make\n")

    assert model_files(files_below(models)) == ["flow.yaml"]


@pytest.mark.parametrize("text", ["lr: 0.1", "a:\n  command: x", "- command: x", "commands: x", ""])
def test_other_yaml_files_are_somebody_elses(models, text):
    command(models, "m.yaml", text)

    assert files_below(models) == []


def test_a_file_that_gets_a_command_becomes_a_model(models):
    path = command(models, "m.yaml", "lr: 0.1\n")
    before = files_below(models)
    path.write_text("command: x\n")
    os.utime(path, (1, 1))

    assert before == []
    assert files_below(models) == ["m.yaml"]


def test_helpers_and_what_lies_in_outputs_are_no_models(models):
    for name in ("_m.yaml", ".m.yaml", "outputs/m.yaml"):
        command(models, name)

    assert model_files(files_below(models)) == []


def test_a_folder_called_like_a_command_is_none(models):
    (models / "m.yaml").mkdir()

    assert files_below(models) == []


def test_of_files_with_one_name_a_script_is_the_model_and_the_others_are_told(models):
    (models / "m.py").touch()
    command(models, "m.yaml")
    command(models, "n.yaml")
    command(models, "n.yml")

    paths = files_below(models)

    assert model_files(paths) == ["m.py", "n.yaml"]
    assert twins(paths) == [("m.yaml", "m.py"), ("n.yml", "n.yaml")]
