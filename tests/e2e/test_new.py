"""`mlpipeline new`: projects, models and steps from templates, the package's or one's own."""

import ast
import json
import os
import subprocess
from pathlib import Path

import pytest
from projects import COMMAND, called

pytest.importorskip("cookiecutter")


@pytest.fixture
def new(tmp_path):
    def new(*arguments, text=None):
        return subprocess.run(
            [*COMMAND, "new", *arguments],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            input=text,
            timeout=60,
        )

    (tmp_path / "home").mkdir()
    return new


@pytest.fixture
def template(tmp_path):
    """A team's own template, in a git repository."""
    root = tmp_path / "team"
    inner = root / "kinds" / "step" / "{{cookiecutter.slug}}"
    inner.mkdir(parents=True)
    (inner.parent / "cookiecutter.json").write_text(
        json.dumps({"step_name": "x", "slug": "{{cookiecutter.step_name}}-ours", "who": "nobody"})
    )
    (inner / "file.txt").write_text("{{cookiecutter.who}}")
    for arguments in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"],
        ["tag", "1.0"],
    ):
        subprocess.run(["git", *arguments], cwd=root, check=True)
    return root


def test_a_project_is_what_init_makes(new, tmp_path):
    done = new("project", "ours")
    called([*COMMAND, "init", "theirs"], tmp_path)

    assert done.returncode == 0, done.stderr
    ours, theirs = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("ours", "theirs")
    )
    assert ours == theirs
    assert called([*COMMAND, "-C", "ours"], tmp_path).returncode == 0


def test_a_model_is_rehearsed_as_it_is(new, tmp_path):
    new("project", "p")
    done = new("model", "res-net", "--no-input", "-C", "p", "-P", "learning_rates=1, 2")
    called([*COMMAND, "-C", "p", "add", "--test", "res-net"], tmp_path)

    rehearsed = called([*COMMAND, "-C", "p"], tmp_path)

    assert done.returncode == 0, done.stderr
    assert rehearsed.returncode == 0, rehearsed.stdout + rehearsed.stderr
    assert "res-net/lr=2" in rehearsed.stdout


def test_a_step_asks_for_what_it_needs(new, tmp_path):
    done = new("step", "clean", text="my go.py\ngo.py\njob\nShort\nLong\na, b 1\na, b\n")

    assert done.returncode == 0, done.stderr
    made = tmp_path / "src" / "clean"
    assert sorted(each.name for each in made.iterdir()) == ["MLproject", "conda.yml", "go.py"]
    assert "no script can be called 'my go.py'" in done.stderr
    assert "'b 1' can't be the name of a parameter" in done.stderr
    assert f"Next: mlpipeline run {Path('src/clean')} -P a=… -P b=…\n" in done.stdout
    assert '"""Short\n\nLong\n"""' in (made / "go.py").read_text()
    (made / "go.py").write_text("import sys; print('given', sys.argv[1:])")
    ran = called([*COMMAND, "run", "src/clean", "-P", "a=1", "-P", "b=x y"], tmp_path)
    assert "given ['--a', '1', '--b', 'x y']" in ran.stdout, ran.stderr


TEXTS = ['the "data"', '"', 'it\'s """so"""', "back\\", "\\N{no}", "two\nlines"]


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_is_the_text_of_a_working_file(new, tmp_path, text):
    new("project", "p")
    names = ("short_description", "long_description", "job_type")
    step = new("step", "x", "--no-input", *(f"-P{each}={text}" for each in names))
    model = new("model", "x", "--no-input", "-C", "p", "-P", f"description={text}")

    assert (step.returncode, model.returncode) == (0, 0), step.stderr + model.stderr
    program = ast.parse((tmp_path / "src" / "x" / "run.py").read_text())
    assert ast.get_docstring(program, clean=False) == f"{text}\n\n{text}\n"
    constants = [each.value for each in ast.walk(program) if isinstance(each, ast.Constant)]
    assert constants.count(text) == 2
    script = ast.parse((tmp_path / "p" / "models" / "x.py").read_text())
    assert ast.get_docstring(script, clean=False) == text


@pytest.mark.parametrize("name", ["3d", "none", "data", "versions", "a+b"])
def test_a_model_of_any_name_can_be_read(new, tmp_path, name):
    new("project", "p")
    assert new("model", name, "--no-input", "-C", "p").returncode == 0
    called([*COMMAND, "-C", "p", "add", "--test", name], tmp_path)
    rehearsed = called([*COMMAND, "-C", "p"], tmp_path)
    assert rehearsed.returncode == 0, rehearsed.stdout + rehearsed.stderr


