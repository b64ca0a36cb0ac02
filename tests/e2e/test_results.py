"""``mlpipeline results``: what runs came to, side by side."""

from __future__ import annotations

import csv
import io
import json

import pytest
from projects import Project, wait_until
from terminal import Terminal

GRID = """
from _base import *

class Trained(Model):
    def train_model(self, input_fn, steps):
        rate = self.current_version["rate"]
        for step in range(1, 6):
            self.log_metrics({"val_loss": abs(step - 3) + rate, "lr_now": rate / step}, step)
        if rate == 5:
            raise ValueError("too fast")

    def evaluate_model(self, input_fn, steps):
        rate = self.current_version["rate"]
        return {"accuracy": 1 - rate / 30, "error": rate / 3}

made = Versions(dataloader=Data, batch_size=4, epoch_count=2, hidden=7, model_dir_suffix=True)
for name, rate in (("slow", 0.1), ("mid", 1), ("fast", 5), ("wild", 2.0)):
    made.add(name, rate=rate)
MODEL = Trained(made)
"""


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """Four versions that have run, of which one failed, and another model; nothing changes it."""
    project = Project(tmp_path_factory.mktemp("grid"))
    project.script("grid.py", GRID)
    project.model("other.py", "v")
    project.list("grid.py", "other.py")
    project.run("-r")
    return project


def names(done):
    assert done.stderr == ""
    header, *rows = done.stdout.splitlines()
    assert header.startswith("run")
    return [row.split()[0] for row in rows]


def test_a_row_for_each_version_with_what_differs(grid):
    done = grid.run("results", "grid")

    assert done.returncode == 0, done.stderr
    header, first, *_ = done.stdout.splitlines()
    assert header.split() == [
        "run", "state", "rate", "train.accuracy", "train.error", "test.accuracy", "test.error",
        "val_loss", "val_loss.best", "lr_now", "lr_now.best", "took",
    ]  # fmt: skip
    assert first.split()[:9] == [
        "grid/slow#1", "succeeded", "0.1", "0.9967", "0.03333", "0.9967", "0.03333", "2.1", "0.1",
    ]  # fmt: skip
    assert names(done) == ["grid/slow#1", "grid/mid#1", "grid/fast#1", "grid/wild#1"]


def test_without_a_name_all_models_are_there(grid):
    assert names(grid.run("results"))[-1] == "other/v#1"


def test_runs_and_models_may_be_named(grid):
    assert names(grid.run("results", "other", "grid/mid", "grid/slow#1")) == [
        "other/v#1",
        "grid/mid#1",
        "grid/slow#1",
    ]


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["--sort", "rate"], ["slow", "mid", "wild", "fast"]),
        (["--sort", "-rate"], ["fast", "wild", "mid", "slow"]),
        (["--best", "test.accuracy"], ["slow", "mid", "wild", "fast"]),
        (["--best", "test.accuracy", "--minimize"], ["wild", "mid", "slow", "fast"]),
        (["--best", "test.error"], ["slow", "mid", "wild", "fast"]),
        (["--best", "val_loss.best"], ["slow", "mid", "wild", "fast"]),
        (["--best", "val_loss", "--maximize"], ["fast", "wild", "mid", "slow"]),
        (["--where", "rate<2"], ["slow", "mid"]),
        (["--where", "rate>0.1", "--where", "state=succeeded"], ["mid", "wild"]),
        (["--where", "test.accuracy>=0.9", "--sort", "-rate"], ["wild", "mid", "slow"]),
    ],
    ids=" ".join,
)
def test_runs_are_chosen_and_ordered(grid, arguments, expected):
    done = grid.run("results", "grid", *arguments)

    assert names(done) == [f"grid/{version}#1" for version in expected]


def test_the_best_is_marked(grid):
    lines = grid.run("results", "grid", "--best", "test.accuracy").stdout.splitlines()

    assert lines[1].split()[:2] == ["grid/slow#1", "*"]
    assert sum("*" in line for line in lines) == 1


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--where", "rat<2"], "no run has a value called 'rat' (did you mean rate?)"),
        (["--sort", "val_los"], "(did you mean val_loss?)"),
        (["--best", "test.acuracy"], "(did you mean test.accuracy?)"),
        (["--where", "rate"], "'rate' is no condition"),
        (["--csv", "--json"], "--csv, --markdown and --json do not go together"),
        (["--best", "rate", "--sort", "rate"], "--best and --sort do not go together"),
        (["--minimize"], "--minimize goes with --best"),
        (["nothing"], "no run is called nothing"),
    ],
    ids=str,
)
def test_what_can_not_be_done_is_said(grid, arguments, complaint):
    done = grid.run("results", *arguments)

    assert done.returncode == 2
    assert complaint in done.stderr


