"""What an MLproject file says, and what is said of one that can't be used."""

import textwrap

import pytest

from mlpipeline.errors import MlpipelineError
from mlpipeline.state.mlproject import read_mlproject

GOOD = """
name: My Project
python_env: env.yaml
entry_points:
  main:
    parameters:
      data: path
      rate: {type: float, default: 0.10}
      text: {type: string, default: "x"}
      flag: {default: true}
      none: {type: string, default: null}
    command: "python main.py {data}"
  check:
    command: "pytest"
"""


@pytest.fixture
def read(tmp_path):
    def read(text, name="MLproject"):
        (tmp_path / name).write_text(textwrap.dedent(text))
        return read_mlproject(tmp_path)

    return read


def test_entry_points_have_parameters_with_types_and_defaults(read, tmp_path):
    (tmp_path / "env.yaml").touch()
    project = read(GOOD, "mlproject")

    assert (project.name, project.environment) == ("My Project", "python_env")
    main = project.entry("main")
    assert {name: (each.type, each.default) for name, each in main.parameters.items()} == {
        "data": ("path", None),
        "rate": ("float", "0.1"),
        "text": ("string", "x"),
        "flag": ("string", "True"),
        "none": ("string", None),
    }
    assert (main.command, main.line) == ("python main.py {data}", 12)
    assert project.entry("check").parameters == {}


def test_a_script_is_an_entry_point_too(tmp_path):
    (tmp_path / "my main.py").touch()

    assert read_mlproject(tmp_path).entry("my main.py").command == "python 'my main.py'"


def test_the_defaults_are_those_that_mlflow_reads(read, tmp_path):
    spec = pytest.importorskip("mlflow.projects._project_spec")
    (tmp_path / "env.yaml").touch()
    ours = read(GOOD).entry("main").parameters
    theirs = spec.load_project(str(tmp_path)).get_entry_point("main").parameters

    assert {name: (each.type, each.default) for name, each in ours.items()} == {
        name: (each.type, None if each.default is None else str(each.default))
        for name, each in theirs.items()
    }


BAD = {
    "entry_points: {main: {command: ''}}": "1: entry point main has no command",
    "entry_points:\n  main:\n    parameters: {}": "2: entry point main has no command",
    "entry_points:\n  main: python": "2: main must have keys",
    "- a": "the file must have keys",
    "a: [": "it is no YAML",
    "conda_env: no.yml": "1: conda_env names no.yml, and there is no such file",
    "conda_env: a\npython_env: b": "2: it has conda_env and python_env",
    "databricks_spark_job: {python_file: x}": "runs on Databricks only",
    "entry_points:\n  main:\n    parameters: [a]\n    command: x": "3: parameters must have keys",
}


@pytest.mark.parametrize("text", BAD)
def test_what_cant_be_meant_is_told_with_its_line(read, text):
    with pytest.raises(MlpipelineError, match="MLproject") as error:
        read(text)

    assert BAD[text] in str(error.value)


def test_what_mlflow_passes_over_is_a_note(read):
    project = read(
        "extra: 1\nentry_points:\n  main:\n    comand: y\n"
        "    parameters: {a: {type: strng, x: 1}, b: int}\n"
        "    command: x"
    )

    assert project.entry("main").parameters["a"].type == "string"
    said = "\n".join(project.notes)
    assert "1: the unknown key extra" in said
    assert "4: the unknown key comand (did you mean command?)" in said
    assert "the unknown type strng (did you mean string?)" in said
    assert "the unknown type int (there are string, float, path, uri) of b" in said


def test_an_unknown_entry_point_is_told_with_the_nearest(read):
    project = read("entry_points: {main: {command: x}, train: {command: y}}")

    with pytest.raises(MlpipelineError, match=r"no entry point trian \(did you mean train\?\)"):
        project.entry("trian")
    with pytest.raises(MlpipelineError, match=r"there is no script a\.py"):
        project.entry("a.py")


def test_a_folder_without_the_file_is_told(tmp_path):
    with pytest.raises(MlpipelineError, match="has no MLproject file"):
        read_mlproject(tmp_path).entry("main")


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"\x00", b"entry_points: &x {main: *x}", b"{" * 3000]
)
def test_bytes_that_are_no_such_file_are_told(tmp_path, content):
    (tmp_path / "MLproject").write_bytes(content)

    with pytest.raises(MlpipelineError, match="MLproject"):
        read_mlproject(tmp_path)
