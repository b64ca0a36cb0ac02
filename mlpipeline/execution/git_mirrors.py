"""Private copies of git repositories: a mirror of each, and in it a worktree for each commit.

They lie in ``outputs/git``; nobody's own tree is touched. All of it may be deleted at any time.
What a kill leaves half made is made anew: a worktree counts when its mark is there, and a mirror
when it has its name.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from mlpipeline.core.git_addresses import COMMIT, masked, version_problem
from mlpipeline.errors import MlpipelineError, short
from mlpipeline.execution import git_calls
from mlpipeline.execution.git_calls import Done, GitProblem, called, locked, words
from mlpipeline.state.files import storage, write_whole
from mlpipeline.state.layout import GitFolder

Say = Callable[[str], None]
AFAR = ("clone", "fetch", "ls-remote", "submodule")  # what speaks to another machine
IsFree = Callable[[Path], bool]


def _never(_: Path) -> bool:
    return False


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """A worktree at one commit."""

    folder: Path
    commit: str  # 40 hex digits


def checkout(
    place: GitFolder,
    address: str,
    version: str | None,
    say: Say,
    *,
    shared: bool = False,
    is_free: IsFree = _never,
) -> Checkout:
    """A worktree of the repository at ``address``, at ``version``: a tag, branch or commit.

    None: where its HEAD is. ``say`` is told what takes a while; ``shared`` as in mlp.config;
    ``is_free`` tells of a worktree that nothing runs in it. Raises GitProblem, StorageError.
    """
    if version is not None and (problem := version_problem(version)):
        raise GitProblem(problem)
    place = GitFolder(place.folder.absolute())  # git works in it
    with storage(f"{short(place.folder)} can't be written"):
        place.folder.mkdir(parents=True, exist_ok=True)
        if not shared:
            place.folder.parent.chmod(0o700)  # addresses may hold a token
        with locked(place.lock, say) as lock:
            return _Mirror(place, address, say, lock, is_free).checkout(version)


def top_level(folder: Path) -> Path | None:
    """The folder of the repository that ``folder`` lies in; None where it lies in none."""
    for arguments in (("rev-parse", "--show-toplevel"), ("rev-parse", "--absolute-git-dir")):
        done = called(*arguments, folder=folder)
        if done.returncode == 0 and done.stdout.strip():
            return Path(done.stdout.rstrip("\n"))
    return None


class _Mirror:
    """The mirror of one repository; its lock is held, by git too, which may outlive us."""

    def __init__(self, place: GitFolder, address: str, say: Say, lock: int, is_free: IsFree):
        self._place = place
        self._address = address
        self._say = say
        self._lock = lock
        self._is_free = is_free

    def checkout(self, version: str | None) -> Checkout:
        """A worktree at ``version``; a mirror that is damaged is made anew, for once."""
        is_new = not self._is_whole()
        if is_new:
            self._clone()
        try:
            return self._at(version, is_new=is_new)
        except GitProblem:
            if is_new or not self._is_damaged():
                raise  # and the trees, in which there may be runs, keep their mirror
            self._clone()
            return self._at(version, is_new=True)

    def _at(self, version: str | None, *, is_new: bool) -> Checkout:
        commit = self._commit(version, is_new=is_new)
        return Checkout(folder=self._worktree(commit), commit=commit)

    def _commit(self, version: str | None, *, is_new: bool) -> str:
        """The commit that is meant, which is in the mirror then."""
        if version is not None and COMMIT.fullmatch(version) and self._has(version):
            return version
        if not is_new:
            try:
                self._git("fetch", "--progress", "--prune", "--force", "origin")
            except GitProblem as error:
                found = self._tag_or_commit(version)
                if found is None:
                    raise
                self._say(f"{error}; going on with {version} as it was")
                return found
        found = self._head() if version is None else self._named(version)
        if found is None:
            raise MlpipelineError(
                f"{masked(self._address)} has no tag, branch or commit {version}{self._known()}"
            )
        return found

    def _worktree(self, commit: str) -> Path:
        """A worktree at ``commit`` whose files are those of the commit.

        One that is in use is never touched: where it has been edited, there is another. What is in
        no commit stays in any.
        """
        number = 1
        while True:
            name = commit[:12] if number == 1 else f"{commit[:12]}-{number}"
            folder, mark = self._place.tree(name), self._place.mark(name)
            if not mark.exists() or not folder.exists():
                self._make(folder, commit)
                write_whole(mark, f"{commit}\n".encode())
                return folder
            if mark.read_text().strip() == commit and (
                self._is_clean(folder) or self._given_back(folder, commit)
            ):
                return folder
            number += 1

    def _is_clean(self, folder: Path) -> bool:
        status = called("status", "--porcelain", "--untracked-files=no", folder=folder)
        return status.returncode == 0 and not status.stdout.strip()

    def _given_back(self, folder: Path, commit: str) -> bool:
        """Have the commit's files in a worktree that was edited, where nothing runs in it."""
        if not self._is_free(folder):
            self._say(f"files in {short(folder)} have been edited, and it is in use: left as it is")
            return False
        if self._call("reset", "--hard", "--quiet", commit, folder=folder).returncode != 0:
            return False  # of a mirror that is gone
        self._say(f"files in {short(folder)} had been edited by a run: they are the commit's again")
        self._have_submodules(folder)
        return True

    def _make(self, folder: Path, commit: str) -> None:
        if folder.exists():  # of one that was killed
            shutil.rmtree(folder)
        self._git("worktree", "prune")
        # Twice: what was killed has left it locked.
        options = ("--quiet", "--detach", "--force", "--force")
        self._git("worktree", "add", *options, str(folder), commit)
        self._have_submodules(folder)

    def _have_submodules(self, folder: Path) -> None:
        if (folder / ".gitmodules").exists():
            options = ("--init", "--recursive", "--force", "--progress")
            done = self._call("submodule", "update", *options, folder=folder)
            if done.returncode != 0:
                raise MlpipelineError(f"its submodules can't be had: {words(done.stderr)}")

    def _is_whole(self) -> bool:
        """Whether the mirror can be used: a clone is renamed to its name when it is there."""
        mirror = self._place.mirror
        if not mirror.exists():
            return False
        for left in (*mirror.glob("*.lock"), *mirror.glob("refs/**/*.lock")):
            left.unlink()  # by a git that was killed: we have the lock of ours
        done = called("rev-parse", "--is-bare-repository", folder=mirror)
        return done.stdout.strip() == "true"

    def _is_damaged(self) -> bool:
        """Whether it is the mirror's fault that something failed, and another can be had."""
        checked = self._call("fsck", "--connectivity-only", "--no-dangling", "--no-progress")
        if checked.returncode == 0:
            return False
        return self._call("ls-remote", self._address, "HEAD").returncode == 0

    def _clone(self) -> None:
        temporary = self._place.temporary
        if temporary.exists():  # of one that was killed: we have the lock
            shutil.rmtree(temporary)
        self._say(f"fetching {masked(self._address)} …")
        options = ("--progress", "--mirror", "--")
        done = self._call("clone", *options, self._address, str(temporary), folder=temporary.parent)
        if done.returncode != 0:
            shutil.rmtree(temporary, ignore_errors=True)
            raise GitProblem(f"{masked(self._address)} can't be fetched: {words(done.stderr)}")
        if self._place.mirror.exists():  # cut, or tampered with: it is only a copy
            shutil.rmtree(self._place.mirror)
        temporary.rename(self._place.mirror)

    def _named(self, version: str) -> str | None:
        for name in (f"refs/tags/{version}", f"refs/heads/{version}", version):
            if found := self._resolved(name):
                return found
        if COMMIT.fullmatch(version):  # one that no branch has
            done = self._call("fetch", "--progress", "origin", version)
            return self._resolved(version) if done.returncode == 0 else None
        return None

    def _tag_or_commit(self, version: str | None) -> str | None:
        """What ``version`` is, where it is one that does not move."""
        if version is None or self._resolved(f"refs/heads/{version}"):
            return None
        return self._resolved(f"refs/tags/{version}") or self._resolved(version)

    def _head(self) -> str:
        said = self._git("ls-remote", "origin", "HEAD").split()
        if not said:
            raise GitProblem(f"{masked(self._address)} has no commit yet")
        if not self._has(said[0]):  # pushed this very moment
            self._git("fetch", "--progress", "origin", "HEAD")
        return said[0]

    def _has(self, commit: str) -> bool:
        return self._resolved(commit) == commit

    def _resolved(self, name: str) -> str | None:
        options = ("--verify", "--quiet", "--end-of-options")
        said = self._call("rev-parse", *options, f"{name}^{{commit}}")
        return said.stdout.strip() or None if said.returncode == 0 else None

    def _known(self) -> str:
        said = self._git(
            "for-each-ref", "--format=%(refname:short)", "--sort=-creatordate", "refs/tags"
        )
        tags = said.split()[:5]
        return f"; its newest tags are {', '.join(tags)}" if tags else "; it has no tags"

    def _git(self, *arguments: str) -> str:
        done = self._call(*arguments)
        if done.returncode != 0:
            raise GitProblem(
                f"git {arguments[0]} of {masked(self._address)} failed: {words(done.stderr)}"
            )
        return done.stdout

    def _call(self, *arguments: str, folder: Path | None = None) -> Done:
        return called(
            *arguments,
            folder=folder or self._place.mirror,
            lock=self._lock,
            silence=git_calls.SILENCE if arguments[0] in AFAR else None,
        )
