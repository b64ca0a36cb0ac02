"""What is sent of a run, cut off at any request: nothing is missing then, and nothing twice."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from tracking.fake_store import FakeStore

from mlpipeline.core.runs import Outcome
from mlpipeline.core.tracking import PARENT, Over, Told
from mlpipeline.errors import StorageError
from mlpipeline.execution.metric_points import BLOCK
from mlpipeline.execution.mlflow_store import Failed, Unreachable
from mlpipeline.execution.pipeline_runs import PipelineRuns
from mlpipeline.execution.sending import Sending
from mlpipeline.state.mlflow_config import Mlflow

STARTED = datetime(2026, 1, 1, 12, tzinfo=UTC)
SETTINGS = Mlflow(uri="http://me:secret@server")
SPEC = {
    "model": "m", "version": "v", "attempt": 1, "script": "/m.py", "signature": "12345678",
    "stamp": [0, 0], "folder": "/f", "project": "/p", "models_dir": "/p", "model_dir": "/d",
    "test": False, "fresh": True,
}  # fmt: skip
FACTS = {"script": "m.py", "git": {"commit": "abc", "dirty": True}, "summary": {"model": "Nice."}}


class Attempt:
    """An attempt with its folder, and those who send it."""

    def __init__(self, folder, number=1, *, resumed="", parameters=(), record=None, lines=0):
        self.folder = folder / str(number)
        self.folder.mkdir()
        spec = {**SPEC, "parameters": dict(parameters), "attempt": number}
        (self.folder / "spec.json").write_text(json.dumps(spec))
        (self.folder / "run.yaml").write_text(yaml.safe_dump({**FACTS, **(record or {})}))
        self.log(*({"loss": 1 / (step + 1), "acc": step} for step in range(lines)))
        self.told = Told(
            folder=str(self.folder),
            model="m",
            version="v",
            attempt=number,
            host="here",
            started=STARTED + timedelta(hours=number),
            resumed=resumed,
        )
        self.left_out = []

    def log(self, *lines, first=0):
        with (self.folder / "metrics.jsonl").open("a") as file:
            for step, metrics in enumerate(lines, start=first):
                file.write(json.dumps({"step": step, "time": 1e9 + step, **metrics}) + "\n")

    def end(self, outcome=Outcome.SUCCEEDED, reason="", **results):
        over = Over(outcome=outcome, reason=reason, at=STARTED, steps=7, results=results)
        self.told = Told(**{**_fields(self.told), "over": over})

    def sending(self, store, pipelines=None):
        self.pipelines = pipelines or PipelineRuns(store, "p")
        return Sending(self.told, SETTINGS, store, self.pipelines, "p", self.left_out.append)

    def send(self, store, pipelines=None):
        """All there is, as the helper does."""
        sending = self.sending(store, pipelines)
        try:
            while sending.advance():
                pass
            self.pipelines.settle()
            for name, stamp in list(sending.files()):
                sending.upload(name, stamp)
            sending.advance()
        except Unreachable:
            sending.doubt()
            raise
        return sending


def _fields(record):
    return {name: getattr(record, name) for name in record.__struct_fields__}


@pytest.fixture
def store():
    return FakeStore()


def test_a_whole_run_arrives(store, tmp_path):
    attempt = Attempt(tmp_path, parameters={"lr": 0.1, "o": {"a": 1}}, lines=1)
    (attempt.folder / "artifacts/sub").mkdir(parents=True)
    (attempt.folder / "artifacts/sub/x.txt").write_text("hello")
    attempt.end(test={"accuracy": 0.5, "broken": "nan"}, train="done")
    assert attempt.send(store).is_done
    (run,) = store.runs.values()
    assert (store.experiments, run.info.run_name, run.info.status) == (["m"], "v", "FINISHED")
    assert run.params == {"lr": "0.1", "o.a": "1"}
    assert [(p.name, p.step, p.at) for p in run.metrics] == [
        ("loss", 0, 10**12),
        ("acc", 0, 10**12),
        ("test.accuracy", 7, int(STARTED.timestamp() * 1000)),
        ("test.broken", 7, int(STARTED.timestamp() * 1000)),
    ]
    assert run.files == {"sub/x.txt": b"hello"}
    expected = {
        "mlpipeline.run": "m/v#1",
        "mlpipeline.state": "succeeded",
        "mlpipeline.host": "here",
        "mlpipeline.signature": "12345678",
        "mlpipeline.git_dirty": "true",
        "mlflow.source.git.commit": "abc",
        "mlflow.note.content": "Nice.",
        "mlpipeline.result.train": "done",
    }
    assert expected.items() <= run.tags.items()


def test_no_secret_of_the_address_is_noted(store, tmp_path):
    attempt = Attempt(tmp_path)
    attempt.send(store)
    assert "secret" not in (attempt.folder / "mlflow.json").read_text()


def many_requests(tmp_path):
    """An attempt of which much is to be sent, in several requests for each kind."""
    attempt = Attempt(tmp_path, parameters={f"p{n}": n for n in range(150)}, lines=1_200)
    attempt.log(*[{"loss": 0.5}] * 2, first=7)  # steps again, as after a checkpoint
    (attempt.folder / "artifacts").mkdir()
    for name in "ab":
        (attempt.folder / "artifacts" / name).write_text(name)
    attempt.end(Outcome.FAILED, "ValueError: no", test=0.5)
    return attempt


def content(store):
    (run,) = store.runs.values()
    points = [(p.name, p.step, p.at, p.value) for p in run.metrics]
    return sorted(points), run.params, run.tags, run.files, run.info.status


@pytest.mark.parametrize("is_done_all_the_same", [False, True])
@pytest.mark.parametrize("is_note_lost", [False, True])
def test_cut_off_at_any_request_all_arrives_and_nothing_twice(
    tmp_path, is_done_all_the_same, is_note_lost
):
    whole = FakeStore()
    (tmp_path / "whole").mkdir()
    many_requests(tmp_path / "whole").send(whole)
    expected = content(whole)
    points, params, tags, files, status = expected
    assert (len(points), len(params), len(files), status) == (2403, 150, 2, "FAILED")
    tags.pop("mlpipeline.id")
    for number in range(1, whole.requests + 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        attempt, store = many_requests(folder), FakeStore()
        store.fail_at, store.is_done_all_the_same = number, is_done_all_the_same
        with pytest.raises(Unreachable):
            attempt.send(store)
        if is_note_lost:
            (attempt.folder / "mlflow.json").unlink(missing_ok=True)
        assert attempt.send(store).is_done
        content(store)[2].pop("mlpipeline.id")
        assert content(store) == expected, f"cut off at request {number}"


def test_half_a_line_waits_for_its_end(store, tmp_path):
    attempt = Attempt(tmp_path, lines=1)
    path = attempt.folder / "metrics.jsonl"
    whole = path.read_text()
    more = whole.replace('"step": 0', '"step": 1')
    path.write_text(f"{whole}nonsense\n{more[:20]}")
    attempt.send(store)
    (run,) = store.runs.values()
    assert len(run.metrics) == 2
    with path.open("a") as file:
        file.write(more[20:])
    attempt.send(store)
    assert len(run.metrics) == 4


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_line_longer_than_a_block_is_sent_and_holds_up_nothing(store, tmp_path, end):
    attempt = Attempt(tmp_path)
    attempt.log({f"metric{number:05}": number for number in range(20_000)})
    attempt.log({"loss": 1.0}, first=1)
    path = attempt.folder / "metrics.jsonl"
    assert path.stat().st_size > BLOCK
    path.write_text(path.read_text().removesuffix("\n") + end)
    attempt.end()
    assert attempt.send(store).is_done
    (run,) = store.runs.values()
    assert len(run.metrics) == 20_000 + bool(end)


def test_a_number_beyond_all_floats_is_passed_over_and_said(store, tmp_path):
    attempt = Attempt(tmp_path)
    attempt.log({"huge": 10**400, "loss": 1.0}, {"huge": 1})
    attempt.end(test={"huge": -(10**400), "accuracy": 0.5})
    assert attempt.send(store).is_done
    (run,) = store.runs.values()
    assert [point.name for point in run.metrics] == ["loss", "huge", "test.accuracy"]
    beyond = "it is a whole number beyond all floats"
    assert attempt.left_out == [
        f"m/v#1: the metric huge is left out where {beyond}",
        f"m/v#1: the result test.huge is left out, since {beyond}",
    ]


def test_what_mlflow_refuses_is_left_out_and_the_rest_arrives(store, tmp_path):
    attempt = Attempt(tmp_path, parameters={"refused": 1, "b": 2}, lines=5)
    attempt.log({"refused": 1.0, "good": 2.0})
    attempt.end()
    assert attempt.send(store).is_done
    (run,) = store.runs.values()
    assert run.params == {"b": "2"}
    assert [point.name for point in run.metrics][-1] == "good"
    assert len(run.metrics) == 11
    assert attempt.left_out == [
        "m/v#1: refused is left out: a name",
        "m/v#1: the metric refused is left out: a name",
    ]


def test_a_run_that_is_deleted_there_gets_nothing_more(store, tmp_path):
    attempt = Attempt(tmp_path)
    attempt.send(store)
    (run,) = store.runs.values()
    run.info.lifecycle_stage = "deleted"
    attempt.log({"loss": 1.0})
    assert attempt.send(store).is_done
    assert attempt.left_out == [
        "m/v#1: its MLflow run has been deleted; nothing more of it is sent"
    ]
    requests = store.requests
    assert attempt.send(store).is_done
    assert store.requests == requests


@pytest.mark.parametrize("is_note_lost", [False, True])
def test_a_resumed_attempt_goes_on_in_the_same_mlflow_run(store, tmp_path, is_note_lost):
    first = Attempt(tmp_path, parameters={"lr": 1}, lines=3)
    first.end(Outcome.LOST)
    first.send(store)
    (run,) = store.runs.values()
    assert run.info.status == "KILLED"
    second = Attempt(tmp_path, 2, resumed=str(first.folder), parameters={"lr": 1})
    second.log({"loss": 0.1}, first=3)
    second.send(store)
    assert (run.info.status, run.tags["mlpipeline.attempt"]) == ("RUNNING", "2")
    second.end()
    if is_note_lost:
        (second.folder / "mlflow.json").unlink()
    second.send(store)
    assert list(store.runs.values()) == [run]
    assert run.info.status == "FINISHED"
    assert [p.step for p in run.metrics if p.name == "loss"] == [0, 1, 2, 3]


def test_another_server_gets_all_anew(store, tmp_path):
    attempt = Attempt(tmp_path, lines=1)
    attempt.send(FakeStore())
    path = attempt.folder / "mlflow.json"
    path.write_text(path.read_text().replace("//server", "//other"))
    attempt.send(store)
    assert len(store.runs["run0"].metrics) == 2


def test_steps_are_the_children_of_their_pipeline(store, tmp_path):
    def step(number, name, outcome):
        attempt = step_of(tmp_path, number, name)
        attempt.end(outcome)
        attempt.send(store)
        return next(run for run in store.runs.values() if run.info.run_name == name)

    one = step(1, "one", Outcome.SUCCEEDED)
    parent = store.runs[one.tags["mlflow.parentRunId"]]
    assert (parent.info.run_name, parent.info.status) == ("m 1234abcd", "FINISHED")
    two = step(2, "two", Outcome.FAILED)
    assert two.tags["mlflow.parentRunId"] == parent.info.run_id
    assert parent.info.status == "FAILED"
    assert len(store.runs) == 3


def step_of(tmp_path, number, name):
    attempt = Attempt(tmp_path, number, record={"step": name, "pipeline": "1234abcd"})
    attempt.told = Told(**{**_fields(attempt.told), "version": name})
    return attempt


def test_the_state_of_a_pipeline_is_that_of_the_newest_attempts(store, tmp_path):
    pipelines = PipelineRuns(store, "p")
    for number, name, outcome in [
        (3, "one", Outcome.SUCCEEDED),
        (2, "one", Outcome.FAILED),
        (4, "two", Outcome.KILLED),
    ]:
        attempt = step_of(tmp_path, number, name)
        attempt.end(outcome)
        assert attempt.send(store, pipelines).is_done
    assert {run.info.run_name: run.info.status for run in store.runs.values()}["m 1234abcd"] == (
        "KILLED"
    )


def test_a_parent_that_is_deleted_is_made_anew(store, tmp_path):
    pipelines = PipelineRuns(store, "p")
    one = step_of(tmp_path, 1, "one")
    sending = one.sending(store, pipelines)
    while sending.advance():
        pass
    (old,) = (run for run in store.runs.values() if run.info.run_name == "m 1234abcd")
    old.info.lifecycle_stage = "deleted"
    two = step_of(tmp_path, 2, "two")
    two.end()
    assert two.send(store, pipelines).is_done
    one.end()
    assert one.send(store, pipelines).is_done
    new = store.runs[next(r for r in store.runs.values() if r.info.run_name == "two").tags[PARENT]]
    assert new is not old
    assert (new.info.run_name, new.info.status) == ("m 1234abcd", "FINISHED")


def test_a_parent_that_is_deleted_before_its_end_is_sent_holds_nothing_up(store, tmp_path):
    one = step_of(tmp_path, 1, "one")
    pipelines = PipelineRuns(store, "p")
    sending = one.sending(store, pipelines)
    while sending.advance():
        pass
    (parent,) = (run for run in store.runs.values() if run.info.run_name == "m 1234abcd")
    parent.info.lifecycle_stage = "deleted"
    one.end()
    assert one.send(store, pipelines).is_done


def test_a_parent_is_settled_also_where_a_kill_came_before(store, tmp_path):
    one = step_of(tmp_path, 1, "one")
    one.end()
    sending = one.sending(store)
    while not sending.sent.status:
        sending.advance()
    (parent,) = (run for run in store.runs.values() if run.info.run_name == "m 1234abcd")
    assert parent.info.status == "RUNNING"
    assert one.send(store).is_done
    assert parent.info.status == "FINISHED"


def test_after_a_request_that_failed_less_is_sent_at_once(store, tmp_path):
    attempt = Attempt(tmp_path, parameters={f"p{n}": n for n in range(20)}, lines=100)
    attempt.end()

    def trouble(name, about):
        if name == "log" and len(about[1]) + len(about[2]) > 7:
            raise Failed("too much for a proxy")

    store.trouble = trouble
    sending = attempt.sending(store)
    for _ in range(20):
        try:
            while sending.advance():
                pass
        except Failed:
            sending.doubt()
            assert sending.lessen()
    assert sending.is_done
    assert not sending.lessen()
    (run,) = store.runs.values()
    assert (len(run.params), len(run.metrics)) == (20, 200)


def test_a_parameter_that_a_script_has_logged_itself_is_not_sent_again(store, tmp_path):
    attempt = Attempt(tmp_path, parameters={"lr": 1, "b": 2})
    sending = attempt.sending(store)
    sending.begin()
    store.log("run0", parameters={"lr": "own"})
    while sending.advance():
        pass
    assert store.runs["run0"].params == {"lr": "own", "b": "2"}


def test_what_an_earlier_mlpipeline_noted_counts_and_nonsense_does_not(store, tmp_path):
    attempt = Attempt(tmp_path, lines=2)
    path = attempt.folder / "mlflow.json"
    sending = attempt.send(store)
    noted = json.loads(path.read_text())
    for text in ("", '{"uri": 7}', path.read_text()[:20], "[]"):
        path.write_text(text)
        attempt.send(store)
        assert json.loads(path.read_text())["run"] == sending.sent.run
    path.write_text(json.dumps({key: noted[key] for key in ("uri", "run", "experiment")}))
    attempt.send(store)
    assert len(store.runs["run0"].metrics) == 4
    assert len(store.runs) == 1


def test_a_disk_that_takes_no_note_loses_nothing(store, tmp_path):
    attempt = Attempt(tmp_path, lines=2)
    attempt.end()
    blocked = attempt.folder / f".mlflow.json.{os.getpid()}"
    blocked.mkdir()  # where the note is written before it is put in place
    with pytest.raises(StorageError):
        attempt.send(store)
    blocked.rmdir()
    assert attempt.send(store).is_done
    assert len(store.runs) == 1
    assert len(store.runs["run0"].metrics) == 4
