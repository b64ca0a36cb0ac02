"""A stand-in for NVIDIA's pynvml: its GPUs are what the JSON file $FAKE_GPUS says, now.

A list of ``[memory, free]`` in bytes, one for each GPU; without the file there is no driver. Each
look adds a byte to the file $FAKE_GPUS_LOOKS.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace


class NVMLError(Exception):
    """As in pynvml."""


def _gpus() -> list[list[int]]:
    try:
        return json.loads(Path(os.environ["FAKE_GPUS"]).read_text())
    except (KeyError, OSError):
        raise NVMLError("Driver Not Loaded") from None


def nvmlInit() -> None:
    _gpus()


def nvmlShutdown() -> None:
    pass


def nvmlDeviceGetCount() -> int:
    if "FAKE_GPUS_LOOKS" in os.environ:
        with Path(os.environ["FAKE_GPUS_LOOKS"]).open("a") as looks:
            looks.write(".")
    return len(_gpus())


def nvmlDeviceGetHandleByIndex(index: int) -> int:
    return index


def nvmlDeviceGetMemoryInfo(handle: int) -> SimpleNamespace:
    memory, free = _gpus()[handle]
    return SimpleNamespace(total=memory, free=free, used=memory - free)


def nvmlDeviceGetUtilizationRates(handle: int) -> SimpleNamespace:
    return SimpleNamespace(gpu=0, memory=0)


def nvmlDeviceGetUUID(handle: int) -> str:
    return f"GPU-{handle:08x}-fake"


def nvmlDeviceGetName(handle: int) -> bytes:  # older ones answer in bytes
    return b"Fake GPU"
