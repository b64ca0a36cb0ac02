"""The process that sends, and what of it concerns one attempt, one file or all."""

from __future__ import annotations

import io
import json

import pytest
from projects import wait_until
from tracking.fake_store import FakeStore
from tracking.test_sending import SETTINGS, Attempt, step_of

import mlpipeline.execution.file_sender as file_sender
import mlpipeline.execution.mlflow_helper as mlflow_helper
from mlpipeline.core.tracking import PARENT
from mlpipeline.execution.file_sender import FileSender
from mlpipeline.execution.helper_process import Order, _line
from mlpipeline.execution.mlflow_store import Failed, Refused, Unreachable


class Helped:
    """What a helper has said that was told of ``attempts``, and ended its input then."""

    def __init__(self, store, *attempts):
        lines = io.BytesIO(b"".join(_line(each.told) for each in attempts))
        said = io.BytesIO()
        inbox = mlflow_helper._Inbox(lines)
        wait_until(lambda: inbox.is_over, "all is told")
        order = Order(settings=SETTINGS, project="p", lock="")
        mlflow_helper._Helper(order, store, inbox, mlflow_helper._Mouth(said)).work()
        self.said = [json.loads(line) for line in said.getvalue().splitlines()]
        self.done = [each["done"] for each in self.said if each["done"]]
        self.warnings = [each["warning"] for each in self.said if each["warning"]]


@pytest.fixture
def store():
    return FakeStore()


def ended(tmp_path, number, **settings):
    attempt = Attempt(tmp_path, number, lines=3, **settings)
    attempt.end()
    return attempt


@pytest.mark.parametrize("kind", [Failed, Unreachable])
def test_an_attempt_that_the_server_fails_at_holds_up_no_other(store, tmp_path, kind):
    def trouble(name, about):
        if name == "log" and about[0] == "run0":
            raise kind("HTTP status 500")

    store.trouble = trouble
    attempts = [ended(tmp_path, number) for number in (1, 2, 3)]
    helped = Helped(store, *attempts)
    assert helped.done == [str(attempt.folder) for attempt in attempts[1:]]
    assert helped.warnings == ["m/v#1 can't be sent for now: HTTP status 500"]
    assert all(each["is_up"] for each in helped.said)


def test_a_proxy_that_answers_with_an_error_to_all_counts_as_down(store, tmp_path):
    def trouble(name, about):
        raise Failed("HTTP status 503")

    store.trouble = trouble
    helped = Helped(store, *(ended(tmp_path, number) for number in range(1, 20)))
    assert helped.warnings == []
    (said,) = helped.said
    assert (said["is_up"], said["problem"], said["left"]) == (False, "HTTP status 503", 19)
    assert store.requests == 2


def test_a_batch_that_is_too_large_is_sent_in_parts_at_once(store, tmp_path):
    def trouble(name, about):
        if name == "log" and len(about[1]) > 50:
            raise Failed("HTTP status 502")

    store.trouble = trouble
    attempt = Attempt(tmp_path, lines=400)
    attempt.end()
    helped = Helped(store, attempt)
    assert helped.done == [str(attempt.folder)]
    assert helped.warnings == []
    assert len(store.runs["run0"].metrics) == 800


def test_a_server_that_takes_no_experiment_is_said_once_and_waited_for_by_no_run(store, tmp_path):
    def trouble(name, about):
        raise Refused("no such thing as a folder")

    store.trouble = trouble
    helped = Helped(store, *(ended(tmp_path, number) for number in (1, 2)))
    assert [(each["is_up"], each["problem"]) for each in helped.said] == [
        (False, "no such thing as a folder")
    ]


def test_what_waits_for_its_mlflow_run_is_let_go_where_nobody_answers(store, tmp_path):
    def trouble(name, about):
        raise Unreachable("nobody")

    store.trouble = trouble
    attempts = [Attempt(tmp_path, number) for number in (1, 2)]
    Helped(store, *attempts)
    notes = [json.loads((attempt.folder / "mlflow.json").read_text()) for attempt in attempts]
    assert [(note["run"], note["missed"]) for note in notes] == [("", True), ("", True)]
    store.trouble = lambda name, about: None
    Helped(store, *attempts)
    assert len(store.runs) == 2


def test_a_name_that_only_one_attempt_has_holds_up_no_other(store, tmp_path):
    def trouble(name, about):
        if name == "experiment":
            raise Refused("a bad name")

    store.trouble = trouble
    helped = Helped(store, ended(tmp_path, 1))
    assert helped.warnings == ["m/v#1 is not taken: a bad name"]
    assert helped.said[-1]["is_up"]


