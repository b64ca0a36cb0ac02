"""What is asked of MLflow, in the ways that it keeps things; and what an answer means."""

from __future__ import annotations

import http.server
import threading

import pytest
from tracking.fake_store import FakeStore

from mlpipeline.core.tracking import PARENT, PIPELINE, digest_of
from mlpipeline.execution import mlflow_store
from mlpipeline.execution.mlflow_store import Failed, Point, Refused, Store, Unreachable
from mlpipeline.execution.pipeline_runs import PipelineRuns

AWKWARD = 'it\'s "a" `b` \\ %s {c} größe; --'


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield Store(f"sqlite:///{folder}/mlflow.db", 30)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A store in a folder, which MLflow refuses by itself."""
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    return Store((tmp_path / "mlruns").as_uri(), 30)


@pytest.fixture(params=["fake", "sqlite", "folder"])
def kind(request):
    return request.param


@pytest.fixture
def store(request, kind):
    return FakeStore() if kind == "fake" else request.getfixturevalue(kind)


@pytest.mark.filterwarnings("ignore")
def test_a_store_keeps_its_contract_whatever_things_are_called(kind, store, monkeypatch):
    monkeypatch.setattr(mlflow_store, "PAGE", 2)
    store.probe()
    name = AWKWARD if kind != "folder" else "größe {c}"  # where MLflow itself refuses quotes
    experiment = store.experiment(name)
    assert store.experiment(name) == experiment
    assert store.find(experiment, "mlpipeline.id", "1234abcd") is None
    runs = [
        store.create(experiment, f"{AWKWARD}{at}", at, {"mlpipeline.id": "1234abcd"})
        for at in (2, 1, 3, 5, 4)
    ]
    assert store.find(experiment, "mlpipeline.id", "1234abcd") == runs[1]
    found = store.search(experiment, "mlpipeline.id", "1234abcd")
    assert [run.info.start_time for run in found] == [5, 4, 3, 2, 1]
    run = runs[0]
    store.log(run, [Point("loss", 1, 7, 0.5)], {"a b": AWKWARD}, {"mlpipeline.x": AWKWARD})
    assert store.history(run, "loss") == [Point("loss", 1, 7, 0.5)]
    assert store.parameters(run) == {"a b": AWKWARD}
    assert store.is_there(run)
    store.end(run, "FAILED", 8)
    assert {run.info.status for run in store.search(experiment, "mlpipeline.id", "1234abcd")} == {
        "FAILED", "RUNNING",
    }  # fmt: skip
    store.reopen(run)


@pytest.mark.filterwarnings("ignore")
def test_a_pipeline_in_a_folder_of_an_awkward_name_has_its_steps(store):
    experiment = store.experiment(f"pipelines in {type(store).__name__}")
    record = {"step": "one", "pipeline": "1234abcd"}
    pipelines = PipelineRuns(store, AWKWARD)
    parent = pipelines.join(experiment, AWKWARD, record, 1)
    assert PipelineRuns(store, AWKWARD).of(experiment, AWKWARD, record, 1) == parent
    child = store.create(experiment, "one", 2, {PARENT: parent})
    store.end(child, "KILLED", 3)
    pipelines.unsettle(experiment, parent)
    pipelines.settle()
    assert pipelines.is_settled(parent)
    digest = digest_of(f"{AWKWARD}/{AWKWARD}@1234abcd")
    (found,) = store.search(experiment, PIPELINE, digest)
    assert (found.info.run_id, found.info.status) == (parent, "KILLED")


@pytest.mark.filterwarnings("ignore")
def test_a_deleted_experiment_is_a_matter_of_its_runs_only(sqlite):
    sqlite._ask(lambda client: client.delete_experiment(sqlite.experiment("gone")))
    another = Store(sqlite._uri, 30)
    with pytest.raises(Failed, match="has been deleted there; restore it"):
        another.experiment("gone")
    another.probe()


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers to all with the server's ``status``."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b"<html>no</html>"
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST  # noqa: N815

    def log_message(self, *what):
        pass


@pytest.fixture
def proxy():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.uri = f"http://me:secret@127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("status", "kind"),
    [(413, Refused), (400, Refused), (403, Failed), (500, Failed), (502, Failed), (503, Failed)],
)
def test_an_answer_that_is_an_error_is_no_silence(proxy, status, kind):
    proxy.status = status
    store = Store(proxy.uri, 5)
    with pytest.raises(kind) as raised:
        store.log("run", parameters={"a": "b"})
    assert "secret" not in str(raised.value)
    with pytest.raises(Unreachable):  # all that is asked is answered so
        store.probe()


@pytest.mark.filterwarnings("ignore")
def test_silence_is_told_from_an_answer(gate):
    gate.mode = "refuses"
    with pytest.raises(Unreachable, match="can't be reached"):
        Store(gate.uri, 1).log("run", parameters={"a": "b"})
    gate.mode = "hangs"
    with pytest.raises(Unreachable, match="does not answer within 1 s"):
        Store(gate.uri, 1).log("run", parameters={"a": "b"})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("status", "kind"), [(413, Refused), (500, Failed), (503, Failed)])
def test_a_file_that_is_not_taken_is_no_silence_either(proxy, tmp_path, status, kind):
    from mlflow.artifacts import get_artifact_repository

    (tmp_path / "x").write_text("x")
    proxy.status = status
    artifacts = f"{proxy.uri}/api/2.0/mlflow-artifacts/artifacts"
    store = Store(proxy.uri, 5)
    with pytest.raises(kind):
        store._ask(lambda _: get_artifact_repository(artifacts).log_artifact(str(tmp_path / "x")))
