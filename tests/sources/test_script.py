"""Model scripts: loading one, its versions in order, and what signs a version."""

import functools
import hashlib
import json
import os
import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipeline import DataLoader, Model, Versions, version_parameters
from mlpipeline.errors import ModelError
from mlpipeline.sources import imports
from mlpipeline.sources.script import (
    load_model,
    model_dir_name,
    ordered_versions,
    shown_parameters,
    signature,
)

SCRIPT = """
from mlpipeline.helper import DataLoader, Model
from mlpipeline.utils import Versions

class Digits(Model):
    pass

versions = Versions(0.01, DataLoader(), 1, 10)
versions.addV("version1", custom_paramters={"hyperparameter": "x"})
MODEL = Digits(versions=versions)
"""


class Digits(DataLoader):
    pass


class Letters(DataLoader):
    pass


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Loads a script that is written to models_dir, and undoes what that does to Python."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = dict(sys.modules)

    def load(text, name="script.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return load_model(str(path), str(tmp_path))

    yield load
    for name in set(sys.modules) - set(before):
        monkeypatch.delitem(sys.modules, name)


def version(**parameters):
    return Versions(0.01, Digits(), 32, 10).add("v", **parameters)


# --- load_model


def test_a_script_gives_its_global_model(load):
    model = load(SCRIPT)

    assert isinstance(model, Model)
    assert type(model).__name__ == "Digits"
    assert model.versions.get("version1")["hyperparameter"] == "x"


def test_a_script_is_a_module_called_after_its_file(load):
    model = load(SCRIPT, "digits.py")

    assert type(model).__module__ == "digits"
    assert sys.modules["digits"].MODEL is model


@pytest.mark.parametrize("name", ["json.py", "os.path.py", "v1.2.py", "my model.py", "größe.py"])
def test_a_script_may_have_any_file_name_and_takes_the_place_of_no_module(name, load):
    model = load(SCRIPT, name)

    assert type(model).__name__ == "Digits"
    assert (sys.modules["json"], sys.modules["os.path"]) == (json, os.path)


def test_the_objects_of_a_script_can_be_pickled(load):
    model = load(SCRIPT, "digits.py")

    assert type(pickle.loads(pickle.dumps(model))) is type(model)


def test_a_script_knows_its_own_file(load, tmp_path):
    model = load(SCRIPT + "MODEL.where = __file__\n", "sub/digits.py")

    assert model.where == str(tmp_path / "sub" / "digits.py")


def test_a_script_finds_modules_beside_itself_and_in_models_dir(load, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "top_helper.py").write_text("NAME = 'top'")
    (tmp_path / "sub" / "near_helper.py").write_text("NAME = 'near'")

    model = load(
        "import near_helper, top_helper\n"
        + SCRIPT
        + "MODEL.helpers = near_helper.NAME, top_helper.NAME\n",
        "sub/digits.py",
    )

    assert model.helpers == ("near", "top")


def test_a_module_beside_the_script_comes_before_one_in_models_dir(load, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "_helper.py").write_text("NAME = 'top'")
    (tmp_path / "sub" / "_helper.py").write_text("NAME = 'near'")

    model = load("import _helper\n" + SCRIPT + "MODEL.helper = _helper.NAME\n", "sub/digits.py")

    assert model.helper == "near"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it has no global MODEL; add MODEL = "),
        ("model = 3", "it has no global MODEL; add MODEL = "),
        ("def make():\n    MODEL = 3", "it has no global MODEL"),
        ("from mlpipeline import Model\nMODEL = Model", "its MODEL is a class"),
        ("MODEL = None", "its MODEL is of type NoneType"),
        ("MODEL = {}", "its MODEL is of type dict; it must be an instance of mlpipeline.Model"),
    ],
)
def test_a_script_without_a_usable_model_is_told_what_it_lacks(text, said, load):
    with pytest.raises(ModelError) as caught:
        load(text)

    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("1 / 0", ZeroDivisionError),
        ("import no_such_module", ModuleNotFoundError),
        ("MODEL = (", SyntaxError),
        ("raise SystemExit(3)", SystemExit),
        ("raise KeyboardInterrupt", KeyboardInterrupt),
        ("raise AttributeError('MODEL')", AttributeError),
    ],
)
def test_what_the_script_raises_passes_through(text, error, load):
    with pytest.raises(error):
        load(text)


