"""The list is caught half written, cut, emptied, or written in pieces."""

import os
import time

import pytest
from projects import wait_until

WAITING = """
Path(f"began-{self.current_version.name}").touch()
wait_for_file(f"go-{self.current_version.name}")
"""
WHITELIST = "[MLP]\nuse_blacklist = false\n[WHITELISTED_MODELS]\nheld.py = a\nother.py = v, vw\n"
BLACKLIST = "[MLP]\nuse_blacklist = true\n[BLACKLISTED_MODELS]\nunlisted.py\nother.py = w\n"


@pytest.fixture
def held(project):
    """A project whose first run waits; unlisted.py must never run."""
    project.model("held.py", "a", body=WAITING)
    project.model("other.py", "v", "vw", "w")
    project.model("unlisted.py", "u")
    return project


def begin(project, text):
    path = project.folder / "models.config"
    path.write_text(text)
    long_ago = time.time() - 10
    os.utime(path, (long_ago, long_ago))
    session = project.start("-r", "-u")
    wait_until((project.folder / "began-a").exists, "the first run begins")
    return session, path


@pytest.mark.parametrize("text", [WHITELIST, BLACKLIST], ids=["whitelist", "blacklist"])
@pytest.mark.parametrize("part", range(4))
def test_a_list_cut_at_any_byte_starts_nothing_unlisted_and_stops_nothing(held, text, part):
    cuts = range(part, len(text), 4)
    session, path = begin(held, text)
    for end in cuts:
        path.write_text(text[:end])
        long_ago = time.time() - 10  # as if nobody had touched it since
        os.utime(path, (long_ago, long_ago))
        assert session.poll() is None
    (held.folder / "go-a").touch()  # the last cut is what the next start meets
    wait_until(lambda: "held/a#1" in held.outcomes(), "the run comes to its end")
    assert session.poll() is None or set(held.started()) <= {"held/a#1", "other/v#1", "other/vw#1"}
    path.write_text(text)
    session.communicate(timeout=60)

    assert "unlisted/u#1" not in held.started()
    assert "other/w#1" not in held.started()
    assert held.outcomes()["held/a#1"] == "succeeded"
    assert session.returncode == 0


@pytest.mark.parametrize("cut", [WHITELIST[:-5], WHITELIST[:-2], BLACKLIST[: BLACKLIST.index("o")]])
def test_a_cut_that_could_mean_more_than_was_listed_is_refused_with_its_line(held, cut):
    whole = WHITELIST if "WHITE" in cut else BLACKLIST
    session, path = begin(held, whole)

    path.write_text(cut)
    (held.folder / "go-a").touch()
    line = session.stderr.readline()
    wait_until(lambda: len(held.outcomes()) == 3, "the list before is worked off")
    session.communicate(timeout=60)

    assert f"models.config:{cut.count(chr(10)) + 1}: it is the list before, cut short" in line
    assert "unlisted/u#1" not in held.started()


def test_a_list_that_is_written_in_pieces_is_taken_when_it_is_whole(held):
    session, path = begin(held, "[WHITELISTED_MODELS]\nheld.py\n")
    (held.folder / "go-a").touch()
    pieces = ["[WHITELISTED_MODELS]\nother.py", " = v", "w\n"]

    for number in range(1, len(pieces) + 1):
        path.write_text("".join(pieces[:number]))
    session.communicate(timeout=60)

    assert held.started() == ["held/a#1", "other/vw#1"]


def test_a_list_that_is_replaced_by_rename_is_taken(held):
    session, path = begin(held, "[WHITELISTED_MODELS]\nheld.py\n")
    new = held.folder / ".models.config.swp"
    new.write_text("[WHITELISTED_MODELS]\nother.py = w\n")

    new.replace(path)
    (held.folder / "go-a").touch()
    session.communicate(timeout=60)

    assert held.started() == ["held/a#1", "other/w#1"]


def test_a_list_that_is_gone_for_a_moment_keeps_the_queue(held):
    session, path = begin(held, "[WHITELISTED_MODELS]\nheld.py\nother.py = w\n")

    path.unlink()
    (held.folder / "go-a").touch()
    line = session.stderr.readline()
    session.communicate(timeout=60)

    assert "there is no such file" in line
    assert held.started() == ["held/a#1", "other/w#1"]


def test_an_error_in_the_list_is_said_again_when_it_is_made_again(held):
    session, path = begin(held, "[WHITELISTED_MODELS]\nheld.py\n")
    said = []
    for _ in range(2):
        path.write_text("[WHITELISTED_MODELS]\nheld.py\nnope.py\n")
        said.append(session.stderr.readline())
        path.write_text("[WHITELISTED_MODELS]\nheld.py\n\n")
        said.append(session.stderr.readline())

    (held.folder / "go-a").touch()
    session.communicate(timeout=60)

    assert ["nope.py does not exist" in line for line in said] == [True, False, True, False]
    assert ["in use again" in line for line in said] == [False, True, False, True]
