import pytest
from hydra_apps import App

pytest.importorskip("hydra")


@pytest.fixture
def app(tmp_path):
    return App(tmp_path)
