"""Versions from Hydra: what they are called, what they hold, and what a run keeps of its job."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml
from api_configs import write_configs

from mlpipeline import DataLoader, Versions
from mlpipeline.api import listed
from mlpipeline.api.hydra_adapter import HydraProblem
from mlpipeline.api.sweeps import TooManyJobs
from mlpipeline.core.narrowing import are_names
from mlpipeline.errors import HydraMissing, ModelError
from mlpipeline.sources.script import shown_parameters, signature

pytestmark = pytest.mark.usefixtures("hydra")
GIVEN = {"batch_size": "params.batch_size", "epoch_count": "params.nested.a"}


def made(conf, *overrides, **more) -> Versions:
    given = {**GIVEN, "dataloader": DataLoader, **more}
    return Versions.from_hydra(str(conf), overrides=overrides, **given)


def names(versions) -> list[str]:
    return [version.name for version in versions]


def test_each_job_of_a_sweep_is_a_version_called_by_its_override_dirname(conf):
    versions = made(conf, "model=cnn,mlp", "params.lr=0.1,0.2", "must=x")
    assert names(versions) == [
        "model=cnn,must=x,params.lr=0.1",
        "model=cnn,must=x,params.lr=0.2",
        "model=mlp,must=x,params.lr=0.1",
        "model=mlp,must=x,params.lr=0.2",
    ]
    assert names(made(conf)) == ["default"]
    kept = "hydra.job.config.override_dirname.exclude_keys=[must,model]"
    assert names(made(conf, "must=1", "params.lr=1,2", kept)) == ["params.lr=1", "params.lr=2"]


def test_a_version_has_the_values_as_parameters_and_standard_ones_by_their_keys(conf):
    version = made(conf, "params.lr=3", learning_rate="alias.lr", timeout=60).get("params.lr=3")
    assert version["params.lr"] == version["learning_rate"] == 3
    assert version["batch_size"] == 32
    assert version["epoch_count"] == 1
    assert version["timeout"] == 60
    assert version["model.layers"] == [8, 8]
    assert version["paths.data"] == "${hydra:runtime.cwd}/data"  # signed as it stands
    assert version["model_dir_suffix"] == version.name
    assert made(conf, model_dir_suffix="all").get("default")["model_dir_suffix"] == "all"


def test_words_of_ours_in_a_config_are_told_from_ours(conf):
    version = made(conf, "+name=mine", "+timeout=3").get("+name=mine,+timeout=3")
    assert version["cfg.name"] == "mine"
    assert version["cfg.timeout"] == 3
    assert "timeout" not in version


def test_the_config_of_a_version_is_hydra_s(conf, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = made(conf, "params.lr=1,2")
    assert second.cfg.params.lr == 2
    assert second.cfg.paths.name == "cnn-2"
    assert "hydra" not in second.cfg
    assert first.cfg.paths.data == f"{tmp_path}/data"
    with pytest.raises(AttributeError, match="not made from_hydra"):
        Versions(batch_size=1).add("plain").cfg  # noqa: B018


def test_secrets_are_digested_in_names_and_masked_in_records(conf):
    [version] = made(conf, "cluster.pw=geheim", "db@store=pg")
    assert "geheim" not in version.name
    shown = shown_parameters(version)
    assert shown["cluster.pw"] == shown["store.password"] == "***"
    assert shown["cluster.user"] == "me"


def test_a_signature_follows_the_composed_config(tmp_path):
    conf = write_configs(tmp_path)
    before = {each.name: signature(each) for each in made(conf, "model=cnn,mlp")}
    (conf / "model" / "mlp.yaml").write_text("{name: mlp, width: 5}")
    after = {each.name: signature(each) for each in made(conf, "model=cnn,mlp")}
    assert before["model=cnn"] == after["model=cnn"]
    assert before["model=mlp"] != after["model=mlp"]


def test_a_config_dir_is_relative_to_the_script_that_asks(conf, tmp_path, monkeypatch):
    script = conf.parent / "app.py"
    space = {"Versions": Versions, "given": GIVEN}
    monkeypatch.chdir(tmp_path)
    exec(compile("made = Versions.from_hydra('conf', **given)", script, "exec"), space)
    assert names(space["made"]) == ["default"]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["params.lrr=1"], "Could not override 'params.lrr'"),
        (["model=none"], "Available options in 'model': cnn, mlp"),
        (["params.lr=("], "params.lr=("),
        (["params.lr.x=1"], "Could not override 'params.lr.x'"),
        (["params.batch_size=${nowhere}"], "Interpolation key 'nowhere' not found"),
        (["params.batch_size=???"], "params.batch_size"),
        (["params.batch_size=null"], "batch_size: the config has no value at params.batch_size"),
        (["params.lr=range(1,1)"], "has no values"),
        (["params.lr=1,1"], "there twice"),
        (["params.lr=range(0,10000000)"], "10,000,000 jobs"),
    ],
)
def test_what_hydra_can_t_use_is_said_in_its_words(conf, overrides, words):
    with pytest.raises(ModelError) as caught:
        made(conf, *overrides)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_missing_and_a_file_that_is_no_yaml_are_named(tmp_path):
    with pytest.raises(HydraProblem, match="Primary config directory not found"):
        made(tmp_path / "conf")
    conf = write_configs(tmp_path)
    (conf / "config.yaml").write_text("a: [\n")
    with pytest.raises(HydraProblem, match=r"config\.yaml"):
        made(conf)


def test_a_chain_says_what_comes_after_what(conf):
    versions = made(conf, "params.lr=1,2", "model=cnn,mlp", chain="model")
    assert versions.get("model=mlp,params.lr=2")["after"] == ("model=cnn,params.lr=2",)
    assert versions.get("model=cnn,params.lr=2")["after"] == ()
    with pytest.raises(ValueError, match="nothing is not among the overrides"):
        made(conf, chain="nothing")


def test_what_the_list_adds_changes_the_sweep(conf):
    listed.now = listed.Listed("params.lr=5,6 must='a b'", are_names=are_names)
    versions = made(conf, "params.lr=0.1,0.2", "model=mlp")
    assert names(versions) == [
        "model=mlp,must='a b',params.lr=5",
        "model=mlp,must='a b',params.lr=6",
    ]
    assert listed.now.used
    assert listed.now.takes_overrides


def test_what_names_versions_in_the_list_is_no_override(conf):
    listed.now = listed.Listed("params.lr=0.1, params.lr=0.2", are_names=are_names)
    assert names(made(conf, "params.lr=0.1,0.2,0.3"))[2] == "params.lr=0.3"
    assert not listed.now.used


def test_the_most_versions_are_as_the_settings_say(conf):
    listed.now = listed.Listed(most=3)
    with pytest.raises(TooManyJobs, match=r"4 jobs, and max_versions is 3.*--yes"):
        made(conf, "params.lr=range(0,4)")
    listed.now = listed.Listed(most=None)
    assert len(made(conf, "params.lr=range(0,4)")) == 4
    assert listed.now.largest == 4


def test_in_a_run_the_other_versions_have_their_parameters_when_they_are_asked(conf):
    whole = {each.name: dict(each) for each in made(conf, "params.lr=1,2")}
    listed.now = listed.Listed(most=None, wanted="params.lr=2")
    other, own = made(conf, "params.lr=1,2")
    assert dict(own) == whole["params.lr=2"]
    assert "params.lr" not in other
    assert other["params.lr"] == 1
    assert dict(other) == whole["params.lr=1"]
    other = next(iter(made(conf, "params.lr=1,2")))
    assert other.get("epoch_count") == 1
    assert other.get("nothing") is None


def test_the_configs_that_were_read_are_noted(tmp_path):
    conf = write_configs(tmp_path)
    (conf / "outputs").mkdir()
    (conf / "outputs" / "of_a_run.yaml").write_text("")
    (conf / "model" / "loop").symlink_to(conf)
    made(conf)
    noted = {os.path.relpath(path, conf) for path in listed.now.files}
    assert {".", "config.yaml", "model", "model/cnn.yaml", "db/pg.yaml"} <= noted
    assert "outputs/of_a_run.yaml" not in noted


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a=1 b=2,3", ["a=1", "b=2,3"]),
        ("a=1\n  b=[1, 2]", ["a=1", "b=[1, 2]"]),
        ("a='x y' b=\"it's\" c=choice(1, 2)", ["a='x y'", 'b="it\'s"', "c=choice(1, 2)"]),
        (r"a='it\'s so' b=x\ y", [r"a='it\'s so'", r"b=x\ y"]),
        ("", []),
    ],
)
def test_a_line_is_split_at_blanks_that_nothing_surrounds(text, pieces):
    assert listed.split(text) == pieces


@pytest.mark.parametrize("text", ["/a b/c", "it's", r"a\'b", "end\\", "x=1,2", "${y}", "'"])
def test_a_quoted_text_means_itself(text):
    from mlpipeline.api.hydra_adapter import OverridesParser

    [parsed] = OverridesParser.create().parse_overrides([f"a={listed.quoted(text)}"])
    assert parsed.value() == text


# ----------------------------------------------------------------------- records

APP = """
import hydra

