"""Names as parts of paths, and where runs and artifacts lie by them. Imports next to nothing."""

from __future__ import annotations

import os
import re
from functools import lru_cache

LONGEST_NAME = 120  # characters; file systems allow 255 bytes
RUNS, ARTIFACTS = "runs", "artifacts"  # in outputs/
MADE = ".made"  # in artifacts/: by what a step was given, the run that made something of it
PART = ".part"  # what the folder of artifacts ends in that are not all made
_KEPT = re.compile(r"[A-Za-z0-9._=+,@-]")
_SAFE = re.compile(rf"(?!\.)[A-Za-z0-9._=+,@-]{{1,{LONGEST_NAME}}}")


@lru_cache(maxsize=4096)  # a listing of runs asks for the same names again and again
def safe_name(name: str) -> str:
    """``name`` as one path component: distinct for distinct names, and never leaving its folder.

    Letters, digits and ``._=+,@-`` stay; other characters, and a leading dot, become ``%XX`` of
    their UTF-8 bytes (as RFC 3986 encodes them); what is too long ends in a digest.
    """
    if _SAFE.fullmatch(name):  # nearly all are
        return name
    encoded = "".join(
        character
        if _KEPT.fullmatch(character) and not (index == 0 and character == ".")
        else "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
        for index, character in enumerate(name)
    )
    if len(encoded) <= LONGEST_NAME:
        return encoded or "%"
    from hashlib import sha256  # costs each run 5 ms, and few names are so long

    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{encoded[: LONGEST_NAME - 13]}~{digest}"


def runs_of(outputs: str, model: str, version: str) -> str:
    """The folder with a folder for each attempt at a version."""
    return os.path.join(outputs, RUNS, safe_name(model), safe_name(version))


def artifacts_of(outputs: str, model: str, version: str) -> str:
    """The folder with the artifacts of each attempt at a version."""
    return os.path.join(outputs, ARTIFACTS, safe_name(model), safe_name(version))


def maker_of(outputs: str, key: str) -> str:
    """The file that says which run made what comes of ``key``, a digest in hex."""
    return os.path.join(outputs, ARTIFACTS, MADE, key[:2], key)
