"""Command files: what is in them, and what is said of one that can't be used."""

import sys

import pytest

from mlpipeline.errors import ModelError
from mlpipeline.sources import command
from mlpipeline.sources.command_file import CommandFile
from mlpipeline.sources.loading import load_model_file, source_of

PYTHON = sys.executable


def model_of(text):
    return command.CommandModel(CommandFile(text.encode()))


def names(text):
    return [version.name for version in model_of(text).versions]


def argv(model, name, **at_run):
    return model.job(name, {word: f"<{word}>" for word in command.AT_RUN} | at_run).argv


def problem(text):
    with pytest.raises(ModelError) as refused:
        model_of(text)
    return str(refused.value)


def test_a_command_alone_is_one_version():
    model = model_of("command: python train.py --lr 0.1\n")

    assert [version.name for version in model.versions] == ["main"]
    assert argv(model, "main") == ["python", "train.py", "--lr", "0.1"]


def test_versions_add_their_arguments_to_the_command_and_may_fill_in_its_braces():
    model = model_of(
        """
        command: [python, train.py, '--data={data}']
        versions:
          - {name: small, arguments: --lr 0.10, data: a b}
          - {name: large, arguments: [--lr, 1e-3], data: "{model_dir}/x"}
        """
    )

    assert argv(model, "small") == ["python", "train.py", "--data=a b", "--lr", "0.10"]
    assert argv(model, "large")[2:] == ["--data={model_dir}/x", "--lr", "1e-3"]


def test_what_is_known_in_a_run_only_is_filled_in_there():
    model = model_of("command: [x, '{model_dir}', '{run_dir}', '{version}', '{project}']")

    assert argv(model, "main", project="/p") == ["x", "<model_dir>", "<run_dir>", "<version>", "/p"]


def test_a_grid_is_versions_as_those_of_a_script():
    model = model_of("command: x {lr} {deep}\ngrid: {lr: [0.10, 1e-3], deep: [true, no], seed: 3}")

    assert [version.name for version in model.versions] == [
        *("lr=0.1,deep=True", "lr=0.1,deep=no", "lr=0.001,deep=True", "lr=0.001,deep=no")
    ]
    assert argv(model, "lr=0.001,deep=True") == ["x", "1e-3", "true"]
    assert model.versions.get("lr=0.1,deep=no")["seed"] == 3


def test_versions_without_a_name_are_called_by_what_they_say():
    text = "command: x\nversions: [{arguments: --lr 0.1}, {seed: 3}, {overrides: [m=cnn]}]"

    assert names(text) == ["lr=0.1", "seed=3", "m=cnn"]


def test_overrides_that_sweep_are_versions_and_chains_come_in_stages():
    model = model_of("command: x\noverrides: ['c=pre,fit', 'lr=0.1,0.2', p=1]\nchain: c")

    after = {version.name: version.get("after") for version in model.versions}
    assert after == {
        "c=pre,lr=0.1": None,
        "c=pre,lr=0.2": None,
        "c=fit,lr=0.1": ["c=pre,lr=0.1"],
        "c=fit,lr=0.2": ["c=pre,lr=0.2"],
    }
    assert argv(model, "c=fit,lr=0.2") == ["x", "c=fit", "lr=0.2", "p=1"]


def test_the_arguments_of_versions_may_be_stages_as_well():
    model = model_of("command: x {c}\ngrid: {c: [pre, fit], lr: [1, 2]}\nchain: c")

    assert model.versions.get("c=fit,lr=2")["after"] == ["c=pre,lr=2"]


def test_each_version_has_its_own_model_dir_unless_it_says_otherwise():
    own = ("name: a", "name: b, model_dir_suffix: s", "name: c, model_dir_suffix: false")
    model = model_of("command: x\nversions:\n" + "".join(f" - {{{each}}}\n" for each in own))

    suffixes = [version["model_dir_suffix"] for version in model.versions]

    assert suffixes == ["a", "s", None]


def test_words_mean_what_they_mean_in_yaml_1_2():
    text = "command: x\nversions: [{name: a, v: 1e-4}, {name: b, v: yes}, {name: c, v: 12:30}]"

    assert [version["v"] for version in model_of(text).versions] == [1e-4, "yes", "12:30"]


