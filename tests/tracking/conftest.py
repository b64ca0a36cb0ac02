"""One tracking server for all tests of a process; each has its own experiments."""

from __future__ import annotations

import pytest
from tracking.server import Gate, Server


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("mlflow"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def gate(server):
    made = Gate(server.port)
    yield made
    made.close()


@pytest.fixture
def tracked(project, monkeypatch):
    """A project with a section [MLFLOW]."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def track(uri, **settings):
        project.configure(parallel=2)
        settings = {"wait": 60, **settings}  # a busy machine may take its time
        lines = "".join(f"{key} = {value}\n" for key, value in settings.items())
        with (project.folder / "mlp.config").open("a") as file:
            file.write(f"[MLFLOW]\ntracking_uri = {uri}\n{lines}")
        return project

    return track
