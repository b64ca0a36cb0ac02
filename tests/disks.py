"""Small file systems, and how they get full."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from projects import skip_without


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """``folder`` is a file system of ``size`` bytes; skips the test where that can't be."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    skip_without("mount", mount)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Take all that is left."""
    with (folder / "filling").open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1 << 8, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue


def empty(folder: Path) -> None:
    """Give it back."""
    (folder / "filling").unlink()
