"""Which commit of the project's git repository is checked out."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

FRESH = 2.0  # seconds that an answer is used again


class Repository:
    """The repository that ``folder`` lies in, if any."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._answer: dict[str, object] | None = None
        self._asked = float("-inf")

    def state(self) -> dict[str, object] | None:
        """``commit``, and ``dirty``: whether a tracked file differs; None without a commit."""
        if time.monotonic() - self._asked > FRESH:
            self._answer = self._ask()
            self._asked = time.monotonic()
        return self._answer

    def _ask(self) -> dict[str, object] | None:
        try:
            answer = subprocess.run(
                ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"],
                cwd=self._folder,
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        commit, dirty = "", False
        for line in answer.stdout.splitlines():
            if line.startswith("# branch.oid "):
                commit = line.rsplit(" ", 1)[1]
            elif not line.startswith("#"):
                dirty = True
        known = answer.returncode == 0 and commit not in ("", "(initial)")
        return {"commit": commit, "dirty": dirty} if known else None
