"""``mlpipeline add -- COMMAND``: one command queues any program."""

import sys

import pytest
import yaml

PYTHON = sys.executable
PROGRAM = "import sys; print(*sys.argv[1:], sep='|')"


@pytest.fixture
def queue(project):
    (project.folder / "train.py").write_text(PROGRAM)
    (project.folder / "sub").mkdir()
    (project.folder / "sub" / "deep.py").write_text(PROGRAM)
    return project


def file(project, name="train"):
    return yaml.safe_load((project.models / f"{name}.yaml").read_text())


def done(project, *arguments):
    result = project.run("add", *arguments)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    return result.stdout


def refused(project, *arguments):
    before = {path: path.read_bytes() for path in project.models.glob("*.yaml")}
    listed = (project.folder / "models.config").read_text()
    result = project.run("add", *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert {path: path.read_bytes() for path in project.models.glob("*.yaml")} == before
    assert (project.folder / "models.config").read_text() == listed
    return result.stderr


def entries(project):
    lines = (project.folder / "models.config").read_text().split("MODELS]\n")[1].splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_a_command_becomes_a_file_that_is_listed_and_runs(queue):
    said = done(queue, "--", PYTHON, "train.py", "--lr", "0.1", "{x}", "a b")
    queue.run("-r", "-u")

    assert said == (
        "models.config: added train.yaml, which is new, with lr=0.1,{x},a b\nstarts 1\n"
    )
    assert file(queue)["command"] == [PYTHON, "train.py"]
    assert entries(queue) == ["train.yaml"]
    (run,) = queue.outcomes()
    assert run == "train/lr=0.1,{x},a b#1"
    (console,) = queue.outputs.rglob("console.log")
    assert console.read_text() == "--lr|0.1|{x}|a b\n"


def test_the_same_command_with_other_arguments_is_another_version_and_comments_stay(queue):
    done(queue, "--", PYTHON, "train.py", "--lr", "0.1")
    path = queue.models / "train.yaml"
    path.write_text(path.read_text() + "# mine\nmetrics: {loss: '(x)'}  # too\n")

    said = done(queue, "--", PYTHON, "train.py", "--lr", "0.2")

    assert said == "models.config: added lr=0.2 of train.yaml\nstarts 1\n"
    assert [version["name"] for version in file(queue)["versions"]] == ["lr=0.1", "lr=0.2"]
    assert path.read_text().endswith("# mine\nmetrics: {loss: '(x)'}  # too\n")
    assert entries(queue) == ["train.yaml"]


def test_the_same_again_is_there_already(queue):
    done(queue, "--", PYTHON, "train.py", "--lr", "0.1")
    before = (queue.models / "train.yaml").read_text()

    said = done(queue, "--", PYTHON, "train.py", "--lr", "0.1")

    assert said == "models.config: has lr=0.1 of train.yaml already\n"
    assert (queue.models / "train.yaml").read_text() == before


def test_a_file_that_was_written_and_not_listed_is_listed_the_next_time(queue):
    done(queue, "--", PYTHON, "train.py")
    queue.list()

    said = done(queue, "--", PYTHON, "train.py")

    assert said == "models.config: added train.yaml\nstarts 1\n"


HAND_WRITTEN = {
    "block items": "versions:\n- name: a\n  arguments:\n  - --lr\n  - '0.1'\n\n# end\ncpus: 1\n",
    "a line as command": "versions:\n    - {name: a}\n",
    "no versions": "# none yet",
    "text blocks": "versions:\n  - name: a\n    arguments: |\n      --lr 0.1\ncpus: 1\n",
    "windows": "versions:\r\n  - {name: a}\r\n",
}


@pytest.mark.parametrize("rest", HAND_WRITTEN.values(), ids=HAND_WRITTEN)
def test_a_file_that_a_person_has_written_is_added_to(queue, rest):
    text = f"command: {PYTHON} train.py\n".replace("\n", "\r\n" if "\r" in rest else "\n") + rest
    (queue.models / "train.yaml").write_bytes(text.encode())
    queue.list("train.yaml")
    before = file(queue).get("versions") or [{"name": "main"}]

    done(queue, "--", PYTHON, "train.py", "--lr", "0.2")

    added = {"name": "lr=0.2", "arguments": ["--lr", "0.2"]}
    assert file(queue)["versions"] == [*before, added]
    kept = (queue.models / "train.yaml").read_bytes().decode()
    assert [line for line in text.splitlines() if line not in kept.splitlines()] == []


def test_versions_in_brackets_are_left_to_the_person(queue):
    (queue.models / "train.yaml").write_text(
        f"command: {PYTHON} train.py\nversions: [{{name: a}}]\n"
    )

    assert "add it by hand" in refused(queue, "--", PYTHON, "train.py", "--lr", "0.2")


def test_a_listed_part_of_a_model_gets_the_new_version_too(queue):
    done(queue, "--", PYTHON, "train.py", "1")
    done(queue, "--", PYTHON, "train.py", "2")
    queue.list("train.yaml = 1")

    done(queue, "--", PYTHON, "train.py", "3")

    assert entries(queue) == ["train.yaml = 1, 3"]


def test_another_command_of_that_name_gets_a_file_of_its_own(queue):
    done(queue, "--", PYTHON, "train.py")

    said = done(queue, "--", PYTHON, "-u", "train.py")

    assert "added train-2.yaml, which is new" in said
    assert entries(queue) == ["train.yaml", "train-2.yaml"]


def test_a_command_runs_where_it_was_typed(queue):
    (queue.models / "_typed").mkdir()
    import subprocess

    typed = subprocess.run(
        queue.command("add", "--", PYTHON, "deep.py"), cwd=queue.folder / "sub", text=True
    )
    queue.run("-r")

    assert typed.returncode == 0
    assert file(queue, "deep")["cwd"] == "sub"
    assert queue.outcomes() == {"deep/main#1": "succeeded"}


def test_what_a_sweep_of_hydras_means_becomes_overrides(queue):
    said = done(
        queue,
        *(
            "--chain",
            "c",
            "--",
            PYTHON,
            "train.py",
            "-m",
            "c=pre,fit",
            "lr=1,2",
            "--config-name",
            "x",
        ),
    )
    queue.run("-r")

    assert "starts 4" in said or "starts 2" in said
    assert file(queue)["overrides"] == ["c=pre,fit", "lr=1,2"]
    assert queue.started() == [
        *("train/c=pre,lr=1#1", "train/c=pre,lr=2#1", "train/c=fit,lr=1#1", "train/c=fit,lr=2#1")
    ]
    (console,) = queue.folder_of("train", "c=fit,lr=2").glob("console.log")
    assert console.read_text() == "--config-name|x|c=fit|lr=2\n"


def test_many_jobs_are_added_only_if_that_is_meant(queue):
    line = ["--", PYTHON, "train.py", "-m", "a=range(0,20000)"]

    assert "this sweep has 20,000 jobs" in refused(queue, *line)
    assert "starts 20000" in done(queue, "--yes", *line)


def test_what_is_asked_of_the_host_is_the_versions(queue):
    done(queue, "--gpus", "0.5", "--cpus", "2", "--", PYTHON, "train.py", "x")

    assert file(queue)["versions"] == [{"name": "x", "arguments": ["x"], "cpus": 2, "gpus": 0.5}]


def test_variables_before_a_command_are_its_environment(queue):
    done(queue, "--", "MINE={1}", "sh", "-c", "echo $MINE")
    queue.run("-r")

    (console,) = queue.outputs.rglob("console.log")
    assert console.read_text() == "{1}\n"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--"], "there is no command"),
        (["--", "no_such_program"], "there is no program no_such_program on the PATH"),
        (["--", "python", "nope.py"], "python nope.py: it can't run here: there is no nope.py"),
        (["--", "python", "-m", "no.module"], "-m no.module: it can't run here: there is no mod"),
        (["--cwd", "gone", "--", "true"], "cwd gone is no folder"),
        (["--name", "_x", "--", "true"], "no model can be called _x"),
        (["--before", "nobody", "--", "true"], "there is no model nobody"),
        (["--chain", "x", "--", "true", "-m", "a=1,2"], "x is not among the overrides"),
        (["x.py", "--", "true"], "not both"),
        (["--cpus", "1", "x.py"], "--cpus is for a command"),
        ([], "name a model, or a command"),
    ],
)
def test_what_can_not_run_is_refused_and_nothing_is_left(queue, arguments, words):
    assert words in refused(queue, *arguments)
