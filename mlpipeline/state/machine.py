"""What this machine has for this process: CPUs and memory, less what it is kept from using."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc/self/cgroup")
CGROUPS = Path("/sys/fs/cgroup")


def cpu_count(membership: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """The CPUs that this process may use, at least 1: its affinity, and the quota of its cgroups.

    A quota of one and a half CPUs counts as 1. Quotas: cpu.max (cgroup v2) of the cgroup and those
    above it, or cpu.cfs_quota_us (v1).
    """
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:  # macOS
        allowed = os.cpu_count() or 1
    return max(1, int(min([float(allowed), *_quotas(membership, cgroups)])))


def memory_size(membership: Path = PROC, cgroups: Path = CGROUPS) -> float:
    """The memory that this process may use, in GB (10⁹ bytes): the machine's, or its cgroups'."""
    sizes = [float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))]
    for folder in _folders("memory", membership, cgroups):
        for name in ("memory.max", "memory.limit_in_bytes"):
            sizes += _numbers(folder / name)[:1]
    return min(sizes) / 1e9


def _quotas(membership: Path, cgroups: Path) -> Iterator[float]:
    """How many CPUs each of the cgroups allows, where it sets a limit."""
    for folder in _folders("cpu", membership, cgroups):
        numbers = _numbers(folder / "cpu.max")
        if not numbers:
            numbers = [
                *_numbers(folder / "cpu.cfs_quota_us"),
                *_numbers(folder / "cpu.cfs_period_us"),
            ]
        if len(numbers) == 2 and min(numbers) > 0:
            yield numbers[0] / numbers[1]


def _folders(controller: str, membership: Path, cgroups: Path) -> Iterator[Path]:
    """Where the limits of this process's cgroups stand, from its own up to the root."""
    with suppress(OSError, ValueError):
        for line in membership.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            root = cgroups / controllers if controllers else cgroups
            folder = root / path.strip("/")
            yield folder
            yield from (each for each in folder.parents if each.is_relative_to(root))


def _numbers(path: Path) -> list[float]:
    """The numbers in a file of limits; none where it sets none ("max", or a negative one)."""
    try:
        numbers = [float(word) for word in path.read_text().split()]
    except (OSError, ValueError):
        return []
    return numbers if all(number >= 0 for number in numbers) else []
