"""What the list has behind a script that takes Hydra's overrides: names, or another sweep."""

import pytest
from api_configs import write_configs
from model_scripts import Scripts, versions
from projects import wait_until

from mlpipeline.state.lists import Entry, ModelList

SCRIPT = """
import os
from _base import *
with open(os.path.join(os.path.dirname(__file__), "imports.txt"), "a") as file:
    file.write(os.path.basename(__file__) + " ")
MODEL = Model(Versions.from_hydra(
    "conf", overrides=["params.lr=0.1,0.2"], dataloader=Data,
    batch_size="params.batch_size", epoch_count=1,
))
"""
OWN = {"m": ["params.lr=0.1", "params.lr=0.2"]}


@pytest.fixture
def scripts(tmp_path):
    made = Scripts(tmp_path / "models")
    write_configs(made.folder)
    made.write("m.py", SCRIPT)
    made.script("plain.py", "'a', 'b'")
    yield made
    for inspector in made.opened:
        inspector.close()


def listed(scripts, inspector, narrowing, path="m.py", **more):
    entries = (Entry(path=path, line=7, narrowing=narrowing or None),)
    return inspector.listed(
        ModelList(path=scripts.folder / "models.config", entries=entries, **more)
    )


def settled(scripts, inspector, narrowing, **more):
    wait_until(lambda: listed(scripts, inspector, narrowing, **more).is_final)
    return listed(scripts, inspector, narrowing, **more)


@pytest.mark.parametrize("session", [False, True])
def test_an_edit_of_the_overrides_is_another_sweep(scripts, session):
    inspector = scripts.inspector(session=session)
    assert versions(settled(scripts, inspector, "")) == OWN
    read = settled(scripts, inspector, "params.lr=3 model=cnn,mlp")
    assert versions(read) == {"m": ["model=cnn,params.lr=3", "model=mlp,params.lr=3"]}
    assert read.models[0].overrides == "params.lr=3 model=cnn,mlp"
    assert versions(settled(scripts, inspector, "")) == OWN


def test_names_of_versions_narrow_them(scripts):
    inspector = scripts.inspector(session=False)
    read = settled(scripts, inspector, "params.lr=0.2")
    assert versions(read) == {"m": ["params.lr=0.2"]}
    assert read.models[0].overrides == ""


def test_what_is_neither_is_complained_of(scripts):
    read = settled(scripts, scripts.inspector(session=False), "nonsense")
    assert read.unknown == ("m/nonsense",)
    assert "models.config:7: m.py has no version nonsense" in read.complaints[0]


def test_what_hydra_says_of_them_comes_with_the_line_that_has_them(scripts):
    read = settled(scripts, scripts.inspector(session=False), "params.lrr=1")
    [problem] = versions(read)["m"]
    assert "models.config:7: m.py = params.lrr=1: Could not override 'params.lrr'" in problem
    assert not read.complaints


def test_a_script_that_takes_none_has_names_only(scripts):
    read = settled(scripts, scripts.inspector(session=False), "a=1", path="plain.py")
    assert read.unknown == ("plain/a=1",)


def test_a_blacklist_has_names_only(scripts):
    inspector = scripts.inspector(session=False)
    read = settled(scripts, inspector, "params.lr=0.2", blacklist=True)
    assert versions(read)["m"] == ["params.lr=0.1"]
    read = settled(scripts, inspector, "params.lr=7", blacklist=True)
    assert "m" not in versions(read)
    assert read.unknown == ("m/params.lr=7",)


def test_an_edited_config_is_an_edit(scripts):
    inspector = scripts.inspector(session=False)
    before = settled(scripts, inspector, "model=mlp")
    scripts.write("conf/model/mlp.yaml", "{name: mlp, width: 99}", age=1800)
    after = settled(scripts, inspector, "model=mlp")
    assert versions(after) == versions(before)
    assert after.models[0].versions[0].parameters["model.width"] == 99
    assert after.models[0].versions[0].signature != before.models[0].versions[0].signature
    assert after.models[0].digest == before.models[0].digest  # the script is the same


def test_a_new_file_in_a_group_is_an_edit(scripts):
    inspector = scripts.inspector(session=False)
    assert "Could not find" in versions(settled(scripts, inspector, "model=new"))["m"][0]
    scripts.write("conf/model/new.yaml", "{name: new}")
    assert versions(settled(scripts, inspector, "model=new"))["m"][0].startswith("model=new")


def test_a_config_that_is_mended_is_looked_at_again(scripts):
    inspector = scripts.inspector(session=False)
    scripts.write("conf/config.yaml", "a: [")
    assert "config.yaml" in versions(settled(scripts, inspector, ""))["m"][0]
    write_configs(scripts.folder)
    assert versions(settled(scripts, inspector, "")) == OWN


def test_what_is_known_is_believed_where_the_list_says_the_same(scripts):
    settled(scripts, scripts.inspector(session=False), "model=mlp")
    opened = scripts.imported("m.py")
    settled(scripts, scripts.inspector(session=False), "model=mlp")
    assert scripts.imported("m.py") == opened
    read = settled(scripts, scripts.inspector(session=False), "")
    assert versions(read) == OWN


def test_a_session_believes_no_more_versions_than_it_may_have(scripts):
    from mlpipeline.execution.inspection import Inspector

    settled(scripts, scripts.inspector(session=False), "params.lr=range(0,9)")
    inspector = Inspector(
        scripts.folder, scripts.folder, 60, memory=scripts.memory, session=True, most=8
    )
    scripts.opened.append(inspector)
    read = settled(scripts, inspector, "params.lr=range(0,9)")
    assert "9 jobs, and max_versions is 8" in versions(read)["m"][0]
