"""A model whose versions come from Hydra's configs: rehearsed, run, and changed from the list."""

import pytest
import yaml
from api_configs import write_configs
from projects import wait_until

SCRIPT = """
from _base import *

class Trained(Model):
    def train_model(self, input_fn, steps):
        cfg = self.current_version.cfg
        print("lr", cfg.params.lr, "out", cfg.paths.out, "data", cfg.paths.data)
        Path(f"began-{cfg.params.lr}").touch()
        if cfg.params.lr == 9:
            wait_for_file("go")

    def evaluate_model(self, input_fn, steps):
        from hydra.core.hydra_config import HydraConfig
        return {"lr": self.current_version.cfg.params.lr, "name": HydraConfig.get().job.name}

MODEL = Trained(Versions.from_hydra(
    "conf", overrides=["params.lr=1,2"], batch_size="params.batch_size",
    epoch_count="params.nested.a", dataloader=Data,
))
"""


def log_of(app):
    return "".join(path.read_text() for path in app.outputs.glob("log-*"))


@pytest.fixture
def app(project):
    write_configs(project.models)
    project.script("app.py", SCRIPT)
    return project


def test_a_sweep_is_rehearsed_and_run_and_done(app):
    app.list("app.py", test=True)
    app.list("app.py = cluster.pw=geheim params.lr=1,2,3")
    rehearsed = app.run()
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert "2 succeeded" in rehearsed.stdout

    done = app.run("-r", "-u")

    assert done.returncode == 0, done.stderr
    names = [run.split("/", 1)[1].removesuffix("#1") for run in app.started()]
    assert [name.rpartition("=")[2] for name in names] == ["1", "2", "3"]
    record, folder = app.record("app", names[1]), app.folder_of("app", names[1])
    assert record["parameters"]["params.lr"] == 2
    assert record["parameters"]["batch_size"] == 32
    assert record["parameters"]["cluster.pw"] == "***"
    assert record["results"]["test"] == {"lr": 2, "name": "app"}
    said = (folder / "console.log").read_text()
    assert f"lr 2 out {folder} data {app.folder}/data" in said
    overrides = yaml.safe_load((folder / ".hydra" / "overrides.yaml").read_text())
    assert overrides == ["params.lr=2", "cluster.pw=***"]
    saved = yaml.safe_load((folder / ".hydra" / "hydra.yaml").read_text())["hydra"]
    assert saved["runtime"]["output_dir"] == str(folder)
    assert saved["runtime"]["cwd"] == str(app.folder)

    again = app.run("-r", "-u")
    assert again.returncode == 0
    assert len(app.started()) == 3


def test_the_sweep_is_changed_from_the_list_while_the_queue_runs(app):
    app.list("app.py = params.lr=9,2")
    session = app.start("-r", "-u")
    wait_until((app.folder / "began-9").exists)

    app.list("app.py = params.lr=9,4 model=cnn,mlp")
    (app.folder / "go").touch()

    _, errors = session.communicate(timeout=60)
    assert session.returncode == 0, errors
    started = app.started()
    assert started[0] == "app/params.lr=9#1"
    assert set(started[1:]) == {
        "app/model=cnn,params.lr=9#1",
        "app/model=mlp,params.lr=9#1",
        "app/model=cnn,params.lr=4#1",
        "app/model=mlp,params.lr=4#1",
    }


def test_an_edited_config_runs_what_it_changes(app):
    app.list("app.py = model=cnn,mlp params.lr=1")
    assert app.run("-r", "-u").returncode == 0
    (app.models / "conf" / "model" / "mlp.yaml").write_text("{name: mlp, width: 8}")

    assert app.run("-r", "-u").returncode == 0

    assert app.started()[2:] == ["app/model=mlp,params.lr=1#2"]


def test_a_wrong_override_is_told_with_its_line_and_the_others_run(app):
    app.model("other.py", "v")
    app.list("app.py = params.lrr=3", "other.py")

    done = app.run("-r", "-u")

    assert done.returncode == 1
    assert "models.config:4: app.py = params.lrr=3: Could not override 'params.lrr'" in (
        done.stdout + done.stderr
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert app.outcomes() == {"other/v#1": "succeeded"}


def test_a_sweep_by_mistake_asks_for_yes(app):
    app.configure(max_versions=2)
    app.list("app.py = params.lr=1,2,3")

    refused = app.run("-r", "-u")
    meant = app.run("-r", "-u", "--yes")

    assert refused.returncode == 1
    assert "3 jobs, and max_versions is 2" in refused.stdout + refused.stderr
    assert "--yes" in refused.stdout + refused.stderr
    assert meant.returncode == 0, meant.stderr
    assert len(app.started()) == 3


def test_commands_that_edit_the_list_leave_overrides_alone(app):
    app.list("app.py = params.lr=5,6")
    before = (app.folder / "models.config").read_text()

    for words in (["add", "app.py", "params.lr=1"], ["remove", "app.py", "params.lr=1"]):
        done = app.run(*words)
        assert done.returncode == 2
        assert "edit that line of the list" in done.stderr

    assert (app.folder / "models.config").read_text() == before


def test_a_wrong_override_in_an_edit_leaves_the_list_as_it_was(app):
    app.list("app.py = params.lr=9,2,3")
    session = app.start("-r", "-u")
    wait_until((app.folder / "began-9").exists)

    app.list("app.py = params.lrr=9,2,3")
    wait_until(lambda: "Could not override 'params.lrr'" in log_of(app))
    (app.folder / "go").touch()
    wait_until(lambda: len(app.started()) == 3)
    app.list("app.py = params.lr=9,2,3,4")

    _, errors = session.communicate(timeout=60)
    assert session.returncode == 0, errors
    assert [name.partition("=")[2] for name in app.started()] == ["9#1", "2#1", "3#1", "4#1"]
    assert "drops" not in log_of(app)


def test_a_chain_of_a_key_that_is_not_there_is_told_in_a_line(app):
    script = app.models / "app.py"
    script.write_text(SCRIPT.replace("dataloader=", 'chain="zz", dataloader='))
    app.list("app.py")

    status = app.run("status").stdout

    assert "chain: zz is not among the overrides" in status
    assert "these are of params.lr" in " ".join(status.split())
    assert "raises" not in status
    assert "Traceback" not in app.run("explain", "app").stdout


@pytest.mark.parametrize("wrong", ["params.lr=range(", "params.lr=[1"])
def test_an_override_that_is_none_is_named(app, wrong):
    app.list(f"app.py = params.batch_size=8 {wrong}")

    done = app.run("-r", "-u")

    assert done.returncode != 0
    assert f": {wrong}: " in done.stderr
