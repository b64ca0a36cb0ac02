"""Opening a project for a command, which says what a person waits for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mlpipeline.cli.streams import complain
from mlpipeline.core.wording import enumeration
from mlpipeline.service import project
from mlpipeline.service.project import Project

NAMED = 3  # scripts


def open_project(folder: Path) -> Project:
    """The project in ``folder``; raises as service.project.open_project."""
    return project.open_project(folder, _tell_awaited)


def _tell_awaited(scripts: Sequence[str]) -> None:
    if sys.stderr.isatty():
        complain(f"inspecting {enumeration(scripts, NAMED)} …")
