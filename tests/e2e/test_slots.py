"""How many runs go on at a time, and what they get of the machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from projects import wait_until

PAIR = """
other = {"a": "b", "b": "a"}[self.current_version.name]
Path(f"here-{self.current_version.name}").touch()
wait_for_file(f"here-{other}")
"""
HELD = "Path(f'began-{self.current_version.name}').touch(); wait_for_file('go')"


def test_j_overrides_the_runs_at_a_time_of_mlp_config(project):
    project.configure(parallel=1)
    project.model("pair.py", "a", "b", body=PAIR)
    project.list("pair.py")

    done = project.run("-r", "-j", "2")

    assert done.returncode == 0, done.stderr
    assert set(project.outcomes().values()) == {"succeeded"}


def test_views_know_the_slots_of_a_session_that_was_started_with_j(project):
    project.model("m.py", "a", "b", body=HELD)
    project.list("m.py")
    session = project.start("-r", "--parallel", "2")
    wait_until(lambda: all((project.folder / f"began-{each}").exists() for each in "ab"))

    plan = json.loads(project.run("plan", "--json").stdout)
    (project.folder / "go").touch()
    session.communicate()

    assert plan["slots"] == 2


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
def test_j_with_no_number_of_runs_is_a_usage_error_with_a_remedy(text, project):
    done = project.run("-r", "--parallel", text)

    assert done.returncode == 2
    assert "is no number of runs; write -j 4, or -j auto" in done.stderr


def test_j_auto_is_taken(project):
    project.model("m.py", "a")
    project.list("m.py")

    assert project.run("-r", "-j", "auto").returncode == 0


def test_j_without_r_changes_nothing_and_says_so(project):
    project.model("m.py", "a")
    project.list("m.py", test=True)

    assert "--parallel changes nothing" in project.run("-j", "2").stderr


def test_a_model_of_a_higher_priority_starts_first_and_the_plan_shows_it(project):
    for name in ("usual.py", "urgent.py"):
        project.model(name, "v")
    project.list("usual.py", "urgent.py", "[PRIORITIES]", "urgent.py = 10")

    plan = project.run("plan").stdout
    done = project.run("-r")

    assert done.returncode == 0, done.stderr
    assert project.started() == ["urgent/v#1", "usual/v#1"]
    header, first, second, *_ = plan.splitlines()
    assert "priority" in header
    assert ("urgent/v#1" in first, "10" in first, "usual/v#1" in second) == (True, True, True)


def test_a_priority_that_is_edited_while_it_runs_is_answered(project):
    project.configure(parallel=1)
    for name in ("one.py", "two.py", "three.py"):
        project.model(name, "v", body="wait_for_file('go')")
    models = ("one.py", "two.py", "three.py")
    project.list(*models)
    session = project.start("-r")
    wait_until(lambda: list(project.outputs.glob("log-*")))

    project.list(*models, "[PRIORITIES]", "three.py = 1")
    wait_until(lambda: "models.config: changes the order" in project.text("log"))
    (project.folder / "go").touch()
    session.communicate()

    assert project.started() == ["one/v#1", "three/v#1", "two/v#1"]


def test_a_plan_without_priorities_has_no_column_of_them(project):
    project.model("m.py", "v")
    project.list("m.py")

    assert "priority" not in project.run("plan").stdout


def test_a_priority_outlives_removing_and_adding_its_model(project):
    for name in ("one.py", "two.py"):
        project.model(name, "v")
    project.list("one.py", "two.py", "[PRIORITIES]", "two.py = 10")

    removed = project.run("remove", "two")
    added = project.run("add", "two")

    assert (removed.returncode, added.returncode) == (0, 0), removed.stderr + added.stderr
    assert "two.py = 10" in (project.folder / "models.config").read_text()
    assert json.loads(project.run("plan", "--json").stdout)["starts"][0]["priority"] == 10


# --- what runs ask of their host

ASKING = """
from _base import *

class Trained(Model):
    def train_model(self, input_fn, steps):
        names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        print(*(os.environ.get(name) for name in names))
        {body}