def test_csv_has_everything_in_full_precision(grid):
    rows = list(csv.DictReader(io.StringIO(grid.run("results", "grid", "--csv").stdout)))

    assert rows[0]["run"] == "grid/slow#1"
    assert float(rows[0]["test.accuracy"]) == 1 - 0.1 / 30
    assert rows[0]["hidden"] == "7"
    assert rows[0]["val_loss.best"] == "0.1"
    assert (rows[2]["state"], rows[2]["test.accuracy"]) == ("failed", "")


def test_json_has_every_run_with_its_metrics(grid):
    found = json.loads(grid.run("results", "grid", "--best", "val_loss", "--json").stdout)

    assert found["best"] == "grid/slow#1"
    run = found["runs"][0]
    assert run["parameters"]["rate"] == 0.1
    assert run["metrics"]["val_loss"] == {
        "last": 2.1,
        "last_step": 5,
        "best": 0.1,
        "best_step": 3,
        "count": 5,
    }
    assert [each["state"] for each in found["runs"]].count("failed") == 1


def test_markdown_is_a_table(grid):
    lines = grid.run("results", "grid", "--markdown", "--where", "rate<1").stdout.splitlines()

    assert lines[0].startswith("| run |")
    assert lines[1].startswith("| :-- | --: |")
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| grid/slow#1 |")


def test_a_project_without_runs_says_so(project):
    done = project.run("results")

    assert (done.returncode, done.stdout) == (0, "nothing has run yet\n")


def test_where_no_run_fits_it_says_so(grid):
    assert grid.run("results", "--where", "rate>100").stdout == "no run fits\n"


def test_all_attempts_are_there_when_asked_for(project):
    project.model("m.py", "v")
    project.list("m.py")
    project.run("-r")
    project.run("-r")

    assert names(project.run("results")) == ["m/v#2"]
    assert names(project.run("results", "--all")) == ["m/v#1", "m/v#2"]
    assert names(project.run("results", "m/v", "--all")) == ["m/v#1", "m/v#2"]
    assert names(project.run("results", "m/v#1", "--all")) == ["m/v#1"]


def test_a_run_that_runs_tells_what_it_has_so_far(project):
    project.model("m.py", "v", body="self.log_metrics({'loss': 0.25}, 1); wait_for_file('go')")
    project.list("m.py")
    session = project.start("-r")
    wait_until((project.folder_of("m", "v") / "metrics.jsonl").exists, "it logs")

    lines = project.run("results").stdout.splitlines()
    (project.folder / "go").touch()
    session.communicate(timeout=60)

    assert "running" in lines[1]
    assert "0.25" in lines[1]


def test_a_run_that_was_resumed_tells_of_all_its_attempts(project):
    project.model(
        "m.py",
        "v",
        body="""
        first = not Path("stopped").exists()
        for step in range(1, 4) if first else range(3, 6):
            self.log_metrics({"loss": step / 10}, step)
        if first:
            Path("stopped").touch()
            wait_for_file("never")
        """,
    )
    project.list("m.py")
    session = project.start("-r", "-u")
    wait_until((project.folder / "stopped").exists, "it has logged")
    session.terminate()
    session.communicate(timeout=60)
    project.run("-r", "-u")

    (run,) = json.loads(project.run("results", "--json").stdout)["runs"]

    assert run["resumed"]
    assert run["metrics"]["loss"]["best"] == 0.1
    assert run["metrics"]["loss"]["count"] == 5


def test_parameters_of_runs_long_ago_come_from_their_record(project):
    project.script("grid.py", GRID)
    project.list("grid.py = slow")
    project.run("-r")
    path = project.folder_of("grid", "slow") / "spec.json"
    spec = json.loads(path.read_text())
    del spec["parameters"]
    path.write_text(json.dumps(spec))

    (run,) = json.loads(project.run("results", "--json").stdout)["runs"]

    assert run["parameters"]["rate"] == 0.1


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_table_fits_the_terminal(grid, columns):
    terminal = Terminal(grid, "results", "--best", "test.accuracy", columns=columns)

    assert terminal.run() == 0

    header, *rows = terminal.text.splitlines()
    assert "test.accuracy" in header
    assert "grid/slow#1" in rows[0]
    assert len(rows) == 5 + ("more columns: --csv has all" in rows[-1])
    assert ("more columns" in rows[-1]) is (columns < 200)
    assert ("took" in header) is (columns == 200)
    assert "…" not in terminal.text
