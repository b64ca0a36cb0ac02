"""The machine, and what is installed on it."""

from __future__ import annotations

import functools
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence

from benchmarks.figures import wrapped
from benchmarks.peers.base import Peer
from mlpipeline import __version__

LOOK = """
import importlib.metadata, json
print(json.dumps({each.name.lower(): each.version for each in importlib.metadata.distributions()}))
"""


@functools.cache
def distributions(python: str) -> dict[str, str]:
    """The packages that ``python`` has, with their versions."""
    return json.loads(subprocess.check_output([python, "-c", LOOK], text=True))


def missing(peer: Peer, python: str) -> bool:
    """Whether the peer is not installed; ``python``: the one that has the peers' packages."""
    if peer.program:
        return shutil.which(peer.program) is None
    return bool(peer.package) and peer.package not in distributions(python)


def version(peer: Peer, python: str) -> str:
    """The peer's package with its version; empty where it has none of its own."""
    if not peer.package:
        return ""
    if not peer.program:
        return f"{peer.package} {distributions(python)[peer.package]}"
    if shutil.which("dpkg-query") is None:
        return ""
    query = ["dpkg-query", "-W", "-f", "${Version}", peer.package]
    found = subprocess.run(query, capture_output=True, text=True, check=False)
    return f"{peer.package} {found.stdout}" if found.stdout else ""


def described(peers: Sequence[Peer], python: str) -> str:
    """Cores, load, Python and the versions of all that is measured."""
    words = [
        f"{os.cpu_count()} cores (load {os.getloadavg()[0]:.1f})",
        f"{platform.system()} {platform.release()}",
        f"Python {platform.python_version()}",
        f"mlpipeline {__version__}",
        *dict.fromkeys(filter(None, (version(peer, python) for peer in peers))),
    ]
    return wrapped(", ".join(words))
