"""When the list is read again, and when a look at its file is enough."""

from __future__ import annotations

import os
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from mlpipeline.core.listed import ListedModel
from mlpipeline.execution import known_scripts
from mlpipeline.execution.list_reader import ListReader
from mlpipeline.execution.listing import Listed, Listing, Look


class Watched:
    """A reader of a list that says of one script what its file has; reads are counted."""

    def __init__(self, folder: Path):
        self.path = folder / "models.config"
        self.script = folder / "m.py"
        self.count = 0
        for path in (self.path, self.script):
            self.edit(path, "one")
        self.reader = ListReader(
            self._read, lambda listed: None, lambda: None, refresh=timedelta(hours=1)
        )

    def edit(self, path: Path, text: str) -> None:
        """By rename, as editors do."""
        new = path.with_suffix(".new")
        new.write_text(text)
        new.replace(path)

    def _read(self) -> Listed:
        self.count += 1
        stat = self.script.stat()
        model = ListedModel(
            name="m",
            path=self.path.read_text(),
            files={str(self.script): (stat.st_mtime_ns, stat.st_size)},
        )
        return Listed(models=(model,), look=Look.at(self.path))

    def is_new(self) -> bool:
        """Whether there is something to act on once a reading that goes on, if any, is done."""
        self.reader.is_new()
        if self.reader._reading is not None:
            self.reader._reading.result()
        return self.reader.is_new()

    def act(self) -> str:
        """What the list is found to say."""
        assert self.is_new()
        self.reader.use()
        return self.reader.listed.models[0].path


@pytest.fixture
def reading(tmp_path):
    made = Watched(tmp_path)
    with closing(made.reader):
        assert made.act() == "one"
        yield made


def test_what_was_acted_on_is_not_acted_on_again_unless_that_is_asked_for(reading):
    assert not reading.is_new()


def test_a_list_that_nobody_has_touched_is_acted_on_again_without_a_reading(reading):
    for _ in range(3):
        reading.reader.ask()
        assert reading.reader.is_new()
        reading.reader.use()

    assert reading.count == 1
    assert not reading.reader.is_fresh


@pytest.mark.parametrize("change", ["edit", "touch", "remove"])
def test_a_list_that_was_touched_is_read_first(reading, change):
    if change == "edit":
        reading.edit(reading.path, "two")
    elif change == "touch":
        os.utime(reading.path, (1, 1))
    else:
        reading.edit(reading.path.with_name("other"), "one")
        reading.path.unlink()
        reading.path.symlink_to("other")
    reading.reader.ask()

    assert not reading.reader.is_new()
    assert reading.act() == ("two" if change == "edit" else "one")
    assert reading.count == 2
    assert reading.reader.is_fresh


def test_an_edit_while_the_list_is_being_read_is_not_missed(reading):
    reading.reader.outdate()
    reading.reader.is_new()
    reading.reader._reading.result()
    reading.edit(reading.path, "two")
    reading.reader.ask()

    assert not reading.reader.is_new()
    assert reading.act() == "two"


def test_a_model_whose_script_was_edited_is_read_again_before_it_starts(reading):
    (model,) = reading.reader.listed.models
    assert reading.reader.holds_for(model)

    reading.edit(reading.script, "another")

    assert not reading.reader.holds_for(model)
    assert reading.is_new()
    assert reading.count == 2
    assert reading.reader.holds_for(*reading.reader.listed.models)


def test_a_model_whose_script_is_gone_is_read_again(reading):
    reading.script.unlink()

    assert not reading.reader.holds_for(*reading.reader.listed.models)


def test_what_was_read_long_ago_is_read_again(reading, monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda clock=time.monotonic: clock() + 3 * 3600)
    reading.reader.ask()

    assert not reading.reader.is_new()
    assert reading.act() == "one"
    assert reading.count == 2


def test_after_a_sign_of_change_the_list_is_read_first(reading):
    reading.reader.hasten()
    reading.reader.ask()

    assert not reading.reader.is_new()
    assert reading.act() == "one"
    assert reading.count == 2


def test_a_file_that_was_written_just_now_is_read_each_time(tmp_path):
    class Nothing:
        def listed(self, models, stop, files):
            return known_scripts.Reading(models=())

    path = tmp_path / "models.config"
    path.write_text("[WHITELISTED_MODELS]\n")
    looks = []
    for age in (0, 10):
        os.utime(path, (time.time() - age, time.time() - age))
        looks.append(Listing(path, tmp_path, Nothing(), patient=False).refresh().look)

    assert looks == [None, Look.at(path)]
    assert not Listed().still_holds()