def test_many_steps_that_end_are_settled_by_one_look_at_their_pipeline(store, tmp_path):
    attempts = [step_of(tmp_path, number, f"step{number}") for number in range(1, 30)]
    for attempt in attempts:
        attempt.end()
    looks = []
    search = store.search
    store.search = lambda experiment, tag, value: (
        looks.append(tag) or search(experiment, tag, value)
    )
    assert len(Helped(store, *attempts).done) == 29
    assert looks.count(PARENT) == 1


def test_a_pipeline_that_can_not_be_settled_holds_up_no_other(store, tmp_path):
    def trouble(name, about):
        if name == "end" and about == parents[0]:
            raise Failed("HTTP status 500")

    steps = [step_of(tmp_path, number, f"step{number}") for number in (1, 2)]
    for step, pipeline in zip(steps, "ab", strict=True):
        record = step.folder / "run.yaml"
        record.write_text(record.read_text().replace("1234abcd", pipeline))
        step.end()
    parents = ["run2", "run3"]
    store.trouble = trouble
    helped = Helped(store, *steps)
    assert [store.runs[each].info.run_name for each in parents] == ["m a", "m b"]
    assert helped.done == [str(steps[1].folder)]
    assert helped.warnings == ["the end of a pipeline can't be sent for now: HTTP status 500"]
    store.trouble = lambda name, about: None
    assert Helped(store, steps[0]).done == [str(steps[0].folder)]
    assert store.runs["run2"].info.status == "FINISHED"


class Files:
    """A thread that sends files, as time goes by; ``bad`` are names that can't be sent."""

    def __init__(self, store, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(file_sender, "time", self)
        self.store = store
        self.sender = FileSender(lambda: None)

    def monotonic(self):
        return self.now

    def send(self, sending):
        self.sender.send(sending)
        wait_until(lambda: not self.sender.is_at_work, "all is tried")


@pytest.fixture
def sendings(store, tmp_path):
    """Those of two attempts with two files each."""

    def made(number):
        attempt = Attempt(tmp_path, number)
        (attempt.folder / "artifacts").mkdir()
        for name in ("a", "b"):
            (attempt.folder / "artifacts" / name).write_text(name)
        sending = attempt.sending(store)
        sending.begin()
        return sending

    return [made(1), made(2)]


def test_a_file_that_can_not_be_sent_holds_up_no_other(store, sendings, monkeypatch):
    files = Files(store, monkeypatch)

    def trouble(name, about):
        if name == "upload" and about.endswith("1/artifacts/a"):
            raise Failed("HTTP status 500")

    store.trouble = trouble
    for each in sendings:
        files.send(each)
    assert [sorted(run.files) for run in store.runs.values()] == [["b"], ["a", "b"]]
    assert files.sender.problem == (
        "the artifact a of m/v#1 can't be sent for now: HTTP status 500"
    )
    tries = store.asked.count("upload")
    files.send(sendings[0])
    assert store.asked.count("upload") == tries
    store.trouble = lambda name, about: None
    files.now += file_sender.FIRST_PAUSE
    files.send(sendings[0])
    assert sorted(store.runs["run0"].files) == ["a", "b"]
    assert files.sender.problem == ""


def test_where_nobody_answers_no_file_is_tried_for_a_while_and_then_others_first(
    store, sendings, monkeypatch
):
    files = Files(store, monkeypatch)
    tried = []

    def trouble(name, about):
        if name == "upload":
            tried.append(about[-1])
            if about[-1] == tried[0]:
                raise Unreachable("silence")

    store.trouble = trouble
    files.send(sendings[0])
    files.send(sendings[1])
    assert len(tried) == 1
    assert files.sender.problem == "files can't be sent: silence"
    files.now += file_sender.PAUSE
    files.send(sendings[0])
    assert sorted(tried) == ["a", "b"]


def test_a_file_that_is_removed_is_no_problem_any_more(store, sendings, monkeypatch, tmp_path):
    files = Files(store, monkeypatch)

    def trouble(name, about):
        raise Failed("no")

    store.trouble = trouble
    files.send(sendings[0])
    assert files.sender.problem
    for path in (tmp_path / "1/artifacts").iterdir():
        path.unlink()
    files.send(sendings[0])
    assert files.sender.problem == ""
