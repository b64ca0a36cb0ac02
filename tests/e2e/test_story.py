"""A person's session from Friday to Monday, typed into two panes of a terminal."""

from __future__ import annotations

import pytest
from tmux import Tmux

LIST = """\
# What we try for the paper
[MLP]
use_blacklist = false

[WHITELISTED_MODELS]
# what we know
base.py        # both
# what is new
"""
ANSWERS = ["starts 2", "starts 3", "drops 1", "changes the order", "paused", "no longer paused"]

SCRIPT = """
from _base import *

class Trained(Model):
    def get_trained_step_count(self):
        saved = Path(f"saved-{self.current_version.name}")
        return int(saved.read_text()) if saved.exists() else None

    def train_model(self, input_fn, steps):
        name = self.current_version.name
        done = 6 - steps
        print(f"{name} goes on after step {done}" if done else f"{name} begins")
        for step in range(done + 1, 7):
            self.log_metrics({"loss": 1 / step}, step)
            self.progress(step, 6, loss=1 / step)
            Path(f"saved-{name}").write_text(str(step))
            print(f"step {step}")
            if step == 3:
                wait_for_file(f"go-{name}")

    def evaluate_model(self, input_fn, steps):
        return {"accuracy": 1 - self.current_version["rate"]}

made = Versions(dataloader=Data, batch_size=4, epoch_count=2, model_dir_suffix=True)
for name, rate in VERSIONS:
    made.add(name, rate=rate)
MODEL = Trained(made)
"""
MODELS = {
    "base.py": [("small", 0.3), ("large", 0.2)],
    "wide.py": [("w1", 0.1), ("w2", 0.15)],
    "deep.py": [("d1", 0.05), ("d2", 0.25), ("d3", 0.35)],
}


class Study:
    """A project, a session that works on it in one pane, and a person in another."""

    def __init__(self, project, session, person):
        self.project = project
        self.session = session
        self._person = person

    def say(self, command, *answers):
        """Type a command that succeeds, and find the answers on the screen; returns all of it."""
        said = "\n".join(self._person.run(command))
        assert self._person.exit_code == 0, said
        for answer in answers:
            assert answer in said, said
        return said

    def follow(self, command, *, until, meanwhile):
        """Type a command that shows what goes on, and do something when ``until`` is there."""
        self._person.type(command)
        self._person.wait_for(until)
        meanwhile()
        self._person.wait_for_prompt()
        return self._person.screen

    def edit(self, command, answer):
        """Type a command that edits the list; the session in the other pane answers."""
        self.say(command)
        self.session.wait_for(f"models.config: {answer}")

    def let_go(self, *versions):
        """Have runs go on that wait in their middle."""
        for version in versions:
            (self.project.folder / f"go-{version}").touch()


@pytest.fixture
def study(project):
    """Three models whose runs wait for a file in their middle, and a list with comments."""
    for name, versions in MODELS.items():
        project.script(name, SCRIPT.replace("VERSIONS", repr(versions)))
    project.list()
    (project.folder / "models.config").write_text(LIST)
    with Tmux(project.folder, lines=76) as tmux:
        panes = tmux.pane, tmux.split()
        for pane in panes:
            pane.wait_for_prompt()
        yield Study(project, *panes)


def test_from_friday_to_monday(study):
    study.session.type("mlpipeline -r -u --watch")
    study.session.wait_for("base/small#1 train")

    the_list_grows(study)
    a_run_that_leads_nowhere_is_cancelled(study)
    the_next_one_is_watched(study)
    on_second_thoughts_it_is_resumed(study)
    on_monday_it_is_told_what_became_of_it(study)
    the_session_ends(study)

    the_list_has_kept_its_comments(study)
    the_log_has_all_answers(study)


def the_list_grows(study):
    study.edit("echo 'wide.py  # by hand' >> models.config", "starts 2")
    study.edit("mlpipeline add deep.py", "starts 3")
    study.edit("mlpipeline remove deep d3", "drops 1")
    study.edit("mlpipeline move deep.py --before wide.py", "changes the order")

    planned = study.say("mlpipeline plan", "1 run going on · 5 to start")
    assert [name for name in planned.split() if name.endswith("#1")] == [
        "base/large#1",
        "deep/d1#1",
        "deep/d2#1",
        "wide/w1#1",
        "wide/w2#1",
    ]


def a_run_that_leads_nowhere_is_cancelled(study):
    study.edit("mlpipeline pause", "paused; what runs comes to its end")
    study.say("mlpipeline cancel base/small", "base/small", "is told")
    study.session.wait_for("■ base/small#1")
    study.session.wait_for("mlpipeline is paused with 5 queued")
    study.say("mlpipeline status", "paused: `mlpipeline resume` goes on", "skipped")
    study.say("mlpipeline explain base/small", "it was cancelled", "mlpipeline retry")
    study.edit("mlpipeline resume", "no longer paused")


def the_next_one_is_watched(study):
    study.session.wait_for("base/large#1 train")
    study.say("mlpipeline logs base/large -n 1", "step 3")

    followed = study.follow(
        "mlpipeline logs -f base/large",
        until="large begins",
        meanwhile=lambda: study.let_go("large"),
    )

    assert "step 6" in followed


def on_second_thoughts_it_is_resumed(study):
    study.session.wait_for("deep/d1#1 train")
    study.say("mlpipeline retry base/small", "base/small", "is told")
    study.say("mlpipeline skip wide/w2", "wide/w2", "is told")

    study.let_go("d1", "small", "d2", "w1")

    study.session.wait_for("✓ base/small#2")
    study.session.wait_for("mlpipeline waits for models.config to change")
    study.say("mlpipeline logs base/small", "small goes on after step 3")


def on_monday_it_is_told_what_became_of_it(study):
    study.say("mlpipeline digest", "5 succeeded", "nothing is queued")
    study.say("mlpipeline status", "wide/w2", "1 skipped, 5 done")
    study.say("mlpipeline show base/small", "base/small#2", "resumed", "accuracy 0.7")
    study.say("mlpipeline diff base/small base/large", "rate", "test.accuracy")
    best = study.say("mlpipeline results --best test.accuracy").splitlines()[1]
    assert best.split()[:2] == ["deep/d1#1", "*"]
    study.say("mlpipeline plot loss", "loss", "base/small#2", "at step 6")


def the_session_ends(study):
    study.say("mlpipeline stop --wait", "ends")
    study.session.wait_for_prompt()
    assert study.session.exit_code == 0
    assert "5 succeeded" in study.session.screen


def the_list_has_kept_its_comments(study):
    text = (study.project.folder / "models.config").read_text()
    added = "deep.py = d1, d2\nwide.py  # by hand\n"
    assert [line for line in text.splitlines() if line != "paused = no"] == (
        LIST + added
    ).splitlines()


def the_log_has_all_answers(study):
    log = study.project.text("log")
    places = [log.index(f"models.config: {answer}") for answer in ANSWERS]
    assert places == sorted(places)