made = versions(model_dir_suffix=True)
{versions}
MODEL = Trained(made)
"""


def asking(project, name, *versions, body="pass"):
    """A model with ``versions``, each the arguments of ``add``."""
    added = "\n".join(f"made.add({version})" for version in versions)
    project.script(name, ASKING.format(body=body, versions=added))


def printed(project, model, version):
    return (project.folder_of(model, version) / "console.log").read_text().split()


def test_each_run_sees_the_gpu_that_it_was_given_and_the_record_says_which(project):
    project.configure(parallel=2, gpus="1, 3")
    asking(
        project,
        "m.py",
        "'a', gpus=1, cpus=1",
        "'b', gpus=1",
        body="Path(f'here-{self.current_version.name}').touch(); wait_for_file('here-a'); "
        "wait_for_file('here-b')",
    )
    project.list("m.py")

    done = project.run("-r", OMP_NUM_THREADS="7")

    assert done.returncode == 0, done.stderr
    assert printed(project, "m", "a") == ["1", "7", "1"]
    assert printed(project, "m", "b")[0] == "3"
    assert [project.record("m", each)["gpus"] for each in "ab"] == ["1", "3"]
    assert project.record("m", "a")["cpus"] == 1


def test_two_halves_run_at_once_on_one_gpu(project):
    project.configure(parallel=2, gpus="0")
    asking(
        project,
        "m.py",
        "'a', gpus=0.5",
        "'b', gpus=0.5",
        body="Path(f'here-{self.current_version.name}').touch(); wait_for_file('here-a'); "
        "wait_for_file('here-b')",
    )
    project.list("m.py")

    assert project.run("-r").returncode == 0
    assert [printed(project, "m", each)[0] for each in "ab"] == ["0", "0"]


def test_runs_whose_cpus_are_taken_wait_though_a_slot_is_free(project):
    project.configure(parallel=2, cpus=2)
    alone = "lock = Path('lock'); lock.touch(exist_ok=False); time.sleep(0.05); lock.unlink()"
    asking(project, "m.py", "'a', cpus=2", "'b', cpus=2", body=alone)
    project.list("m.py")

    assert project.run("-r").returncode == 0
    assert set(project.outcomes().values()) == {"succeeded"}


def test_what_asks_for_nothing_keeps_the_environment_as_it_is(project):
    project.configure(gpus="0")
    asking(project, "m.py", "'a'", "'none', gpus=0")
    project.list("m.py")

    done = project.run("-r", CUDA_VISIBLE_DEVICES="5,6", OMP_NUM_THREADS="3")

    assert done.returncode == 0, done.stderr
    assert printed(project, "m", "a") == ["5,6", "3", "None"]
    assert printed(project, "m", "none") == ["3", "None"]  # and no GPU


def test_what_is_too_big_for_this_host_is_said_and_the_others_go_on(project):
    project.configure(gpus="0, 1")
    asking(project, "m.py", "'big', gpus=4", "'small', gpus=1")
    project.list("m.py")

    done = project.run("-r", "-u")
    status = json.loads(project.run("status", "--json").stdout)
    explained = project.run("explain", "m/big").stdout
    planned = project.run("plan").stdout

    assert project.outcomes() == {"m/small#1": "succeeded"}
    said = "can't run here: asks for 4 gpus, this host has 2 gpus"
    assert said in done.stdout
    assert status["counts"] == {"too big": 1, "done": 1}
    assert said in {row["reason"] for row in status["rows"]}
    assert said in explained
    assert "another host" in explained
    assert f"m/big {said}" in planned


def test_test_mode_rehearses_what_is_too_big_for_this_host(project):
    project.configure(gpus="none", cpus=1)
    asking(project, "m.py", "'big', gpus=4, cpus=99")
    project.list("m.py", test=True)

    assert project.run().returncode == 0


def test_an_amount_that_is_none_is_said_of_its_version(project):
    asking(project, "m.py", "'a', gpus=1.5")
    project.list("m.py")

    done = project.run("-r")

    assert "version 'a' has gpus=1.5; it must be a whole number of GPUs, or a share" in done.stderr


def test_asking_for_more_does_not_make_a_version_run_again(project):
    project.configure(cpus=4)
    asking(project, "m.py", "'a', cpus=1")
    project.list("m.py")
    project.run("-r", "-u")
    asking(project, "m.py", "'a', cpus=2, memory=0.1")

    project.run("-r", "-u")

    assert project.started() == ["m/a#1"]


def test_a_run_that_was_adopted_keeps_its_gpu_to_itself(project):
    project.configure(parallel=2, gpus="0, 1")
    asking(
        project,
        "m.py",
        "'a', gpus=1",
        body="Path('began').touch(); wait_for_file('go')",
    )
    project.list("m.py")
    first = project.start("-r", "-u")
    wait_until((project.folder / "began").exists)
    first.kill()
    first.communicate()
    asking(project, "later.py", "'b', gpus=1", body="Path('go').touch()")
    project.list("m.py", "later.py")

    done = project.run("-r", "-u")

    assert done.returncode == 0, done.stderr
    assert printed(project, "later", "b")[0] == "1"


def test_explain_says_for_whom_room_is_kept(project):
    project.configure(parallel=1, gpus="0, 1")
    asking(
        project,
        "m.py",
        "'a', gpus=1",
        "'big', gpus=2",
        "'small', gpus=1",
        body="Path('began').touch(); wait_for_file('go')",
    )
    project.list("m.py")
    session = project.start("-r")
    wait_until((project.folder / "began").exists)

    big, small = (project.run("explain", f"m/{each}").stdout for each in ("big", "small"))
    (project.folder / "go").touch()
    session.communicate()

    assert "it waits for 2 gpus (1 free)" in big
    assert "m/big waits for 2 gpus (1 free); at most 1 run that would take of it" in small


# --- GPUs that others use


@pytest.fixture
def fake_gpus(project):
    """Gives the machine GPUs of 80 GB; returns the environment of a command that sees them."""
    path = project.folder / "gpus.json"

    def has(*free):
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps([[80 * 10**9, each * 10**9] for each in free]))
        temporary.replace(path)
        fake = Path(__file__).parents[1] / "fake_nvml"
        return {"FAKE_GPUS": str(path), "PYTHONPATH": str(fake)}

    return has


def test_a_gpu_that_others_use_is_left_alone(project, fake_gpus):
    asking(project, "m.py", "'a', gpus=1")
    project.list("m.py")

    done = project.run("-r", **fake_gpus(40, 80))

    assert done.returncode == 0, done.stderr
    assert printed(project, "m", "a")[0] == "1"


def test_a_session_waits_for_a_gpu_that_others_use_and_takes_it_when_it_is_free(
    project, fake_gpus, monkeypatch
):
    asking(project, "m.py", "'a', gpus=1")
    project.list("m.py")
    for name, value in fake_gpus(40).items():
        monkeypatch.setenv(name, value)
    session = project.start("-r")
    wait_until(lambda: list(project.outputs.glob("session-*")))
    assert "it waits for 1 gpu (0 free)" in project.run("explain", "m/a").stdout

    fake_gpus(80)
    _, errors = session.communicate(timeout=30)

    assert session.returncode == 0, errors
    assert project.outcomes() == {"m/a#1": "succeeded"}


def test_the_record_has_what_a_run_made_of_its_gpu(project, fake_gpus):
    project.configure(gpu_free_memory=50)
    body = """
looks = Path("looks").stat().st_size
        while Path("looks").stat().st_size < looks + 2:
            time.sleep(0.005)
    """.strip()
    asking(project, "m.py", "'a', gpus=1", body=body)
    project.list("m.py")

    done = project.run("-r", FAKE_GPUS_LOOKS="looks", **fake_gpus(50))

    assert done.returncode == 0, done.stderr
    assert project.record("m", "a")["peak_gpu_memory_mb"] == 30000
    assert project.record("m", "a")["gpu_utilisation"] == 0