# --- ordered_versions


def model_with(versions):
    return Model(versions)


def test_versions_run_in_the_order_they_were_added_unless_they_have_an_order():
    versions = Versions(0.01, Digits(), 1, 1)
    for name, order in [("a", None), ("b", None), ("first", -1), ("middle", 0.5)]:
        versions.add(name, order=order)

    ordered = ordered_versions(model_with(versions))

    assert [each.name for each in ordered] == ["first", "a", "middle", "b"]


def test_versions_of_one_order_run_in_the_order_they_were_added():
    versions = Versions(0.01, Digits(), 1, 1, order=5)
    for name in "cab":
        versions.add(name)

    assert [each.name for each in ordered_versions(model_with(versions))] == ["c", "a", "b"]


@pytest.mark.parametrize("versions", [None, [], {"v": {}}])
def test_a_model_without_versions_is_told_how_to_have_some(versions):
    with pytest.raises(ModelError, match=r"no Versions; call super\(\).__init__\(versions\)"):
        ordered_versions(model_with(versions))


def test_a_model_with_no_version_is_told_to_add_one():
    with pytest.raises(ModelError, match=r"has no versions; add one with versions\.add"):
        ordered_versions(model_with(Versions()))


@pytest.mark.parametrize(
    "key",
    [
        version_parameters.DATALOADER,
        version_parameters.BATCH_SIZE,
        version_parameters.EPOC_COUNT,
    ],
)
def test_a_version_that_lacks_a_mandatory_parameter_is_named(key):
    parameters = {"dataloader": Digits(), "batch_size": 1, "epoc_count": 1, key: None}
    versions = Versions(**parameters)
    versions.add("lr=0.1")

    with pytest.raises(ModelError, match=rf"version 'lr=0\.1' has no {key}; pass it to"):
        ordered_versions(model_with(versions))


@pytest.mark.parametrize("key", ["batch_size", "epoc_count"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True, [1]])
def test_a_batch_size_or_epoch_count_that_is_no_positive_integer_is_refused(key, value):
    versions = Versions(**{"dataloader": Digits(), "batch_size": 1, "epoc_count": 1, key: value})
    versions.add("v")

    with pytest.raises(ModelError, match=rf"version 'v' has {key}=.*must be a positive integer"):
        ordered_versions(model_with(versions))


def test_integers_of_other_libraries_are_integers():
    numpy = pytest.importorskip("numpy")
    versions = Versions(0.1, Digits(), numpy.int64(32), numpy.int32(10), order=numpy.int64(0))
    versions.add("v")

    assert len(ordered_versions(model_with(versions))) == 1


@pytest.mark.parametrize("order", ["first", True, [1], float("nan")])
def test_an_order_that_is_no_number_is_refused(order):
    versions = Versions(0.1, Digits(), 1, 1)
    versions.add("v", order=order)

    with pytest.raises(ModelError, match=r"version 'v' has order=.*must be a number"):
        ordered_versions(model_with(versions))


# --- signature


def test_a_signature_is_8_hex_digits():
    sign = signature(version())

    assert len(sign) == 8
    assert int(sign, 16) >= 0


def test_versions_of_the_same_parameters_have_the_same_signature():
    one, other = version(depth=2, layers=[64, 32]), version(layers=[64, 32], depth=2)

    assert one is not other
    assert signature(one) == signature(other)


def test_neither_name_nor_order_nor_the_loaders_identity_count():
    versions = Versions(0.01, None, 32, 10)

    one = versions.add("one", dataloader=Digits(), order=7)
    other = versions.add("other", dataloader=Digits())

    assert signature(one) == signature(other)


def test_a_loader_signs_alike_as_an_instance_and_as_its_class():
    assert signature(version(dataloader=Digits)) == signature(version(dataloader=Digits()))


