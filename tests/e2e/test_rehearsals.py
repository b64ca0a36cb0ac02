"""--rehearse: a version is run in test mode before its first real run."""

import json
from contextlib import suppress

import pytest
from projects import is_there, wait_until

TYPO_AT_THE_END = """
if self.current_version.name == "bad" and steps == 1:
    pass
Path("steps").open("a").write(f"{self.current_version.name} {steps}\\n")
"""


@pytest.fixture
def typo(project):
    """A model whose version ``bad`` fails in its evaluation only."""
    project.model("m.py", "bad", "good", body=TYPO_AT_THE_END)
    script = (project.models / "m.py").read_text()
    project.script("m.py", script.replace("return {", "self.check(); return {") + CHECK)
    project.list("m.py")
    return project


CHECK = """
def check(self):
    if self.current_version.name == "bad":
        raise NameError("name 'acuracy' is not defined")

Trained.check = check
"""


def steps(project):
    return (project.folder / "steps").read_text().splitlines()


def test_a_typo_in_the_evaluation_holds_its_version_and_the_rest_goes_on(typo):
    done = typo.run("-r", "-u", "--rehearse")

    assert done.returncode == 1
    assert typo.outcomes() == {"m/good#1": "succeeded"}
    assert steps(typo) == ["bad 1", "good 1", "good 6"]
    assert "m/bad is held, since its rehearsal failed: NameError" in done.stderr
    assert "1 succeeded, 1 held" in done.stdout


def test_what_is_held_is_an_event_of_a_session_in_json(typo):
    done = typo.run("-r", "-u", "--rehearse", "--json")

    events = [json.loads(line) for line in done.stdout.splitlines()]
    (held,) = [event for event in events if event["event"] == "held"]
    assert held["run"] == "m/bad"
    assert "NameError" in held["reason"]


def test_what_is_held_is_shown_with_its_error(typo):
    typo.run("-r", "-u", "--rehearse")

    status = typo.run("status").stdout
    explained = typo.run("explain", "m/bad").stdout

    assert "m/bad" in status
    assert "held" in status
    assert "its rehearsal failed: NameError: name 'acuracy' is not defined" in status
    assert "it is tried again when its script changes" in explained


def test_it_stays_held_until_the_script_is_mended(typo):
    typo.run("-r", "-u", "--rehearse")
    again = typo.run("-r", "-u", "--rehearse")
    typo.model("m.py", "bad", "good", body=TYPO_AT_THE_END)

    mended = typo.run("-r", "-u", "--rehearse")

    assert (again.returncode, mended.returncode) == (1, 0)
    assert typo.outcomes() == {"m/good#1": "succeeded", "m/bad#1": "succeeded"}


def test_a_person_may_have_it_tried_again(typo):
    typo.run("-r", "-u", "--rehearse")
    typo.run("retry", "m/bad")

    typo.run("-r", "-u", "--rehearse")

    assert steps(typo).count("bad 1") == 2


def test_nothing_of_a_rehearsal_is_left(typo):
    typo.run("-r", "-u", "--rehearse")

    left = [path for path in (typo.outputs / "rehearsals").rglob("*") if path.is_file()]
    assert left == []
    assert sorted(path.name for path in (typo.outputs / "runs" / "m").iterdir()) == ["good"]
    assert [path.name for path in (typo.outputs / "model_ckpts").iterdir()] == ["m-good"]


def test_what_has_run_is_not_rehearsed_again(typo):
    typo.run("-r", "-u", "--rehearse")
    (typo.folder / "steps").unlink()

    typo.run("retry", "m/good")
    typo.run("-r", "-u", "--rehearse")

    assert steps(typo) == ["good 6"]


def test_what_a_killed_session_left_is_ended_before_it_is_rehearsed_again(project):
    project.model("m.py", "a", body="print(os.getpid()); wait_for_file('go')")
    project.list("m.py")
    session = project.start("-r", "-u", "--rehearse")

    def pids():
        texts = []
        for path in (project.outputs / "rehearsals").rglob("console.log"):
            with suppress(FileNotFoundError):  # it is being emptied
                texts.append(path.read_text())
        return [int(text) for text in texts if text]

    wait_until(pids, "the rehearsal goes on")
    (first,) = pids()
    session.kill()
    session.communicate()

    again = project.start("-r", "-u", "--rehearse")
    wait_until(lambda: pids() not in ([], [first]), "it is rehearsed again")
    left = is_there(first)
    (project.folder / "go").touch()
    again.communicate(timeout=60)

    assert not left
    assert project.outcomes() == {"m/a#1": "succeeded"}


def test_a_session_that_is_stopped_meanwhile_holds_nothing(project):
    project.model("m.py", "a", body="print('rehearses'); wait_for_file('never')")
    project.list("m.py")
    session = project.start("-r", "-u", "--rehearse")
    wait_until(
        lambda: any(
            path.read_text() for path in (project.outputs / "rehearsals").rglob("console.log")
        ),
        "the rehearsal goes on",
    )

    project.run("stop")
    session.communicate(timeout=60)

    assert "held" not in project.run("status").stdout
    assert "queued" in project.run("status").stdout
