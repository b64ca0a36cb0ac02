"""How many runs go on at a time, and what they get of the machine."""

from __future__ import annotations

import json

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
