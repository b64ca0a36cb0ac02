"""The section [MLFLOW] of mlp.config."""

from __future__ import annotations

import pytest

from mlpipeline.errors import ConfigError
from mlpipeline.state.ini import IniFile
from mlpipeline.state.mlflow_config import read_mlflow


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def read(*lines):
        text = "[MLP]\nmodels_dir = models\n" + "".join(f"{line}\n" for line in lines)
        return read_mlflow(IniFile(tmp_path / "mlp.config", text))

    return read


def test_without_the_section_nothing_is_sent(read):
    assert read() == (None, [])


@pytest.mark.parametrize(
    ("uri", "meant"),
    [
        ("http://host:5000", "http://host:5000"),
        ("$TRACKING", "$TRACKING"),
        ("databricks", "databricks"),
        ("sqlite:///mlflow.db", "sqlite:///{project}/mlflow.db"),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
        ("mlruns", "file://{project}/mlruns"),
        ("../runs", "file://{above}/runs"),
        ("/data/runs", "file:///data/runs"),
    ],
)
def test_a_place_on_the_disk_is_meant_relative_to_the_project(read, tmp_path, uri, meant):
    settings, warnings = read("[MLFLOW]", f"tracking_uri = {uri}")
    assert settings.uri == meant.format(project=tmp_path, above=tmp_path.parent)
    assert warnings == []


def test_mlflows_own_variable_says_where_the_section_does_not(read, monkeypatch):
    settings, (warning,) = read("[MLFLOW]")
    assert settings is None
    assert "mlp.config:3: [MLFLOW] has no tracking_uri, so nothing is sent" in warning
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    settings, warnings = read("[MLFLOW]")
    assert (settings.uri, warnings) == ("$MLFLOW_TRACKING_URI", [])


def test_an_experiment_is_named_by_the_model_and_the_project(read):
    settings, _ = read("[MLFLOW]", "tracking_uri = x", "experiment = {project}/{model} v2")
    assert settings.experiment_of("digits", "demo") == "demo/digits v2"
    settings, _ = read("[MLFLOW]", "tracking_uri = x")
    assert settings.experiment_of("digits", "demo") == "digits"


def test_braces_that_stand_for_nothing_are_an_error_with_its_line(read):
    with pytest.raises(ConfigError, match=r"mlp.config:5: experiment has \{modle\}.*model"):
        read("[MLFLOW]", "tracking_uri = x", "experiment = {modle}")


@pytest.mark.parametrize("line", ["wait = soon", "wait = -1", "timeout = 0"])
def test_a_number_that_is_none_is_an_error_with_its_line(read, line):
    with pytest.raises(ConfigError, match=r"mlp.config:5: "):
        read("[MLFLOW]", "tracking_uri = x", line)


def test_the_address_is_not_shown(read):
    settings, _ = read("[MLFLOW]", "tracking_uri = http://me:secret@host")
    assert "secret" not in repr(settings)
