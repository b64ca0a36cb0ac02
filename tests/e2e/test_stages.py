"""Versions that come after others: in sessions, on every screen and over a shared folder."""

import json
import os
import subprocess

import pytest
from projects import wait_until

STAGES = """
from _base import *

class House(Model):
    def train_model(self, input_fn, steps):
        name = self.current_version.name
        print("trains", name)
        if name.startswith("waits"):
            wait_for_file("go")
        if name in ("bad", "preprocessing,rooms=3") and not Path("mended").exists():
            raise ValueError("no such data set")

    def evaluate_model(self, input_fn, steps):
        return {"price": 3}

versions = Versions(dataloader=Data, batch_size=4, epoch_count=2, model_dir_suffix=True)
"""
CHAINS = """
for rooms in (3, 2):
    before = None
    for stage in ("preprocessing", "modeling", "deployment"):
        before = versions.add(f"{stage},rooms={rooms}", rooms=rooms, after=before).name
"""
THREE = [f"{stage},rooms=3" for stage in ("preprocessing", "modeling", "deployment")]
TWO = [f"{stage},rooms=2" for stage in ("preprocessing", "modeling", "deployment")]


@pytest.fixture
def house(project):
    """Two chains, of which the first one fails at once."""
    write(project, CHAINS)
    project.list("house.py")
    return project


def write(project, versions):
    project.script("house.py", f"{STAGES}{versions}\nMODEL = House(versions)\n")


def add(*lines):
    return "\n".join(f"versions.add({line})" for line in lines)


def status(project):
    """The state and the reason of each listed version."""
    rows = json.loads(project.run("status", "--json").stdout)["rows"]
    return {row["version"]: (row["state"], row["reason"]) for row in rows}


def versions_started(project):
    return [run.removeprefix("house/").partition("#")[0] for run in project.started()]


def test_a_chain_that_fails_is_given_up_and_the_other_one_goes_on(house):
    done = house.run("-r", "-u")

    assert done.returncode == 1
    assert versions_started(house) == [THREE[0], *TWO]
    told = "house/preprocessing,rooms=3 failed, so what comes after it is skipped: "
    assert f"mlpipeline: {told}modeling, deployment\n" in done.stderr
    assert f"{told}modeling, deployment\n" in house.text("log")
    assert "1 failed, 3 succeeded, 2 skipped (preprocessing failed)" in done.stdout


def test_every_screen_says_what_is_skipped_and_why(house):
    house.run("-r", "-u")

    assert status(house) == {
        THREE[0]: ("failed", "failed: ValueError: no such data set"),
        THREE[1]: ("skipped", "preprocessing failed"),
        THREE[2]: ("skipped", "preprocessing failed"),
        **dict.fromkeys(TWO, ("done", "")),
    }
    told = house.run("explain", f"house/{THREE[2]}", "--json").stdout
    explained = json.loads(told)
    assert explained["state"] == "skipped"
    assert explained["reasons"][0] == (
        f"it comes after house/{THREE[0]}, which failed: ValueError: no such data set"
    )
    assert explained["after"] == [
        {"run": f"house/{THREE[1]}", "state": "skipped", "reason": "preprocessing failed"}
    ]
    assert f"skipped: house/{THREE[1]}, house/{THREE[2]}" in house.run("digest").stdout
    assert house.record("house", TWO[1])["after"] == [TWO[0]]


def test_the_next_session_tries_again_and_goes_on_where_it_was(house):
    house.run("-r", "-u")
    (house.folder / "mended").touch()

    done = house.run("-r", "-u")

    assert done.returncode == 0
    assert versions_started(house)[4:] == THREE


def test_without_history_all_run_again_in_their_order(house):
    (house.folder / "mended").touch()

    assert [house.run("-r").returncode for _ in range(2)] == [0, 0]

    assert versions_started(house) == [*THREE, *TWO] * 2


def test_chains_run_side_by_side(house):
    (house.folder / "mended").touch()

    house.run("-r", "-u", "-j", "2")

    started = versions_started(house)
    assert set(started[:2]) == {THREE[0], TWO[0]}
    assert sorted(started, key=[*THREE, *TWO].index) == [*THREE, *TWO]
    for chain in (THREE, TWO):
        assert [name for name in started if name in chain] == chain


def test_what_is_retried_while_the_session_goes_on_takes_its_chain_along(house):
    write(house, add("'bad'", "'after', after='bad'", "'waits'"))
    session = house.start("-r", "-u")
    wait_until(lambda: "trains" in console(house, "waits"))
    assert status(house)["after"] == ("skipped", "bad failed")
    planned = json.loads(house.run("plan", "--json").stdout)
    assert planned["skipped"] == [{"version": "house/after", "reason": "bad failed"}]
    assert "house/after is skipped: bad failed" in house.run("plan").stdout
    alone = house.run("retry", "house/after")
    assert "house/after comes after house/bad, which failed: retry it, too" in alone.stdout

    (house.folder / "mended").touch()
    house.run("retry", "house/bad")
    assert status(house)["after"] == ("queued", "waits for bad")
    (house.folder / "go").touch()
    session.communicate(timeout=60)

    assert versions_started(house) == ["bad", "waits", "bad", "after"]


