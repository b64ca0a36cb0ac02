"""Every command's --json is what its schema in docs/schemas says, and nothing else."""

import json
import shutil
from datetime import datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pipelines import two_steps
from projects import Project

from mlpipeline.cli.schemas import PRINTED

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"

# Each command as it is called in the project below; in this order, which makes sense for a queue.
CALLS = {
    "init": ["init", "../new"],
    "status": ["status", "--all"],
    "plan": ["plan"],
    "explain": ["explain", "good/a"],
    "logs": ["logs", "good/a"],
    "digest": ["digest", "--since", "8h"],
    "pipeline show": ["pipeline", "show"],
    "results": ["results", "--best", "test.size"],
    "plot": ["plot", "loss"],
    "show": ["show", "bad/a"],
    "diff": ["diff", "good/a", "good/b"],
    "add": ["add", "later.py"],
    "move": ["move", "later.py", "--first"],
    "remove": ["remove", "later.py"],
    "run": ["run", "other", "--no-wait"],
    "new": ["new", "model", "made", "--no-input"],
    "skip": ["skip", "bad/b"],
    "retry": ["retry", "bad/a"],
    "cancel": ["cancel", "bad/a"],
    "pause": ["pause"],
    "start": ["start"],
    "stop": ["stop", "--wait"],
    "resume": ["resume"],
    "doctor": ["doctor", "--rebuild"],
    "notify": ["notify"],
    "track": ["track"],
    "service": ["service", "--systemd"],
}
ELSEWHERE = {"pipeline compile", "pipeline convert", "pipeline submit"}  # files, not a queue
ENDS_WITH_1 = ("doctor",)  # it finds the unknown key


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A project with successes, a failure, metrics, a queue, and a config that is warned of."""
    project = Project(tmp_path_factory.mktemp("json") / "project")
    project.model("good.py", "a", "b", body="self.log_metrics({'loss': 0.5}, step=1); print('é')")
    project.model("bad.py", "a", "b", body="raise ValueError('not today')")
    project.model("later.py", "a")
    two_steps(project)
    other = project.folder / "other"
    other.mkdir()
    (other / "MLproject").write_text(
        "name: other\nentry_points: {main: {command: 'python main.py'}}\n"
    )
    (other / "main.py").touch()
    project.list("good.py", "bad.py = a", "flow.yaml")
    project.list("good.py = a", test=True)
    config = "[MLP]\nmodels_dir = models\nparalel = 2\n[NOTIFY]\ncommand = true\n"
    (project.folder / "mlp.config").write_text(config)
    project.run("-r", "-u")
    project.list("good.py", "bad.py", "flow.yaml")
    project.list("good.py = a", test=True)
    return project


def problems(printed, name):
    """What in ``printed`` the schema does not allow; new fields are to be in it, too."""
    schema = json.loads((SCHEMAS / f"{name.replace(' ', '-')}.json").read_text())
    for definition in schema.get("$defs", {}).values():
        if "properties" in definition:
            definition["additionalProperties"] = False
    Draft202012Validator.check_schema(schema)
    return [error.message for error in Draft202012Validator(schema).iter_errors(printed)]


def test_all_commands_are_called():
    assert set(CALLS) | ELSEWHERE == set(PRINTED)


@pytest.fixture(scope="module")
def printed(prepared):
    """What each call printed: run once, since one makes what another shows."""
    # What `track` is to send to; a session that has it would import mlflow.
    config = prepared.folder / "mlp.config"
    printed = {}
    for name, words in CALLS.items():
        if name == "track":
            config.write_text(config.read_text() + "[MLFLOW]\ntracking_uri = sqlite:///m.db\n")
        printed[name] = prepared.run(*words, "--json")
    return printed


@pytest.mark.parametrize("name", CALLS)
def test_a_command_prints_what_its_schema_says(printed, name):
    done = printed[name]

    assert done.returncode == (name in ENDS_WITH_1), done.stderr
    assert problems(json.loads(done.stdout), name) == []


@pytest.mark.parametrize("words", [[], ["-r"], ["-r", "-u"]], ids=str)
def test_a_session_prints_such_a_line_for_each_event(prepared, words):
    done = prepared.run(*words, "--json")

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["event"] == "summary"
    assert all(datetime.fromisoformat(line["at"]).tzinfo for line in lines)
    assert [problems(line, "session") for line in lines] == [[]] * len(lines)


@pytest.mark.parametrize(
    "words",
    [["logs", "nope"], ["add", "nope"], ["plot", "nope"], ["results", "--sort", "nope"], ["move"]],
    ids=str,
)
def test_an_error_goes_to_stderr_with_its_exit_code(prepared, words):
    done = prepared.run(*words, "--json")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr


def test_a_list_that_can_not_be_used_is_a_problem_in_the_json_and_an_error(prepared, tmp_path):
    shutil.copytree(prepared.folder, tmp_path / "copy")
    (tmp_path / "copy" / "models.config").write_text("good.py\n")

    done = prepared.run("-C", str(tmp_path / "copy"), "status", "--json")

    assert done.returncode == 2
    assert problems(json.loads(done.stdout), "status") == []
    assert "stands before any section" in json.loads(done.stdout)["problems"][0]
    assert "stands before any section" in done.stderr
