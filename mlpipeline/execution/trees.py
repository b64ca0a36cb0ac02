"""What a file or folder holds, as digests: of its content, and of how it looks from outside."""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

CHUNK = 1 << 20  # bytes


class NotKept(Exception):
    """Something can't be part of an artifact; the message says what, and why."""


def described(path: str) -> dict[str, Any]:
    """``sha256`` (of names and content), ``size`` (bytes), ``files`` (how many) and ``stamp`` of
    the file or folder at ``path``; raises OSError, and NotKept for what has no content.

    The SHA-256 of a file is that of its content. Of a folder it is that of a line for each thing in
    it, in the order of their paths: what it is, its path, and the SHA-256 of its content or where
    it leads. So it is the same wherever the folder lies, and whenever it was written.
    """
    from hashlib import sha256  # costs a run 5 ms, and only steps make artifacts

    size = files = 0
    tree, looks = sha256(), sha256()
    is_folder = os.path.isdir(path)
    for name, there, found in _walk(path):
        looks.update(_look(name, found))
        kind, content = _kind(there, found), ""
        if kind == "file":
            content = digest = file_digest(there)
            size, files = size + found.st_size, files + 1
            if not is_folder:
                return {"sha256": digest, "size": size, "files": 1, "stamp": looks.hexdigest()}
        elif kind == "link":
            content = os.readlink(there)
        tree.update(f"{kind} {name!r} {content!r}\n".encode("utf-8", "surrogateescape"))
    return {
        "sha256": tree.hexdigest(),
        "size": size,
        "files": files,
        "stamp": looks.hexdigest(),
    }


def stamp(path: str) -> str:
    """How the file or folder looks from outside: of all in it the name, size and mtime; raises
    OSError.

    As long as it is the same, nobody has written there.
    """
    from hashlib import sha256  # as above

    looks = sha256()
    for name, _, found in _walk(path):
        looks.update(_look(name, found))
    return looks.hexdigest()


def file_digest(path: str) -> str:
    """The SHA-256 of a file's content, in hex; raises OSError."""
    from hashlib import sha256  # as above

    digest = sha256()
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def make_links_relative(folder: str) -> None:
    """Have links in ``folder`` that lead by full paths to what is in it lead there still when it is
    renamed; raises OSError.
    """
    for _, there, found in _walk(folder):
        if stat.S_ISLNK(found.st_mode):
            target = os.readlink(there)
            if target.startswith(os.path.join(folder, "")):
                temporary = f"{there}.link"
                os.symlink(os.path.relpath(target, os.path.dirname(there)), temporary)
                os.replace(temporary, there)


def _walk(path: str) -> Iterator[tuple[str, str, os.stat_result]]:
    """What is at ``path`` and in it: the name within it, where it is, how it looks; in order."""
    top = os.stat(path)  # if it is a link, what it leads to
    yield "", path, top
    if not stat.S_ISDIR(top.st_mode):
        return
    folders = [""]
    while folders:
        prefix = folders.pop()
        with os.scandir(os.path.join(path, prefix)) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        inner = []
        for entry in found:
            name = prefix + entry.name
            look = entry.stat(follow_symlinks=False)
            yield name, entry.path, look
            if stat.S_ISDIR(look.st_mode):
                inner.append(f"{name}/")
        folders += reversed(inner)


def _kind(path: str, found: os.stat_result) -> str:
    if stat.S_ISREG(found.st_mode):
        return "file"
    if stat.S_ISDIR(found.st_mode):
        return "folder"
    if stat.S_ISLNK(found.st_mode):
        return "link"
    raise NotKept(f"{path} is neither a file nor a folder, so it can't be kept")


def _look(name: str, found: os.stat_result) -> bytes:
    is_folder = stat.S_ISDIR(found.st_mode)  # what is in it is looked at itself
    look = (0, 0) if is_folder else (found.st_size, found.st_mtime_ns)
    return f"{name!r} {stat.S_IFMT(found.st_mode)} {look}\n".encode("utf-8", "surrogateescape")
