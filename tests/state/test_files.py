"""Files: written whole or not at all, and read without trust."""

import msgspec
import pytest

from mlpipeline.core.launch import Progress
from mlpipeline.errors import StorageError
from mlpipeline.state.files import read_record, storage, write_whole


def test_a_file_is_written_whole_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "run.yaml"

    write_whole(path, b"one")
    write_whole(path, b"two")

    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_a_record_is_read_back(tmp_path):
    path = tmp_path / "progress.json"
    progress = Progress(part="train", step=3, total=10, metrics={"loss": 0.5})

    write_whole(path, msgspec.json.encode(progress))

    assert read_record(path, Progress) == progress


@pytest.mark.parametrize(
    "content",
    [b"", b'{"part":"tra', b"[]", b'{"step":"three"}', b"\0\0\0", b"\xff\xfe", b'{"part":"\xff"}'],
)
def test_a_record_that_is_cut_or_of_another_form_is_none(content, tmp_path):
    path = tmp_path / "progress.json"
    path.write_bytes(content)

    assert read_record(path, Progress) is None


def test_a_record_that_is_missing_is_none(tmp_path):
    assert read_record(tmp_path / "progress.json", Progress) is None


def test_a_disk_that_refuses_is_a_storage_error_that_says_what_was_done(tmp_path):
    with (
        pytest.raises(StorageError, match=r"the notes can't be kept: No such file .*/gone/notes"),
        storage("the notes can't be kept"),
    ):
        (tmp_path / "gone" / "notes").write_text("")


def test_what_can_not_be_put_in_its_place_leaves_nothing_behind(tmp_path):
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "kept").touch()

    with pytest.raises(OSError):
        write_whole(taken, b"new", lasting=True)

    assert list(tmp_path.iterdir()) == [taken]
    assert (taken / "kept").exists()


def test_rights_are_those_that_were_asked_for_from_the_beginning(tmp_path):
    path = tmp_path / "secret"

    write_whole(path, b"new", mode=0o600)

    assert path.stat().st_mode & 0o777 == 0o600
