"""Hearing of saved files at once."""

import threading
from contextlib import closing

import pytest
from projects import wait_until

from mlpipeline.execution.filewatch import FileWatch
from mlpipeline.state.layout import Layout


class Heard:
    """Counts calls."""

    def __init__(self):
        self.count = 0
        self._lock = threading.Lock()

    def __call__(self):
        with self._lock:
            self.count += 1


@pytest.fixture
def heard(tmp_path):
    """A watch of a project, and what it heard."""
    models = tmp_path / "models"
    layout = Layout(project=tmp_path, models_dir=models, outputs=models / "outputs", host="here")
    layout.requests.mkdir(parents=True)
    (models / "vision").mkdir()
    heard = Heard()
    with closing(FileWatch(layout, heard)) as watch:
        assert watch.works
        yield heard


@pytest.mark.parametrize(
    "path",
    ["models.config", "models/m.py", "models/vision/m.py", "models/outputs/requests/here/1.json"],
)
def test_what_is_saved_is_heard_of(heard, tmp_path, path):
    (tmp_path / path).write_text("new")

    wait_until(lambda: heard.count, f"{path} is heard of")


def test_what_is_renamed_into_place_is_heard_of(heard, tmp_path):
    (tmp_path / ".models.config.swp").write_text("new")
    assert heard.count == 0

    (tmp_path / ".models.config.swp").rename(tmp_path / "models.config")

    wait_until(lambda: heard.count, "it is heard of")


def test_a_script_in_a_folder_that_is_made_later_is_heard_of(heard, tmp_path):
    (tmp_path / "models" / "text").mkdir()

    def save():
        (tmp_path / "models" / "text" / "m.py").write_text("new")
        return heard.count

    wait_until(save, "it is heard of")


def test_a_folder_that_is_made_again_is_heard_of_again(heard, tmp_path):
    folder = tmp_path / "models" / "vision"
    folder.rmdir()
    folder.mkdir()

    def save():
        (folder / "m.py").write_text("new")
        return heard.count

    wait_until(save, "it is heard of")


def test_what_a_run_writes_into_the_project_wakes_nobody(heard, tmp_path):
    with (tmp_path / "train.log").open("a") as log:
        for number in range(1000):
            log.write(f"{number}\n")
            log.flush()

    (tmp_path / "models.config").write_text("new")

    wait_until(lambda: heard.count, "the list is heard of")
    assert heard.count < 10