@pytest.mark.parametrize("number", ["9" * 5000, f"0x{'f' * 5000}"])
def test_a_number_that_is_longer_than_python_reads_is_text(number):
    model = model_of(f"command: x\nversions: [{{name: a, v: {number}, arguments: --n {number}}}]")
    version = model.versions.get("a")

    shown = command.shown_parameters(version, model)

    assert version["v"] == number
    assert (shown["v"], shown["n"]) == (number, number)
    assert command.signature(version)


def signatures(text):
    return [command.signature(version) for version in model_of(text).versions]


@pytest.mark.parametrize(
    "changed",
    ["command: x --b\n", "command: x\nenv: {A: 2}\n", "command: x\nversions: [{name: main, p: 1}]"],
)
def test_another_command_variable_or_parameter_is_another_signature(changed):
    assert signatures(changed) != signatures("command: x\nenv: {A: 1}\n")


@pytest.mark.parametrize(
    "changed",
    [
        "env: {API_KEY: two}\ncommand: x a\n",
        "env: {API_KEY: one}\ncommand: [x, a]\ncpus: 4\ntimeout: 9\n",
        "env: {API_KEY: one}\ncommand: x 'a'\nmetrics: {loss: '([0-9])'}\n",
    ],
)
def test_a_new_token_and_what_is_asked_of_the_host_are_none(changed):
    assert signatures(changed) == signatures("env: {API_KEY: one}\ncommand: x a\n")


def test_parameters_are_shown_with_those_among_the_arguments_and_without_secrets():
    model = model_of(
        """
        command: x --fixed 1
        env: {API_KEY: k1, A: b}
        versions: [{name: v, arguments: [--lr, 0.10, --token, k2, --deep, 'db.pw=k3'], seed: 7}]
        """
    )

    shown = command.shown_parameters(model.versions.get("v"), model)

    assert shown == {
        "lr": 0.1,
        "token": "***",
        "deep": True,
        "db.pw": "***",
        "seed": 7,
        "env": {"API_KEY": "***", "A": "b"},
        "command": "x --fixed 1 --lr 0.10 --token '***' --deep 'db.pw=***'",
    }


