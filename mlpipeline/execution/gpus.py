"""This machine's NVIDIA GPUs: which there are, and which of them others use.

NVML is asked through nvidia-ml-py (extra ``gpu``), here and nowhere else. Without it the GPUs are
counted all the same, but nobody looks whether others use them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import msgspec

DRIVER = Path("/proc/driver/nvidia/gpus")  # has a folder for each
DEVICES = Path("/dev")  # has a file for each: nvidia0, nvidia1 …
OTHERS = ("kfd", "dxg")  # there, of AMD's driver and of Windows': of their GPUs nothing is told


class Gpu(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU, at one moment."""

    number: str  # as nvidia-smi has it
    uuid: str
    name: str
    memory: int  # bytes
    free: int  # bytes of it
    utilisation: int | None = None  # percent; None: it does not tell

    def is_called(self, name: str) -> bool:
        """Whether ``name``, a number or (the start of) a UUID, means it."""
        return name == self.number or (not name.isdigit() and self.uuid.startswith(name))


class Gpus(Protocol):
    """What tells of GPUs."""

    def look(self) -> list[Gpu]:
        """All there are, in the order of their numbers; none where nothing can be told."""


class Nvml:
    """NVIDIA's own library."""

    def __init__(self) -> None:
        self._is_ready = False

    def look(self) -> list[Gpu]:
        """As it says now; none where it, or a driver, is missing."""
        try:
            import pynvml  # the extra `gpu`
        except ImportError:
            return []
        try:
            if not self._is_ready:  # it may take seconds
                pynvml.nvmlInit()
                self._is_ready = True
            return [_read(pynvml, number) for number in range(pynvml.nvmlDeviceGetCount())]
        except pynvml.NVMLError:  # no driver, or one that is being replaced
            self._is_ready = False
            return []


def names(gpus: Gpus, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        named: list[str] = []
        for name in map(str.strip, visible.split(",")):
            if not name or name.startswith("-"):  # CUDA takes those before it
                break
            named.append(name)
        return tuple(named)
    found = gpus.look()
    if found:
        return tuple(gpu.number for gpu in found)
    try:
        return tuple(str(number) for number in range(len(list(DRIVER.iterdir()))))
    except OSError:
        return ()


def absent(gpus: Gpus, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Those of ``wanted`` that are shown neither by NVML nor, where that tells nothing, by a device
    file. A part of a GPU (MIG) is not looked for, nor is what no NVIDIA driver is in charge of.
    """
    whole = [name for name in wanted if not name.startswith("MIG")]
    if found := gpus.look():
        return tuple(name for name in whole if not any(gpu.is_called(name) for gpu in found))
    if any((DEVICES / other).exists() for other in OTHERS):
        return ()
    count = sum(path.name[6:].isdigit() for path in DEVICES.glob("nvidia*"))
    # In a container the one GPU that there is may be /dev/nvidia3, and is number 0 to CUDA.
    return tuple(name for name in whole if not count or (name.isdigit() and int(name) >= count))


def in_use(gpus: Gpus, wanted: tuple[str, ...], free_memory: float) -> frozenset[str]:
    """Those of ``wanted`` of whose memory less than ``free_memory`` percent is free."""
    taken = [gpu for gpu in gpus.look() if gpu.free * 100 < gpu.memory * free_memory]
    return frozenset(name for name in wanted if any(gpu.is_called(name) for gpu in taken))


def _read(nvml: Any, number: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(number)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    utilisation = None
    with suppress(nvml.NVMLError):  # a MIG's parent does not tell
        utilisation = int(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    return Gpu(
        number=str(number),
        uuid=_text(nvml.nvmlDeviceGetUUID(handle)),
        name=_text(nvml.nvmlDeviceGetName(handle)),
        memory=int(memory.total),
        free=int(memory.free),
        utilisation=utilisation,
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