def test_what_is_answered_is_not_asked_again(new, template, tmp_path):
    new("project", "p")
    model = new("model", "x", "-C", "p", "-P", "batch_size=4", text="Mine\nmany\n3\n0.5\n")
    team = new("step", "a", "--template", str(template / "kinds" / "step"), text="a-it\nme\n")

    assert model.returncode == 0, model.stderr
    assert "'many' is no whole number above 0" in model.stderr
    script = (tmp_path / "p" / "models" / "x.py").read_text()
    assert "batch_size=4" in script and "epoch_count=3" in script and '"lr=0.5"' in script
    assert "mlpipeline add --test x " in model.stdout
    assert team.returncode == 0, team.stderr
    assert (tmp_path / "src" / "a-it" / "file.txt").read_text() == "me"


def test_a_step_may_have_no_parameters(new, tmp_path):
    new("step", "x", "--no-input", "-P", "parameters=")

    compile((tmp_path / "src" / "x" / "run.py").read_text(), "run.py", "exec")
    assert "parameters" not in (tmp_path / "src" / "x" / "MLproject").read_text()


@pytest.mark.parametrize("form", ["{}/kinds/step", "{}#kinds/step", "file://{}#kinds/step"])
def test_a_team_has_templates_of_its_own(new, template, tmp_path, form):
    done = new("step", "a", "--template", form.format(template), "--no-input", "-P", "who=me")

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "src" / "a-ours" / "file.txt").read_text() == "me"


def test_json_says_what_was_written(new, tmp_path):
    done = new("step", "a", "--no-input", "--json", "-o", "x/y")

    made = json.loads(done.stdout)
    assert made["folder"] == str(tmp_path / "x/y/a") or made["folder"] == "x/y/a"
    assert len(made["wrote"]) == 3


BAD = {
    ("step", "../x"): "no step can be called '../x'",
    ("step", ".x"): "no step can be called",
    ("step", "x", "--template", "nowhere"): "can't be used",
    ("step", "x", "--template", "home"): "has no cookiecutter.json, so it is no template",
    ("step", "x", "--template", "file:///nowhere.git", "--no-input"): "can't be fetched",
    ("step", "x"): "say --no-input, or give answers with -P",
    ("model", "x", "--no-input"): "mlp.config",
    ("project", "home"): "",
    ("step", "x", "-P", "y", "--no-input"): "write -P name=value",
    ("thing", "x"): "'thing' is not one of",
    ("model", "x", "-C", "proj", "-P", "batch_size=abc"): "'abc' is no whole number above 0",
    ("model", "x", "-C", "proj", "-P", "epoch_count=0"): "'0' is no whole number above 0",
    ("model", "x", "-C", "proj", "-P", "learning_rates="): "'' is no number above 0",
    ("model", "x", "-C", "proj", "-P", "learning_rates=1,01"): "'01' is no number above 0",
    ("model", "x", "-C", "proj", "-P", "learning_rates=1e999"): "'1e999' is no number above 0",
    ("model", "x", "-C", "proj", "-P", "learning_rates=1,1"): "1 is there 2 times",
    ("model", "x", "-C", "proj", "-P", "model_name=y"): "model_name=y contradicts the name x",
    ("step", "x", "-P", "step_name=other"): "step_name=other contradicts the name x",
    ("step", "x", "-P", "nope=1"): "-P nope: the template asks nothing of that name; it asks",
    ("step", "x", "-P", "job_typ=1"): "(did you mean job_type?)",
    ("step", "x", "-P", "script_name=my run.py"): "no script can be called 'my run.py'",
    ("step", "x", "-P", "script_name=MLproject"): "no script can be called 'MLproject'",
    ("step", "x", "-P", "parameters=a,a b,1x"): "'a b' can't be the name of a parameter",
    ("step", "x", "-P", "parameters=a,1x"): "'1x' can't be the name of a parameter",
    ("step", "x", "-P", "parameters=help"): "'help' can't be the name of a parameter",
    ("step", "my step"): "no step can be called 'my step'",
}


@pytest.mark.parametrize("arguments", BAD)
def test_what_cant_be_made_is_told_and_nothing_is_left(new, tmp_path, arguments):
    (tmp_path / "home" / "mine").touch()
    if "proj" in arguments:
        new("project", "proj")
        (tmp_path / "proj" / "models" / "first_model.py").unlink()
    done = new(*arguments, text="")

    assert done.returncode == 2, done.stdout
    assert BAD[arguments] in done.stderr
    assert "Traceback" not in done.stderr
    left = {each.name for each in tmp_path.iterdir()}
    assert left <= {"home", "src", "proj"}
    assert not list(tmp_path.glob("proj/models/*"))
    assert not (tmp_path / "src").exists() or not any((tmp_path / "src").iterdir())


def test_what_is_there_is_not_written_over(new, tmp_path):
    (tmp_path / "src" / "x").mkdir(parents=True)
    (tmp_path / "src" / "x" / "mine").write_text("mine")
    done = new("step", "x", "--no-input")
    new("project", "p")
    model = new("model", "first_model", "--no-input", "-C", "p")

    assert (done.returncode, model.returncode) == (2, 2)
    assert "is there already" in done.stderr + model.stderr
    assert [each.name for each in (tmp_path / "src" / "x").iterdir()] == ["mine"]