BAD = {
    "": "it is empty; say what is to run: command: python train.py",
    "cwd: x": "it has no command; say what is to run: command: python train.py",
    "- a": "line 1: the file must have keys",
    "command: x\ncomand: y": "line 2: unknown key comand (did you mean command?)",
    "command: x\ncommand: y": "line 2: the key command is there twice, first in line 1",
    "command: x\nenv:\n  A: 1\n  A: 2": "line 4: the key A is there twice, first in line 3",
    "command: 'x": "line 1: it is no YAML",
    "command: a | b": "line 1: command has |, and no shell runs; put it in single quotes where it "
    "is meant so, or let a shell run: command: [bash, -c, 'a | b']",
    "command: x 'y": "line 1: command can't be split: a ' has no end",
    "command: []": "line 1: command is empty",
    "command: [{a: 1}]": "line 1: command must hold words",
    "command: x\nenv: [A]": "line 2: env must have keys",
    "command: x\nenv: {A: [1]}": "line 2: env's A must be a text",
    "command: x\nversions: {name: a}": "line 2: versions must be a list",
    "command: x\nversions: [a]": "line 2: a version must have keys",
    "command: x\nversions:\n - name: a\n - name: a": "line 4: there are two versions named 'a'",
    "command: x\nversions: [{name: a, metrics: {}}]": "line 2: metrics is for all versions",
    "command: x {lrr}\nversions: [{name: a, lr: 1}]": "line 2: version 'a' has no parameter lrr "
    "for {lrr} (did you mean lr?); braces are kept where they are doubled: {{lrr}}",
    "command: x\nversions: [{name: a, model_dir: 1}]": "line 2: a parameter can't be",
    "command: x\nresume: --from {last}": "line 1: version 'main' has no parameter last for {last}",
    "command: x\ngrid: {lr: []}": "line 2: the list of values for lr is empty",
    "command: x\nmetrics: {loss: 'a'}": "line 2: the expression of the metric loss has 0 groups",
    "command: x\nmetrics: {loss: '(a'}": "line 2: the expression of the metric loss can't be used",
    "command: x\nmetrics: {time: '(a)'}": "line 2: a metric can't be called time",
    "command: x\npreload: [a-b]": "line 2: preload names 'a-b', which is no module",
    "command: x\nstart: hot": "line 2: start is 'hot'; write start: cold",
    "command: x\ntest: {second: 1}": "line 2: test has the unknown key second (did you mean s",
    "command: x\ntest: {seconds: no}": "line 2: test's seconds must be a number above 0",
    "command: x\nmax_versions: 0": "line 2: max_versions must be a whole number above 0",
    "command: x\noverrides: [lr]": "line 2: lr is no override",
    "command: x\noverrides: ['lr=[']": "line 2: ",
    "command: x\noverrides: ['lr=1,2']\ngrid: {a: [1]}": "line 2: lr=1,2 has several values, and "
    "there are versions as well",
    "command: x\noverrides: ['lr=1,2']\nchain: c": "line 3: chain: c is not among the overrides",
    "command: x\noverrides: ['lr=range(1,10000000)']": "line 2: this sweep has 9,999,999 jobs",
    'command: [x, "a\\0b"]': "line 1: command has a NUL character (\\0)",
    'command: "x a\\0b"': "line 1: command has a NUL character (\\0)",
    'command: x\nenv: {A: "a\\0b"}': "line 2: env's A has a NUL character (\\0)",
    'command: x\noverrides: "a=\\0"': "line 2: overrides has a NUL character (\\0)",
    "command: x\nversions: [{name: [a]}]": "line 2: name must be one word",
    "command: x\nversions: [{hydra: {number: 0, dir: [x]}}]": "line 2: hydra's dir must be one",
    "command: x\nversions: [{hydra: {number: true, dir: x}}]": "line 2: hydra needs the number",
    "command: x\nversions: [{name: a, p: &a {<<: *a}}]": "line 2: an anchor (&) holds itself",
    "command: x\nversions: [{name: a, p: &a {<<: &b {<<: *a}}}]": "line 2: an anchor (&) holds it",
    "command: x\nversions: [{name: a, p: &p [*p]}]": "line 2: an anchor (&) holds itself",
}


@pytest.mark.parametrize("text", BAD)
def test_what_can_not_be_meant_is_told_with_its_line(text):
    assert problem(text).startswith(BAD[text])


def test_a_sweep_may_have_more_jobs_where_the_file_says_so():
    assert len(names("command: x\noverrides: ['a=range(0,10001)']\nmax_versions: 20000")) == 10001


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    return tmp_path


def checked(folder, text):
    path = folder / "models" / "m.yaml"
    path.write_text(text)
    model = load_model_file(str(path), str(folder / "models"))
    return source_of(str(path)).ordered_versions(model)


def test_what_a_command_is_made_of_is_among_the_files_that_were_read(at_home):
    (at_home / "train.py").touch()
    (at_home / "pkg").mkdir()
    (at_home / "pkg" / "mod.py").touch()
    (at_home / "data.csv").touch()
    command.STAMPS.clear()

    checked(at_home, f"command: [{PYTHON}, train.py, -m, pkg.mod, data.csv, /etc/hosts]")

    files = {path.removeprefix(f"{at_home}/") for path in command.STAMPS}
    assert files == {"models/m.yaml", "train.py", "pkg/mod.py"}


@pytest.mark.parametrize(
    "text, told",
    [
        ("command: nosuch", "line 1: it can't run here: there is no program nosuch on the PATH"),
        ("command: ./nosuch", "line 1: it can't run here: there is no program "),
        ("command: A=1 python x", "line 1: it can't run here: there is no program A=1; write var"),
        ("command: ./plain", "line 1: it can't run here: "),
        ("command: python -u no.py", "line 1: it can't run here: there is no no.py in /"),
        ("command: python -m no.pkg", "line 1: it can't run here: there is no module no.pkg; i"),
        ("command: x\ncwd: gone", "line 2: cwd gone is no folder; make "),
    ],
)
def test_what_can_not_run_here_is_told_before_it_runs(at_home, text, told):
    (at_home / "plain").touch()
    command.STAMPS.clear()

    with pytest.raises(ModelError) as refused:
        checked(at_home, text)

    assert str(refused.value).startswith(told)
    assert command.STAMPS.keys() != {str(at_home / "models" / "m.yaml")} or "plain" in text


