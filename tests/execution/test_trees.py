"""The digest of what a step has made: the same for the same content, wherever and whenever."""

import os
import shutil

import pytest

from mlpipeline.execution import trees


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    (folder / "inner").mkdir(parents=True)
    (folder / "a").write_text("a")
    (folder / "inner" / "b").write_text("bb")
    (folder / "empty").mkdir()
    (folder / "link").symlink_to("a")
    return folder


def digest(path):
    return trees.described(str(path))["sha256"]


def test_a_copy_has_the_same_digest_and_another_stamp_when_it_is_newer(tree, tmp_path):
    shutil.copytree(tree, tmp_path / "copy", symlinks=True)
    os.utime(tmp_path / "copy" / "a", (1, 1))

    assert digest(tmp_path / "copy") == digest(tree)
    assert trees.stamp(str(tmp_path / "copy")) != trees.stamp(str(tree))
    told = trees.described(str(tree))
    assert (told["size"], told["files"]) == (3, 2)
    assert told["stamp"] == trees.stamp(str(tree))


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: (tree / "a").write_text("b"),
        lambda tree: (tree / "a").rename(tree / "c"),
        lambda tree: (tree / "new").mkdir(),
        lambda tree: (tree / "empty").rmdir(),
        lambda tree: ((tree / "link").unlink(), (tree / "link").symlink_to("inner")),
        lambda tree: ((tree / "inner/b").unlink(), (tree / "inner/b").mkdir()),
    ],
)
def test_whatever_changes_in_a_tree_changes_its_digest_and_its_stamp(tree, change):
    before, looks = digest(tree), trees.stamp(str(tree))

    change(tree)

    assert digest(tree) != before
    assert trees.stamp(str(tree)) != looks


def test_the_digest_of_a_file_is_that_of_its_content(tree):
    # sha256sum of "a", by coreutils
    assert digest(tree / "a") == (
        "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    )


def test_a_folder_of_files_is_not_taken_for_one_with_a_file_that_lists_them(tmp_path):
    """What is in a name can't be read as another line."""
    for name, inner in (("one", "a' ''\nfile 'b"), ("two", "a")):
        (tmp_path / name).mkdir()
        (tmp_path / name / inner).write_text("")
    (tmp_path / "two" / "b").write_text("")

    assert digest(tmp_path / "one") != digest(tmp_path / "two")


def test_names_that_are_no_unicode_have_a_digest(tmp_path):
    (tmp_path / os.fsdecode(b"\xff")).write_text("x")

    assert len(digest(tmp_path)) == 64


def test_what_has_no_content_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(trees.NotKept, match="neither a file nor a folder"):
        trees.described(str(tmp_path))


def test_full_paths_into_a_tree_are_made_relative_and_others_stay(tree, tmp_path):
    (tree / "inner" / "full").symlink_to(tree / "inner" / "b")
    (tree / "out").symlink_to(tmp_path)

    trees.make_links_relative(str(tree))
    tree.rename(tmp_path / "moved")

    assert (tmp_path / "moved" / "inner" / "full").read_text() == "bb"
    assert os.readlink(tmp_path / "moved" / "out") == str(tmp_path)  # noqa: PTH115
