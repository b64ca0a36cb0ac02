"""The words of an entry point's command: those that mlflow's line has in bash."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlpipeline.api import words
from mlpipeline.errors import MlpipelineError
from mlpipeline.service.entry_lines import extra_words, line_of
from mlpipeline.service.entry_values import values_of
from mlpipeline.state.mlproject import read_mlproject

SIMPLE = [
    "./show {a} --b {b}",
    "./show x={a} 'a b' \"c  d\" {a}{b}",
    "  ./show\t{a}  {b} ",
]
SHELL = [
    "./show -x=1 {{literal}} {b}",
    "./show main.steps=\\'{a}\\' $(echo {b})",
    "./show {a} && ./show {b}",
    "X={a} ./show $X {b}",
    "./show {a} | cat; ./show",
    "./show $HOME/{a} *.none",
    "cd . && ./show {a} {b}",
    "./show {a}\n./show {b}",
    "# it's {b}\n./show {a} # isn't it\n./show $(true) {b}",
    './show x#\'{b}\' "$(./show "{b}")" {a}',
    "./show `./show {b}` ${{X:-'x'{b}}} $'it\\'s {b}'{a}",
    "./show $((1 << 2)) {a} <<< its; ./show {b}",
    "./show {a} $(cat <<E\nit's {b}\nE\n) {b}",
]
VALUES = [
    "",
    "a",
    "a b",
    "a,b=c",
    "#x",
    "'",
    '"',
    "é $HOME `x` \\",
    "*",
    "{a}",
    "{{b}}",
    "-n x",
    "\n",
]


@pytest.fixture
def project(tmp_path):
    show = tmp_path / "show"
    show.write_text('#!/bin/sh\nfor each in "$@"; do printf "%s\\0" "$each"; done; printf "\\1"\n')
    show.chmod(0o755)
    return tmp_path


def ours(folder, command, parameters, extra, *, is_simple=None):
    """What the program is given by a command file's words."""
    spec = {"command": command, "parameters": dict.fromkeys(parameters, "string")}
    (folder / "MLproject").write_text(f"entry_points: {{main: {yaml_of(spec)}}}")
    mlproject = read_mlproject(folder)
    entry = mlproject.entry("main")
    line = line_of(mlproject, entry, has_more=bool(extra))
    if is_simple is not None:
        assert (line.command[0] != "bash") == is_simple, line.command
    values = values_of(entry, {**parameters, **extra}, folder)
    meaning = {line.keys[name]: value for name, value in values.own.items()}
    argv = [words.filled(word, meaning.__getitem__) for word in line.command]
    argv += [words.filled(word, meaning.__getitem__) for word in extra_words(values.extra)]
    env = {key: words.filled(text, meaning.__getitem__) for key, text in line.env.items()}
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True).stdout


def yaml_of(value):
    import json

    return json.dumps(value)


def theirs(folder, parameters, extra):
    """What it is given by ``mlflow run``."""
    spec = pytest.importorskip("mlflow.projects._project_spec")
    entry = spec.load_project(str(folder)).get_entry_point("main")
    line = entry.compute_command({**parameters, **extra}, None)
    return subprocess.run(["bash", "-c", line], cwd=folder, env={}, capture_output=True).stdout


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("command", SIMPLE + SHELL)
def test_the_program_is_given_what_mlflow_gives_it(project, command, value):
    parameters, extra = {"a": value, "b": "plain"}, {"c": value}

    given = ours(project, command, parameters, extra, is_simple=command in SIMPLE)

    assert given == theirs(project, parameters, extra)
    assert given


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    a=st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])),
    b=st.text(st.sampled_from("ab ,=#'\"{}$é\\*")),
)
def test_so_it_is_with_any_text(project, a, b):
    for command in ("./show {a} x={b}", "./show '' {a} $(true) {b}"):
        given = ours(project, command, {"a": a, "b": b}, {"more": a})
        assert given == theirs(project, {"a": a, "b": b}, {"more": a})