@hydra.main(config_path="conf", config_name="config", version_base=None)
def main(cfg):
    pass

main()
"""

OURS = r"""
import sys
from mlpipeline import DataLoader, Versions
versions = Versions.from_hydra(
    "conf", overrides=sys.argv[2:], batch_size=1, epoch_count=1, dataloader=DataLoader
)
[version] = versions
version.job.begin(sys.argv[1])
from hydra.core.hydra_config import HydraConfig
print(version.cfg.paths.out, HydraConfig.get().runtime.output_dir)
print(*version.job.overrides, sep="\n")
"""


def ran(folder: Path, script: str, *arguments: str) -> str:
    path = folder / "app.py"
    path.write_text(script)
    done = subprocess.run(
        [sys.executable, path, *arguments], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def saved(folder: Path) -> dict[str, str]:
    return {each.name: each.read_text() for each in (folder / ".hydra").iterdir()}


def test_a_run_keeps_what_a_real_app_saves(tmp_path):
    write_configs(tmp_path)
    folder = tmp_path / "runs" / "x=1, it's"
    overrides = [
        "params.lr=0.5",
        "model=mlp",
        "+new=[1,2]",
        "+hydra.job.env_set.A=b",
        "must=${alias}",
    ]
    overrides += ["cluster.pw=null", "params.note='a=b'"]
    out = ran(tmp_path, OURS, str(folder), *overrides)
    first, *job = out.splitlines()
    assert first == f"{folder} {folder}"
    ours = saved(folder)
    for path in (folder / ".hydra").iterdir():
        path.unlink()
    job.append("+hydra.job.env_set.A=b")
    ran(tmp_path, APP, *job, f"hydra.run.dir={listed.quoted(str(folder))}")
    assert ours == saved(folder)
    assert set(ours) == {"config.yaml", "hydra.yaml", "overrides.yaml"}


def test_the_values_of_secrets_are_not_kept(tmp_path):
    write_configs(tmp_path)
    overrides = ["cluster.pw=geheim", "db@store=pg", "+hydra.job.env_set.API_KEY=auch"]
    ran(tmp_path, OURS, str(tmp_path / "run"), *overrides)
    ours = saved(tmp_path / "run")
    text = "".join(ours.values())
    assert "geheim" not in text
    assert "hunter2" not in text
    assert "auch" not in text.replace("+hydra.job.env_set.API_KEY=auch", "")
    assert yaml.safe_load(ours["overrides.yaml"]) == ["cluster.pw=***", "db@store=pg"]
    assert yaml.safe_load(ours["config.yaml"])["cluster"] == {"pw": "***", "user": "me"}


def test_without_an_output_subdir_nothing_is_kept(tmp_path):
    write_configs(tmp_path)
    ran(tmp_path, OURS, str(tmp_path / "run"), "hydra.output_subdir=null")
    assert not (tmp_path / "run").exists()


# ------------------------------------------------------------------------ imports


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_without_hydra_the_extra_is_named():
    said = python(
        """
        import sys
        sys.modules["hydra"] = None
        from mlpipeline import Versions
        try:
            Versions.from_hydra("conf")
        except Exception as error:
            print(type(error).__name__, error)
        """
    )
    assert said == "HydraMissing hydra is not installed: pip install 'mlpipeline[hydra]'"
    assert issubclass(HydraMissing, ModelError)


def test_neither_the_scheduler_nor_a_script_without_it_imports_hydra():
    said = python(
        """
        import sys
        import mlpipeline
        import mlpipeline.execution.inspector, mlpipeline.execution.worker
        import mlpipeline.cli.main, mlpipeline.cli.run, mlpipeline.scheduler, mlpipeline.doctor
        import mlpipeline.service.sessions, mlpipeline.service.lists, mlpipeline.service.views
        print({"hydra", "omegaconf", "antlr4"} & sys.modules.keys())
        """
    )
    assert said == "set()"
