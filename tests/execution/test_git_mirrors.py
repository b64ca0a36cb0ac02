"""Private copies of git repositories, with real repositories, and a git that is killed."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import threading

import pytest

from mlpipeline.core.git_addresses import Address, masked
from mlpipeline.errors import MlpipelineError
from mlpipeline.execution import git_calls
from mlpipeline.execution.git_mirrors import checkout, top_level
from mlpipeline.state.layout import GitFolder

NOTHING = "0" * 40


def git(folder, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


class Origin:
    """A repository with a tag, a branch, and a commit after them."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        git(folder, "init", "-q")
        self.first = self.commit("one")
        git(folder, "tag", "1.0.0")
        git(folder, "branch", "old")
        self.second = self.commit("two")

    @property
    def address(self):
        return self.folder.as_uri()

    def commit(self, text):
        (self.folder / "file").write_text(text)
        git(self.folder, "add", "file")
        git(self.folder, "commit", "-qm", text)
        return git(self.folder, "rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path):
    return Origin(tmp_path / "origin")


@pytest.fixture
def place(tmp_path):
    return GitFolder(tmp_path / "git" / "origin")


@pytest.fixture
def get(origin, place):
    said = []

    def get(version=None, address=None):
        made = checkout(place, address or origin.address, version, said.append)
        return made.commit, (made.folder / "file").read_text(), made.folder

    get.said = said
    return get


def test_a_version_is_a_tag_a_branch_or_a_commit(get, origin):
    for version in ("1.0.0", "old", origin.first, origin.first[:9]):
        assert get(version)[:2] == (origin.first, "one")
    assert get()[:2] == get("main")[:2] == (origin.second, "two")


def test_what_is_new_there_is_fetched_and_what_was_stays(get, origin):
    before = get()
    third = origin.commit("three")
    git(origin.folder, "tag", "-f", "1.0.0")

    assert get()[:2] == get("1.0.0")[:2] == (third, "three")
    assert (before[2] / "file").read_text() == "two"


def test_nobodys_own_tree_is_touched(get, origin):
    (origin.folder / "file").write_text("being edited")
    (origin.folder / "new").touch()

    assert get("1.0.0", address=str(origin.folder))[1] == "one"
    assert get(address=str(origin.folder))[1] == "two"
    assert git(origin.folder, "status", "--porcelain") == "M file\n?? new"
    assert git(origin.folder, "worktree", "list").count("\n") == 0
    assert top_level(origin.folder) == origin.folder


def test_where_nobody_answers_tags_and_commits_that_are_there_will_do(get, origin):
    get()
    origin.folder.rename(origin.folder.with_name("away"))

    assert get("1.0.0")[1] == get(origin.first)[1] == "one"
    assert "going on with 1.0.0 as it was" in get.said[-1]
    for version in (None, "main"):
        with pytest.raises(MlpipelineError, match="does not appear to be a git repository"):
            get(version)


WRONG = {
    "9.9": "has no tag, branch or commit 9.9; its newest tags are 1.0.0",
    NOTHING: "has no tag, branch or commit 0000",
    "--upload-pack=x": "no version can be called",
    "": "no version can be called",
    "a..b": "no version can be called",
    "HEAD@{1}": "no version can be called",
    "a b": "no version can be called",
}


@pytest.mark.parametrize("version", WRONG)
def test_a_version_that_is_not_there_is_told(get, version):
    with pytest.raises(MlpipelineError, match=WRONG[version]):
        get(version)


def test_an_address_that_is_none_is_told_and_leaves_nothing_half_made(get, place, tmp_path):
    for address in ((tmp_path / "none").as_uri(), "https://u:secret@localhost:1/x.git"):
        with pytest.raises(MlpipelineError, match="can't be fetched") as error:
            get(address=address)
        assert "secret" not in str(error.value)
        assert [each.name for each in place.folder.iterdir()] == ["lock"]


def test_an_empty_repository_is_told(get, tmp_path):
    git(tmp_path, "init", "-q", "--bare", "empty.git")

    with pytest.raises(MlpipelineError, match="has no commit yet"):
        get(address=(tmp_path / "empty.git").as_uri())


def cut_objects(place):
    shutil.rmtree(place.mirror / "objects")


def empty_packs(place):
    for path in (place.mirror / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"")


def lose_head(place):
    (place.mirror / "HEAD").unlink()


def leave_locks(place):
    for name in ("packed-refs.lock", "HEAD.lock", "refs/heads/main.lock"):
        (place.mirror / name).parent.mkdir(parents=True, exist_ok=True)
        (place.mirror / name).touch()


def half_a_tree(place):
    for mark in place.folder.glob("*.commit"):
        mark.unlink()
        (place.folder / mark.stem / "file").unlink()


def no_tree(place):
    for mark in place.folder.glob("*.commit"):
        shutil.rmtree(place.folder / mark.stem)


def delete_all(place):
    shutil.rmtree(place.folder)


@pytest.mark.parametrize(
    "damage", [cut_objects, empty_packs, lose_head, leave_locks, half_a_tree, no_tree, delete_all]
)
def test_what_is_damaged_is_made_anew(get, origin, place, damage):
    get(), get("1.0.0")
    damage(place)

    assert get()[:2] == (origin.second, "two")
    assert get("1.0.0")[:2] == (origin.first, "one")


def test_a_worktree_that_was_edited_is_left_and_there_is_another(get):
    _, _, folder = get("1.0.0")
    (folder / "file").write_text("edited by a run")
    (folder / "results").touch()  # in no commit: it is no edit

    _, text, other = get("1.0.0")
    assert (text, other != folder) == ("one", True)
    assert (folder / "file").read_text() == "edited by a run"
    assert get("1.0.0")[2] == other


def test_two_at_once_take_turns(get, origin):
    found = []
    threads = [threading.Thread(target=lambda: found.append(get())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {each[:2] for each in found} == {(origin.second, "two")}
    assert sum("fetching" in line for line in get.said) == 1


STUCK = """#!/bin/sh
case " $* " in *" {step} "*) touch {began}; while :; do sleep 0.01; done;; esac
exec {git} "$@"
"""
GET = """
import sys
from pathlib import Path
from mlpipeline.execution.git_mirrors import checkout
from mlpipeline.state.layout import GitFolder
checkout(GitFolder(Path(sys.argv[1])), sys.argv[2], None, print)
"""


@pytest.mark.parametrize("step", ["clone", "worktree add"])
def test_a_kill_at_any_step_leaves_nothing_that_counts(get, origin, place, tmp_path, step):
    from projects import wait_until

    began, folder = tmp_path / "began", tmp_path / "bin"
    folder.mkdir()
    program = folder / "git"
    program.write_text(STUCK.format(step=step, began=began, git=shutil.which("git")))
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen(
        [sys.executable, "-c", GET, str(place.folder), origin.address],
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    wait_until(began.exists)
    os.killpg(process.pid, 9)
    process.wait()
    if step == "clone":
        place.temporary.mkdir()
        (place.temporary / "half").touch()

    assert get()[:2] == (origin.second, "two")
    assert not place.temporary.exists()


ADDRESSES = {
    "https://host/user/repo.git#src/x": ("https://host/user/repo.git", "src/x", True, "repo"),
    "git@github.com:user/repo.git": ("git@github.com:user/repo.git", "", True, "repo"),
    "ssh://git@host/repo": ("ssh://git@host/repo", "", True, "repo"),
    "git://host/a": ("git://host/a", "", True, "a"),
    "file:///tmp/a/": ("file:///tmp/a/", "", True, "a"),
    "git+ssh://host/a": ("ssh://host/a", "", True, "a"),
    ".#src": (".", "src", False, "."),
    "../a b": ("../a b", "", False, "a b"),
    "C:x": ("C:x", "", False, "x"),
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_is_told_by_its_form(text):
    address = Address.of(text)

    assert (address.base, address.folder, address.is_git, address.name) == ADDRESSES[text]


@pytest.mark.parametrize("text", ["", "-x", ".#/etc", "a#../b", "#x"])
def test_an_address_that_cant_be_meant_is_told(text):
    with pytest.raises(ValueError, match=r"."):
        Address.of(text)


def test_what_gives_access_is_masked():
    assert masked("at https://u:p@h/x and ssh://git:p@h, ssh://git@h") == (
        "at https://***@h/x and ssh://git:***@h, ssh://git@h"
    )


# ----------------------------------------------------- others, that are mute, at work, or broken


@pytest.fixture
def mute():
    """The address of a server that takes connections, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"git://127.0.0.1:{server.getsockname()[1]}/x.git"


def test_one_that_is_mute_is_given_up(get, place, mute, monkeypatch):
    monkeypatch.setattr(git_calls, "SILENCE", 0.2)

    with pytest.raises(MlpipelineError, match=r"can't be fetched: nobody has said anything"):
        get(address=mute)
    assert [each.name for each in place.folder.iterdir()] == ["lock"]


def test_ssh_gives_up_too_unless_a_person_knows_better(get, tmp_path, monkeypatch):
    program, said = tmp_path / "ssh", tmp_path / "said"
    program.write_text(f'#!/bin/sh\necho "$@" >> {said}\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for name in ("GIT_SSH_COMMAND", "GIT_SSH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    with pytest.raises(MlpipelineError):
        get(address="ssh://localhost/x.git")
    (tmp_path / "config").write_text("[core]\nsshCommand = ssh -o Mine=1\n")
    with pytest.raises(MlpipelineError):
        get(address="ssh://localhost/x.git")
    ours, theirs = said.read_text().splitlines()[0], said.read_text().splitlines()[-1]

    assert "ConnectTimeout=" in ours
    assert "ServerAliveInterval=" in ours
    assert "Mine=1" in theirs
    assert "ConnectTimeout" not in theirs


def test_a_git_that_nobody_watches_is_named_where_it_holds_the_lock(get, place, monkeypatch):
    monkeypatch.setattr(git_calls, "SILENCE", 0.2)
    place.folder.mkdir(parents=True)
    with place.lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        print(4711, file=file, flush=True)
        with pytest.raises(MlpipelineError, match=r"held by git \(process 4711\)"):
            get()

    assert "waiting for another mlpipeline" in get.said[0]
    assert get()[1] == "two"


def test_a_filter_that_fails_does_not_cost_the_mirror(get, origin, place):
    live = get("1.0.0")[2]
    (origin.folder / ".gitattributes").write_text("file filter=bad\n")
    git(origin.folder, "add", ".gitattributes")
    origin.commit("three")
    with (place.mirror / "config").open("a") as file:
        file.write('[filter "bad"]\nsmudge = false\nrequired = true\n')
    inode = place.mirror.stat().st_ino

    with pytest.raises(MlpipelineError, match="filter"):
        get()
    assert place.mirror.stat().st_ino == inode
    assert git(live, "status", "--porcelain") == ""


def test_a_worktree_that_runs_have_edited_is_given_back_when_they_are_over(origin, place):
    said, free = [], set()

    def folder():
        return checkout(place, origin.address, None, said.append, is_free=free.__contains__).folder

    first = folder()
    (first / "file").write_text("edited by a run")
    (first / "results").touch()
    second = folder()  # something still runs in the first
    (second / "file").write_text("edited by another")
    free |= {first, second}
    found = set()
    for _ in range(4):
        found.add(again := folder())
        assert (again / "file").read_text() == "two"
        (again / "file").write_text("edited once more")

    assert second != first
    assert found == {first}
    assert (first / "results").exists()
    assert (second / "file").read_text() == "edited by another"
