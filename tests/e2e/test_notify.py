"""Messages to a person, from a session and by hand."""

from __future__ import annotations

import json

import pytest


def ask_for(project, text, **settings):
    project.configure(**settings)
    with (project.folder / "mlp.config").open("a") as config:
        config.write(f"[NOTIFY]\n{text}\n")


def lines(project, name="told"):
    path = project.folder / name
    return path.read_text().splitlines() if path.exists() else []


def test_a_session_has_each_failure_told_with_the_end_of_its_log(project):
    ask_for(project, 'command = echo "$MLP_TITLE" >> told; echo "$MLP_LOG" >> log\nlines = 2')
    project.model("m.py", "bad", body="print('first'); print('last'); raise ValueError('no')")
    project.model("n.py", "good", body="print('fine')")
    project.list("m.py", "n.py")

    done = project.run("-r")

    assert done.returncode == 1
    assert lines(project)[0] == "m/bad#1 failed: ValueError: no"
    assert "ValueError: no" in lines(project, "log")[1]


def test_a_session_has_a_new_best_told(project):
    ask_for(project, 'command = echo "$MLP_EVENT: $MLP_TITLE" >> told\non = best')
    project.script(
        "m.py",
        """
        from _base import *
        class Scored(Model):
            def train_model(self, input_fn, steps): pass
            def evaluate_model(self, input_fn, steps):
                return {"accuracy": self.current_version["score"]}
        made = Versions(dataloader=Data, batch_size=4, epoch_count=1)
        for score in (0.5, 0.9, 0.7):
            made.add(f"v{score}", score=score, model_dir_suffix=True)
        MODEL = Scored(made)
        """,
    )
    project.list("m.py")

    project.run("-r")

    assert lines(project) == ["best: m/v0.9#1 is the best: test.accuracy 0.9"]


@pytest.mark.parametrize("command", ["echo no room >&2; exit 3", "sleep 1000 & wait", "no-such-x"])
def test_a_command_that_does_not_work_is_logged_and_the_queue_goes_on(project, command):
    ask_for(project, f"command = {command}\ntimeout = 0.3")
    project.model("m.py", "a", "b", body="raise ValueError('no')")
    project.model("n.py", "v")
    project.list("m.py", "n.py")

    done = project.run("-r")

    assert done.returncode == 1
    assert project.outcomes()["n/v#1"] == "succeeded"
    assert "WARNING - the command of [NOTIFY]" in project.text("log")
    assert "the command of [NOTIFY]" in done.stderr


def test_test_mode_sends_nothing(project):
    ask_for(project, "command = touch told")
    project.model("m.py", "v", body="raise ValueError('no')")
    project.list("m.py", test=True)

    project.run()

    assert not (project.folder / "told").exists()


# --- by hand


def test_a_test_message_is_sent_and_said_to_be(project):
    ask_for(project, 'command = echo "$MLP_EVENT $MLP_TITLE" > told; cat >> told')

    done = project.run("notify")

    text = "project: a test message of mlpipeline"
    assert (done.returncode, done.stdout) == (0, "✓ command: sent\n")
    assert lines(project) == [f"test {text}", text]


def test_a_test_message_that_is_not_taken_is_said_with_the_reason(project):
    ask_for(project, "command = echo no such room >&2; exit 3")

    done = project.run("notify")
    as_json = project.run("notify", "--json")

    problem = "the command of [NOTIFY] failed with exit status 3: no such room"
    assert (done.returncode, done.stdout) == (1, f"✗ {problem}\n")
    assert as_json.returncode == 1
    assert json.loads(as_json.stdout) == [{"target": "command", "sent": False, "problem": problem}]


def test_without_a_target_a_test_message_has_nowhere_to_go(project):
    done = project.run("notify")

    assert done.returncode == 2
    assert "mlp.config: it names nothing to send messages with" in done.stderr
    assert "[NOTIFY]" in done.stderr
