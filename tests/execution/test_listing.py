"""The list as the scheduler takes it: settled, whole, and the last good one otherwise."""

from __future__ import annotations

import os
import time
from contextlib import closing

import pytest
from projects import BASE, MODEL

from mlpipeline.execution.known_scripts import KnownScripts
from mlpipeline.execution.listing import Listing

WHITELIST = "[MLP]\nuse_blacklist = no\n[WHITELISTED_MODELS]\none.py = a\ntwo.py = v, vw\n"
BLACKLIST = "[MLP]\nuse_blacklist = yes\n[BLACKLISTED_MODELS]\nthree.py\ntwo.py = w\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "_base.py").write_text(BASE)
    for name, versions in (("one", "ab"), ("two", ("v", "vw", "w")), ("three", "u")):
        names = ", ".join(map(repr, versions))
        (folder / f"{name}.py").write_text(MODEL.format(body="        pass", names=names))
    return folder


@pytest.fixture(scope="module")
def inspector(folder):
    with closing(KnownScripts(folder, folder, 60)) as made:
        yield made


def write(folder, text, *, age=10.0):
    path = folder / "models.config"
    path.write_text(text)
    at = time.time() - age
    os.utime(path, (at, at))
    return path


def versions(listed):
    return {f"{model.name}/{each.name}" for model in listed.models for each in model.versions}


@pytest.mark.parametrize("text", [WHITELIST, BLACKLIST], ids=["whitelist", "blacklist"])
def test_no_cut_of_a_list_adds_to_what_is_listed(folder, inspector, text):
    listing = Listing(write(folder, text), folder, inspector, patient=False)
    whole = versions(listing.refresh())
    assert len(whole) > 2

    for end in range(len(text)):
        write(folder, text[:end])
        listed = listing.refresh()
        assert versions(listed) <= whole, text[:end]
        assert versions(listed), text[:end]
        write(folder, text)
        assert listing.refresh().problems == ()


def test_a_list_that_was_just_written_is_not_taken_until_it_has_settled(folder, inspector):
    listing = Listing(write(folder, "[WHITELISTED_MODELS]\none.py\n"), folder, inspector)
    listing.refresh()

    write(folder, "[WHITELISTED_MODELS]\ntwo.py\n", age=0.0)
    at_once = listing.refresh()
    write(folder, "[WHITELISTED_MODELS]\ntwo.py\n", age=1.0)
    later = listing.refresh()

    assert (at_once.settled, versions(at_once)) == (False, {"one/a", "one/b"})
    assert (later.settled, versions(later)) == (True, {"two/v", "two/vw", "two/w"})


def test_a_last_line_without_an_end_takes_longer_to_settle(folder, inspector):
    listing = Listing(write(folder, "[WHITELISTED_MODELS]\none.py\n"), folder, inspector)
    listing.refresh()

    settled = []
    for age in (1.0, 10.0):
        write(folder, "[WHITELISTED_MODELS]\nthree.py", age=age)
        settled.append(listing.refresh().settled)

    assert settled == [False, True]


def test_a_clock_of_the_file_system_that_is_ahead_keeps_nobody_waiting_for_it(folder, inspector):
    path = write(folder, "[WHITELISTED_MODELS]\none.py\n", age=-3600)
    listing = Listing(path, folder, inspector)

    first = listing.refresh()
    deadline = time.monotonic() + 20
    while not (last := listing.refresh()).settled:
        assert time.monotonic() < deadline

    assert not first.settled
    assert versions(last) == {"one/a", "one/b"}


def test_a_half_that_is_seen_again_is_as_new_as_at_first(folder, inspector, monkeypatch):
    half = WHITELIST.removesuffix("two.py = v, vw\n")
    listing = Listing(write(folder, WHITELIST), folder, inspector)
    whole = versions(listing.refresh())
    write(folder, half, age=0)
    assert not listing.refresh().settled
    write(folder, WHITELIST)
    listing.refresh()
    monkeypatch.setattr(time, "monotonic", lambda clock=time.monotonic: clock() + 3600)

    write(folder, half, age=0)

    listed = listing.refresh()
    assert (listed.settled, versions(listed)) == (False, whole)
