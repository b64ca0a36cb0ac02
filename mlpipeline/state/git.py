"""Which commit of the project's git repository is checked out."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from mlpipeline.core.model_files import SUFFIXES

FRESH = 2.0  # seconds that an answer is used again


class Repository:
    """The repository that ``folder`` lies in, if any.

    ``state`` has ``commit``, and ``dirty``: whether a tracked file differs from it, or a model
    file in ``models_dir`` is in no commit at all. It is None without a commit.
    """

    def __init__(self, folder: Path, models_dir: Path):
        self._folder = folder
        self._models_dir = models_dir
        self._looked_at = float("-inf")
        self.state: dict[str, object] | None = None

    def look(self) -> None:
        """Bring ``state`` up to date."""
        if time.monotonic() - self._looked_at > FRESH:
            self.state = self._ask()
            self._looked_at = time.monotonic()

    def _ask(self) -> dict[str, object] | None:
        status = _git(self._folder, "status", "--porcelain=v2", "--branch", "--untracked-files=no")
        if status is None:
            return None
        commit, dirty = "", False
        for line in status.splitlines():
            if line.startswith("# branch.oid "):
                commit = line.rsplit(" ", 1)[1]
            elif not line.startswith("#"):
                dirty = True
        if commit in ("", "(initial)"):
            return None
        return {"commit": commit, "dirty": dirty or self._has_untracked_code()}

    def _has_untracked_code(self) -> bool:
        patterns = [f"*{suffix}" for suffix in SUFFIXES]
        options = "--others", "--exclude-standard", "--", *patterns, ":!outputs"
        return bool(_git(self._models_dir, "ls-files", *options))


def _git(folder: Path, *arguments: str) -> str | None:
    """What git answers; None when it can't."""
    # Without the locks that a git command of the user's, at this moment, would trip over.
    command = ["git", "--no-optional-locks", *arguments]
    try:
        answer = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, UnicodeDecodeError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None