@pytest.mark.parametrize(
    "changed",
    [
        {"learning_rate": 0.1},
        {"batch_size": 64},
        {"epoc_count": 11},
        {"model_dir_suffix": "b"},
        {"dataloader": Letters()},
        {"depth": 2},
        {"hooks": len},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_signature_changes_with_a_parameter(changed):
    assert signature(version(**changed)) != signature(version())


@given(
    st.lists(
        st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False), unique_by=repr
    )
)
def test_different_values_of_a_parameter_have_different_signatures(values):
    signs = {signature(version(depth=value)) for value in values}

    assert len(signs) == len(values)


def test_a_signature_is_the_same_in_every_process(tmp_path):
    (tmp_path / "script.py").write_text(
        """
import enum, functools
from mlpipeline import DataLoader, Model, Versions

class Digits(DataLoader): pass
class Colour(enum.Enum): RED = 1
class Thing: pass
def activation(x): return x

versions = Versions(0.01, Digits(), 32, 10)
versions.add(
    "v", classes={"b", "a", "c"}, function=activation, inline=lambda x: x, colour=Colour.RED,
    thing=Thing(), kind=Thing, partial=functools.partial(activation, 1), bytes=b"x",
    nested={"z": {1, 2, "y"}, "a": [None, float("nan")]}, mixed=frozenset({"p", 3, (1, "q")}),
)
MODEL = Model(versions)
"""
    )
    code = (
        "import sys; from mlpipeline.sources.script import *;"
        "print(signature(load_model(sys.argv[1], sys.argv[2]).versions.get('v')))"
    )

    signs = {
        subprocess.check_output(
            [sys.executable, "-B", "-c", code, str(tmp_path / "script.py"), str(tmp_path)],
            env={"PYTHONHASHSEED": seed},
            text=True,
        )
        for seed in ("0", "1", "2", "random")
    }

    assert len(signs) == 1


def test_signatures_stay_what_they_were_since_histories_are_full_of_them():
    canonical = (
        f'{{"batch_size":32,"dataloader":"{__name__}.Digits","epoc_count":10,'
        '"learning_rate":0.01,"model_dir_suffix":null}'
    )

    sign = signature(version())

    assert sign == hashlib.sha256(canonical.encode()).hexdigest()[:8]


# --- what is shown, and the model_dir


def test_shown_parameters_are_those_that_are_set_in_modern_words_with_the_loaders_class():
    shown = shown_parameters(version(depth=2, activation=len, suffix=None))

    assert shown == {
        "learning_rate": 0.01,
        "batch_size": 32,
        "epoch_count": 10,
        "depth": 2,
        "activation": "builtins.len",
        "dataloader": f"{__name__}.Digits",
    }


def test_a_loader_that_a_function_makes_is_shown_by_that_function():
    def make():
        return Digits()

    shown = shown_parameters(version(dataloader=make))["dataloader"]

    assert shown.endswith("<locals>.make")


def test_a_loader_with_its_arguments_bound_is_shown_without_them():
    shown = shown_parameters(version(dataloader=functools.partial(Digits)))["dataloader"]

    assert "0x" not in shown


@pytest.mark.parametrize(
    ("suffix", "name"),
    [(None, "digits"), ("", "digits"), ("big", "digits-big"), (0, "digits-0")],
)
def test_a_model_dir_is_called_after_the_model_and_the_suffix(suffix, name):
    assert model_dir_name("digits", version(model_dir_suffix=suffix)) == name


def test_a_script_finds_modules_of_the_project_after_those_beside_it(load, tmp_path, monkeypatch):
    (tmp_path / "of_project.py").write_text("WHERE = 'project'")
    (tmp_path / "of_both.py").write_text("WHERE = 'project'")
    models_dir = tmp_path / "models"
    models_dir.mkdir()
    (models_dir / "of_both.py").write_text("WHERE = 'models_dir'")
    monkeypatch.chdir(tmp_path)
    text = "import of_both, of_project\nFOUND = of_both.WHERE, of_project.WHERE\n"
    (models_dir / "finder.py").write_text(text + SCRIPT)

    load_model(str(models_dir / "finder.py"), str(models_dir))

    assert sys.modules["finder"].FOUND == ("models_dir", "project")
    assert str(tmp_path / "of_project.py") in imports.STAMPS  # its edits are the script's, too


def test_a_name_that_ends_as_an_attempt_is_refused_however_the_version_came_there():
    versions = Versions(0.01, Digits(), 1, 10)
    versions.addV("a")
    versions.versions["a#2"] = type(versions.get("a"))({**versions.get("a"), "name": "a#2"})

    with pytest.raises(ModelError, match="no version can be called 'a#2'"):
        ordered_versions(Model(versions))