def test_what_is_cancelled_skips_what_comes_after_it(house):
    write(house, add("'waits'", "'after', after='waits'", "'other'"))
    session = house.start("-r", "-u")
    wait_until(lambda: "trains" in console(house, "waits"))
    assert status(house)["after"] == ("queued", "waits for waits")

    house.run("cancel", "house/waits")
    out, _ = session.communicate(timeout=60)

    assert versions_started(house) == ["waits", "other"]
    assert status(house)["after"] == ("skipped", "waits was cancelled")
    assert session.returncode == 0
    assert "1 skipped (waits was cancelled)" in out


def test_one_that_is_not_listed_counts_by_its_history(house):
    (house.folder / "mended").touch()
    house.list(f"house.py = {THREE[1]}")
    first = house.run("-r", "-u")

    assert (first.returncode, house.outputs.joinpath("runs").exists()) == (0, False)
    assert "1 skipped (preprocessing is not listed, nor done)" in first.stdout
    reasons = json.loads(house.run("explain", f"house/{THREE[1]}", "--json").stdout)["reasons"]
    assert f"that has to be listed, too: `mlpipeline add house '{THREE[0]}'`" in reasons

    house.list(f"house.py = {THREE[0]}")
    house.run("-r", "-u")
    house.list(f"house.py = {THREE[1]}")
    house.run("-r", "-u")
    assert versions_started(house) == THREE[:2]


def test_an_edit_of_the_list_is_answered_with_what_it_skips(house):
    house.list()

    one = house.run("add", "house", THREE[1])
    other = house.run("add", "house", THREE[0])
    gone = house.run("remove", "house", THREE[0])

    assert "skips 1 (preprocessing is not listed, nor done)" in one.stdout
    assert "starts 2" in other.stdout
    assert "drops 1, skips 1 (preprocessing is not listed, nor done)" in gone.stdout


def test_one_that_a_blacklist_leaves_out_counts_by_its_history(house):
    (house.folder / "mended").touch()
    house.list(f"house.py = {THREE[0]}", blacklist=True)

    house.run("-r", "-u")

    assert versions_started(house) == TWO


def test_a_rehearsal_waits_for_its_turn_as_well(house):
    done = house.run("-r", "-u", "--rehearse")

    assert done.returncode == 1
    assert versions_started(house) == TWO
    assert status(house)[THREE[2]] == ("skipped", "preprocessing is held")


def test_test_mode_rehearses_in_order_and_waits_for_nothing_else(house):
    (house.folder / "mended").touch()
    write(house, add("'late', after='first'", "'first'", "'last', after=['late', 'first']"))
    house.list("house.py", test=True)
    whole = house.run()
    house.list("house.py = last", test=True)
    part = house.run()

    assert [line for line in whole.stdout.splitlines() if line.startswith("trains")] == [
        "trains first",
        "trains late",
        "trains last",
    ]
    assert (part.returncode, "trains last" in part.stdout) == (0, True)


@pytest.mark.parametrize(
    ("versions", "told"),
    [
        (
            add("'first'", "'b', after='frist'"),
            "house.py: version 'b' comes after 'frist', which no version is called"
            " (did you mean first?)",
        ),
        (
            add("'a', after='b'", "'b', after='a'"),
            "house.py: version 'a' comes after itself: a after b after a",
        ),
    ],
)
def test_a_model_file_that_makes_no_sense_is_told_of(house, versions, told):
    write(house, versions)

    done = house.run("-r", "-u")

    assert done.returncode == 1
    assert told in done.stderr


def test_another_host_goes_on_where_this_one_was(house):
    (house.folder / "mended").touch()
    write(house, add("'first'", "'waits', after='first'", "'last', after='waits'", "'other'"))
    there = subprocess.Popen(
        house.command("-r", "-u"),
        cwd=house.folder,
        env={**os.environ, "MLPIPELINE_HOST": "gpu7"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: "trains" in console(house, "waits"))

    here = house.run("-r", "-u")

    assert "1 succeeded, 2 left to other hosts (house/waits on gpu7)" in here.stdout
    (house.folder / "go").touch()
    assert there.wait(60) == 0
    assert status(house)["last"] == ("done", "")


def console(project, version):
    try:
        return (project.folder_of("house", version) / "console.log").read_text()
    except OSError:
        return ""


def test_of_many_that_are_skipped_some_are_shown(house):
    write(house, add("'bad'") + "\nfor n in range(50): versions.add(f'v{n}', after='bad')")
    done = house.run("-r", "-u")
    shown = house.run("status").stdout

    assert "skipped: v0, v1, v2, v3, v4 and 45 more" in done.stderr
    assert "… 30 more" in shown
    assert "house/v20" not in shown
    assert "1 failed, 50 skipped" in shown


def test_a_session_in_json_ends_with_what_was_skipped(house):
    summary = json.loads(house.run("-r", "-u", "--json").stdout.splitlines()[-1])

    assert summary["skipped"] == [f"house/{name}" for name in THREE[1:]]
