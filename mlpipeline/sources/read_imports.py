"""What a Python program imports of the project's own files, read from its text: it is not run.

Not all of it: what is imported by a name that is made up, or from a folder that is put into
``sys.path`` by the program, is not seen.
"""

from __future__ import annotations

import os
import re

from mlpipeline.sources.imports import STAMPS, is_local

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST = 300  # files of one model
LARGEST = 1_000_000  # bytes of a file that is read
READ: set[str] = set()  # paths of what was found so, and stamped as what is loaded

# A regular expression, since to parse whole files takes ten times as long; what stands in a text
# over several lines and looks like an import is taken for one.
_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n;]*)|import[ \t]+([^\n;]*))",
    re.MULTILINE,
)
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")


def follow(files: Iterable[str], roots: Sequence[str], project: str) -> set[str]:
    """Note what the Python ``files`` import, and what that does, of files below ``project``.

    ``roots``: folders where modules are looked for. Returns all of them with ``files``, also those
    that were noted already.
    """
    pending = list(files)
    seen = set(pending)
    while pending:
        path = pending.pop()
        for each in _imported(path, roots):
            is_too_much = len(READ) >= MOST and each not in STAMPS
            if each in seen or is_too_much or not is_local(each, (project,)):
                continue
            seen.add(each)
            pending.append(each)
            if each not in STAMPS:
                try:
                    stat = os.stat(each)
                except OSError:
                    continue
                STAMPS[each] = stat.st_mtime_ns, stat.st_size
                READ.add(each)
    return seen


def _imported(path: str, roots: Sequence[str]) -> Iterator[str]:
    """The files that a file imports."""
    content = _content(path)
    for said, names, modules in _IMPORT.findall(content):
        if modules:
            for each in _names(modules):
                yield from _files(each.split("."), roots)
            continue
        package = said.decode("utf-8", "replace")
        stem = package.lstrip(".")
        where = list(roots)
        if up := len(package) - len(stem):
            where = [os.path.normpath(os.path.join(os.path.dirname(path), *[".."] * (up - 1)))]
        parts = stem.split(".") if stem else []
        found = list(_files(parts, where))
        yield from found
        for each in _names(names):
            yield from _files([*parts, each], where)


def _names(text: bytes) -> Iterator[str]:
    lines = (line.partition(b"#")[0] for line in text.strip(b"() \t").splitlines())
    for each in b" ".join(lines).decode("utf-8", "replace").replace("\\", " ").split(","):
        if found := _NAME.match(each.strip()):
            yield found[0]


def _files(parts: Sequence[str], roots: Sequence[str]) -> Iterator[str]:
    """The files of a module and of the packages that it is in, from the first root that has it."""
    for root in roots:
        found = []
        for count in range(len(parts) + 1):
            base = os.path.join(root, *parts[:count])
            package = os.path.join(base, "__init__.py")
            if count and os.path.isfile(package):
                found.append(package)
            elif count and count == len(parts) and os.path.isfile(base + ".py"):
                found.append(base + ".py")
        if found:
            yield from found
            return


def _content(path: str) -> bytes:
    try:
        if not path.endswith(".py") or os.path.getsize(path) > LARGEST:
            return b""
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
