"""Fixtures of all tests."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from projects import Project

# A shell has what it runs in the background ignore Ctrl-C, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")
