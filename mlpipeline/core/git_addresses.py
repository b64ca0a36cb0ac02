"""Addresses of projects: a folder, or a git repository, with the folder in it. Pure."""

from __future__ import annotations

import re

import msgspec

from mlpipeline.core.masking import masked

__all__ = ["COMMIT", "SCHEMES", "Address", "masked", "version_problem"]

# What git reads as an address, and no path: a scheme, or host:path as ssh has it.
SCHEMES = ("https://", "http://", "ssh://", "git://", "file://", "git+ssh://")
_SCP = re.compile(r"(?:[\w.+-]+@)?[\w.-]+\.[\w.-]+:(?!//).+|[\w.+-]+@[\w.-]+:(?!//).+")
COMMIT = re.compile(r"[0-9a-f]{40}")


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a project is."""

    base: str  # without the folder in it
    folder: str = ""  # in it, behind the #
    is_git: bool  # by its form; a folder may be a repository, too

    @classmethod
    def of(cls, text: str) -> Address:
        """Raises ValueError for one that can't be meant."""
        base, _, folder = text.strip().strip("'\"").partition("#")
        if not base:
            raise ValueError("it names no project")
        if base.startswith("-"):
            raise ValueError(f"{base} is an option; a folder of that name is ./{base}")
        if folder.startswith("/") or ".." in folder.split("/"):
            raise ValueError(
                f"#{folder} leaves the project: write a folder in it, as in #src/train"
            )
        is_git = base.startswith(SCHEMES) or bool(_SCP.fullmatch(base))
        return cls(base=base.removeprefix("git+"), folder=folder.strip("/"), is_git=is_git)

    @property
    def name(self) -> str:
        """What the last part of it is called, without .git."""
        last = re.split(r"[/:]", self.base.rstrip("/"))[-1]
        return last.removesuffix(".git") or "project"


def version_problem(version: str) -> str:
    """Why no tag, branch or commit can be called so; empty where one can."""
    # git-check-ref-format(1); a - would be an option.
    if not version or version.startswith("-") or version.endswith((".", "/", ".lock")):
        return f"no version can be called {version!r}"
    if re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//", version):
        return f"no version can be called {version!r}: give a tag, a branch or a commit"
    return ""
