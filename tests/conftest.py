"""Fixtures of all tests."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from projects import Project

# A shell has what it runs in the background ignore Ctrl-C, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# For benchmarks/, which is not installed. Last: what is tested is the mlpipeline that is installed.
sys.path.append(str(Path(__file__).parents[1]))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")
