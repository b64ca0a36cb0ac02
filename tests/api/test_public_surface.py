"""The public surface: the names that model scripts import, and what the import costs them."""

import subprocess
import sys
from pathlib import Path

import pytest

import mlpipeline
import mlpipeline.helper
import mlpipeline.utils

HEAVY = {"typing", "dataclasses", "msgspec", "click", "rich", "yaml", "subprocess", "logging"}
ROOT = Path(mlpipeline.__file__).parents[1]


def modules_after(code):
    """The modules that a bare interpreter (-I -S: no site, no .pth files) has after ``code``."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}\nprint(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", code]
    return set(subprocess.check_output(command, text=True).split())


def test_mlpipeline_exports_what_a_modern_script_needs():
    assert sorted(mlpipeline.__all__) == [
        "DataLoader",
        "ExecutionModeKeys",
        "Metric",
        "MetricContainer",
        "ModeKeys",
        "Model",
        "Version",
        "Versions",
        "__version__",
        "log",
        "log_artifact",
        "log_metrics",
        "version_parameters",
    ]


def test_helper_exports_the_historic_classes():
    assert sorted(mlpipeline.helper.__all__) == ["DataLoader", "Dataloader", "Model"]


def test_utils_exports_the_historic_names():
    assert sorted(mlpipeline.utils.__all__) == [
        "ExecutionModeKeys",
        "Metric",
        "MetricContainer",
        "ModeKeys",
        "Versions",
        "add_script_dir_to_PATH",
        "console_colors",
        "log",
        "set_logger",
        "version_parameters",
    ]


@pytest.mark.parametrize("module", [mlpipeline, mlpipeline.helper, mlpipeline.utils])
def test_every_exported_name_is_there(module):
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


@pytest.mark.parametrize("module", [mlpipeline, mlpipeline.helper, mlpipeline.utils])
def test_every_public_name_that_is_no_module_is_exported(module):
    defined = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, type(sys))
    }

    assert defined - set(module.__all__) == set()


def test_one_name_means_one_thing_in_all_faces():
    for face in (mlpipeline.helper, mlpipeline.utils):
        for name in set(face.__all__) & set(mlpipeline.__all__):
            assert getattr(face, name) is getattr(mlpipeline, name)


def test_the_parameters_words_are_the_historic_ones():
    words = {k: v for k, v in vars(mlpipeline.version_parameters).items() if k.isupper()}

    assert words == {
        "NAME": "name",
        "DATALOADER": "dataloader",
        "BATCH_SIZE": "batch_size",
        "EPOC_COUNT": "epoc_count",
        "EPOCH_COUNT": "epoc_count",
        "LEARNING_RATE": "learning_rate",
        "MODEL_DIR_SUFFIX": "model_dir_suffix",
        "ORDER": "order",
        "HOOKS": "hooks",
        "CLASSES_COUNT": "classes_count",
        "CLASSES_OFFSET": "classes_offset",
        "USE_ALL_CLASSES": "use_all_classes",
    }


def test_the_modes_are_the_historic_ones():
    assert [mode.name for mode in mlpipeline.ExecutionModeKeys] == ["TRAIN", "TEST"]
    assert [mode.name for mode in mlpipeline.ModeKeys] == ["TRAIN", "PREDICT", "EVALUATE"]


@pytest.mark.parametrize("module", ["mlpipeline", "mlpipeline.helper"])
def test_importing_it_imports_nothing_heavy(module):
    bare = modules_after("pass")

    imported = modules_after(f"import {module}") - bare

    assert imported & HEAVY == set()
    assert module in imported


def test_importing_mlpipeline_imports_none_of_the_inner_rooms():
    imported = modules_after("import mlpipeline")

    ours = {name for name in imported if name.startswith("mlpipeline.")}
    assert {name.split(".")[1] for name in ours} == {"api"}