@pytest.mark.parametrize(
    "text",
    [
        "command: python -m json.tool",
        "command: python -m here",
        "command: python -c 'print(1)' x.py",
        "command: python {model_dir}/made.py",
        "command: bash -c 'python made.py'",
        "command: python -m elsewhere\nenv: {PYTHONPATH: /elsewhere}",
    ],
)
def test_what_may_be_there_when_it_runs_is_not_refused(at_home, text):
    (at_home / "here.py").touch()

    assert checked(at_home, text)


def test_the_modules_that_a_script_imports_are_among_the_files_that_were_read(at_home):
    (at_home / "src").mkdir()
    for name in ("beside", "far", "other"):
        (at_home / "src" / f"{name}.py").touch()
    (at_home / "src" / "train.py").write_text("import beside")
    (at_home / "app.py").write_text("import far, other_one")
    command.STAMPS.clear()

    checked(at_home, "command: python src/train.py")
    checked(at_home, "command: python -m app\nenv: {PYTHONPATH: src}")

    files = {path.removeprefix(f"{at_home}/") for path in command.STAMPS}
    assert files == {"models/m.yaml", "src/train.py", "src/beside.py", "app.py", "src/far.py"}


@pytest.mark.parametrize(
    "line, told",
    [
        ("batch_size: 0", "has batch_size=0; it must be a positive integer"),
        ("order: x", "has order='x'; it must be a number"),
    ],
)
def test_standard_parameters_are_checked_as_those_of_scripts(at_home, line, told):
    with pytest.raises(ModelError, match=told):
        checked(at_home, f"command: {PYTHON}\nversions: [{{name: a, {line}}}]")


def test_a_file_that_is_kept_is_not_parsed_again_until_it_is_another(at_home):
    path = at_home / "models" / "m.yaml"
    path.write_text("command: x\n")
    command.keep(str(path))
    one = command.load_model(str(path), "")
    path.write_text("command: y\n")

    other = command.load_model(str(path), "")

    assert command.load_model(str(path), "") is not one
    assert other.versions.get("main")["command"] == ["y"]


def test_a_name_that_ends_as_an_attempt_is_refused_with_its_line():
    text = "command: x\nversions:\n- {name: a, lr: 1}\n- {name: 'a#2', lr: 2}\n"

    assert problem(text) == (
        "line 4: no version can be called 'a#2', since #2 behind a name is the number of an "
        "attempt; call it 'a-2', say"
    )


GROUPS = "command: python src/app.py{more}\noverrides: ['model=glob(*)']\n"
HYDRA_APP = """
import hydra
@hydra.main(version_base=None, config_name="config", config_path="conf")
def main(cfg): ...
"""


@pytest.mark.parametrize("text, more", [(HYDRA_APP, ""), ("", " --config-dir src/conf")])
def test_glob_finds_the_groups_of_the_app(at_home, text, more):
    for name in ("cnn", "mlp"):
        group = at_home / "src" / "conf" / "model"
        group.mkdir(parents=True, exist_ok=True)
        (group / f"{name}.yaml").write_text("x: 1")
    (at_home / "src" / "conf" / "config.yaml").touch()
    (at_home / "src" / "app.py").write_text(text)

    assert names(GROUPS.format(more=more)) == ["model=cnn", "model=mlp"]


def test_where_the_groups_of_the_app_lie_is_asked_for(at_home):
    assert problem(GROUPS.format(more="")) == (
        "line 2: model=glob(*) asks which configs there are, and it can't be told where they lie; "
        "name them: model=cnn,mlp; or say --config-dir FOLDER in the command"
    )
