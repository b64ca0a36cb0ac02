"""What a run takes for its job's config is what the launcher composed, or nothing."""

import pickle

import pytest

pytest.importorskip("hydra")

from mlpipeline.api.composing import FastLoader, task_container
from mlpipeline.api.handover import Handovers, config_digest, load_handover
from mlpipeline.api.hydra_adapter import OmegaConf, RunMode, begin_app

CONFIGS = {
    "config": "defaults: [_self_, db: a]\nlr: 0.1\nnamed: '${db.name}-${lr}'\n",
    "db/a": "name: a\n",
    "db/b": "name: b\n",
}


@pytest.fixture
def handed(tmp_path):
    """Hands over the config of a job; returns how it would be loaded, and what it is by Hydra."""
    for name, text in CONFIGS.items():
        path = tmp_path / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    loader = begin_app("app", str(tmp_path / "conf"), None)
    master = loader.load_configuration("config", ["hydra.verbose=true"], RunMode.MULTIRUN)
    handovers = Handovers(FastLoader(loader), master, ["hydra.verbose=true"])

    def hand_over(*overrides: str):
        digest, name = handovers.add(overrides)
        path = tmp_path / name
        path.write_bytes(handovers.files[name])
        return str(path), digest, loader.load_sweep_config(master, list(overrides)), handovers

    return hand_over


def test_it_is_as_hydra_composes_it(handed):
    for overrides in (["lr=0.2"], ["db=b", "lr=0.3"], ["+x=1", "~lr"], []):
        path, digest, config, _ = handed(*overrides)

        loaded, name = load_handover(path, ["hydra.verbose=true", *overrides], digest)

        assert name == "app"
        assert loaded == config
        assert OmegaConf.to_yaml(loaded.hydra) == OmegaConf.to_yaml(config.hydra)


def test_jobs_that_differ_in_values_share_a_file(handed):
    handed("lr=1", "db=b")
    handed("lr=2", "db=b")
    *_, handovers = handed("lr=2", "db=a")

    assert len(handovers.files) == 2


@pytest.mark.parametrize(
    "overrides",
    [["lr=0.2", "hydra.verbose=true"], ["hydra.verbose=true", "lr=0.3"], ["lr=0.2"], []],
)
def test_with_other_overrides_it_counts_only_where_it_comes_to_the_same(handed, overrides):
    path, digest, config, _ = handed("lr=0.2")

    loaded = load_handover(path, overrides, digest)

    same = sorted(overrides) == ["hydra.verbose=true", "lr=0.2"]
    assert (loaded is not None) == same
    assert loaded is None or loaded[0] == config


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps({"lines": []})])
def test_what_is_damaged_or_gone_does_not_count(tmp_path, content):
    (tmp_path / "file").write_bytes(content)

    assert load_handover(str(tmp_path / "file"), [], "") is None
    assert load_handover(str(tmp_path / "nothing"), [], "") is None


def test_the_order_of_keys_does_not_make_another_config():
    one, other = (
        {"a": 1, "b": {"c": [1, 2], "d": "${e}"}},
        {"b": {"d": "${e}", "c": [1, 2]}, "a": 1},
    )

    assert config_digest(one) == config_digest(other)
    assert config_digest(one) != config_digest({**one, "a": 1.0})
    assert config_digest(task_container(OmegaConf.create(one))) == config_digest(one)