def test_a_here_document_may_end_it_where_nothing_else_is_given(project):
    command = "./show {a}; cat <<E\nit's {b}\nE\n"

    given = ours(project, command, {"a": "it's", "b": "plain"}, {})

    assert given == b"it's\0\1it's plain\n"
    assert given == theirs(project, {"a": "it's", "b": "plain"}, {})
    with pytest.raises(MlpipelineError, match="behind a here-document"):
        ours(project, command, {"a": "x", "b": "y"}, {"c": "z"})


CODE = [
    "bash -c 'echo {a}'",
    "sh -c {a}",
    '/bin/sh -ec "true; {a}"',
    "cd . && bash --norc -lc 'x {a}' | cat",
    "eval echo {a}",
    "./show \"$(bash -c '{a}')\"",
    "cat <<'E'\n{a}\nE",
]


@pytest.mark.parametrize("command", CODE)
def test_no_value_is_handed_to_another_shell_as_code(project, command):
    with pytest.raises(MlpipelineError, match=r"behind a shell's -c|is quoted"):
        ours(project, command, {"a": "$(touch made)"}, {})

    assert ours(project, "bash -c './show \"$1\"' - {a}", {"a": "$(x)"}, {}) == b"$(x)\0\1"


def test_parameters_that_a_command_file_has_another_use_for_are_called_otherwise(project):
    parameters = {"name": "n", "version": "v", "data-file": "d", "data_file": "e", "1": "f"}
    command = "./show " + " ".join(f"{{{name}}}" for name in parameters)

    assert ours(project, command, parameters, {}) == b"n\0v\0d\0e\0f\0\1"


def test_a_secret_in_a_line_for_bash_is_a_variable(project):
    (project / "MLproject").write_text(
        "entry_points: {main: {parameters: {token: string}, command: 'echo $X {token}'}}"
    )
    mlproject = read_mlproject(project)

    line = line_of(mlproject, mlproject.entry("main"))

    assert line.env == {"MLP_TOKEN": "{token}"}
    assert not any("{token}" in word for word in line.command)
    assert ours(project, "./show $(true) {token}", {"token": "a b"}, {}) == b"a b\0\1"


@pytest.mark.parametrize("command", ["x {b}", "x {a:>3}", "x {a!r}", "x {", "x {}", "x {a.b}"])
def test_braces_that_name_no_parameter_are_told(project, command):
    with pytest.raises(MlpipelineError, match=r"MLproject:?.*can't be used"):
        ours(project, command, {"a": "1"}, {})


VALUE_ERRORS = {
    ("float", "x"): "must be a number",
    ("uri", "no"): "must be a URI",
    ("path", "nowhere"): "no such file or folder",
    ("path", "s3://bucket/x"): "must be on this machine",
    ("string", "a\0b"): "NUL",
}


@pytest.mark.parametrize("kind, value", VALUE_ERRORS)
def test_values_are_checked_by_their_type(tmp_path, kind, value):
    (tmp_path / "MLproject").write_text(
        f"entry_points: {{main: {{parameters: {{a: {kind}}}, command: x}}}}"
    )
    entry = read_mlproject(tmp_path).entry("main")

    with pytest.raises(MlpipelineError, match=VALUE_ERRORS[kind, value]):
        values_of(entry, {"a": value}, tmp_path)
    with pytest.raises(MlpipelineError, match=r"main needs a.* it with -P a="):
        values_of(entry, {}, tmp_path)


def test_paths_are_made_absolute_from_here_and_else_from_the_project(tmp_path, monkeypatch):
    here, project = tmp_path / "here", tmp_path / "project"
    for folder, names in ((here, ["one"]), (project, ["one", "two"])):
        folder.mkdir()
        for name in names:
            (folder / name).touch()
    monkeypatch.chdir(here)
    (project / "MLproject").write_text(
        "entry_points: {main: {parameters: {a: path, b: path, c: path}, command: x}}"
    )
    given = {"a": "one", "b": "two", "c": (here / "one").as_uri()}

    values = values_of(read_mlproject(project).entry("main"), given, project)

    assert [Path(each) for each in values.own.values()] == [
        here / "one",
        project / "two",
        here / "one",
    ]
