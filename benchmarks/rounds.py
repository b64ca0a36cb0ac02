"""Contestants that take turns, so that a noisy machine hurts them alike."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


class Failed(Exception):
    """A contestant did not do what it was asked; says what it did instead."""


def interleave(
    contestants: Mapping[str, Callable[[], T]], repeats: int
) -> tuple[dict[str, list[T]], dict[str, str]]:
    """What each measured in so many rounds, and of those that failed, why.

    Who fails is left out from then on.
    """
    measured: dict[str, list[T]] = {name: [] for name in contestants}
    problems: dict[str, str] = {}
    for number in range(1, repeats + 1):
        for name, measure in contestants.items():
            if name in problems:
                continue
            _tell(f"repeat {number} of {repeats}: {name}")
            try:
                measured[name].append(measure())
            except (Failed, OSError, subprocess.SubprocessError) as error:
                problems[name] = _what_happened(error)
    _tell("")
    return {name: values for name, values in measured.items() if name not in problems}, problems


def _what_happened(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        said = (error.stderr or error.stdout or b"").decode(errors="replace").strip()
        return f"exit code {error.returncode}: {said.splitlines()[-1] if said else error.cmd}"
    return str(error) or type(error).__name__


def _tell(text: str) -> None:
    """What goes on, on one line of a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
