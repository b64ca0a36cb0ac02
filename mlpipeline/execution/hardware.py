"""What this host has for runs, by mlp.config and by the machine itself."""

from __future__ import annotations

from collections.abc import Callable, Set

from mlpipeline.core.slots import UNCOUNTED, Asks, Host
from mlpipeline.execution.gpus import Gpus, Nvml, absent, in_use, names
from mlpipeline.state.config import Settings
from mlpipeline.state.machine import cpu_count, memory_size

NOTHING = Asks()


def uncounted(asks: Set[Asks]) -> Host:
    """In test mode one run has the whole machine, however little that is."""
    return UNCOUNTED


class Hardware:
    """Looks at the machine when something that is listed asks for a part of it."""

    def __init__(
        self,
        settings: Settings,
        gpus: Gpus | None = None,
        *,
        warn: Callable[[str], None] = lambda _: None,
    ):
        """``gpus``: what tells of them; NVML where nothing is given. ``warn`` is called, once, with
        what is odd about those that mlp.config names.
        """
        self._warn = warn
        self._is_checked = settings.gpus is None
        self._settings = settings
        self._gpus = gpus or Nvml()
        self._names: tuple[str, ...] | None = settings.gpus

    def now(self, asks: Set[Asks]) -> Host:
        """What there is, for what ``asks`` is all that is asked for; where that is nothing, nothing
        is counted.
        """
        if all(each == NOTHING for each in asks):
            return UNCOUNTED
        settings = self._settings
        cpus = cpu_count() if settings.cpus is None else settings.cpus
        memory = memory_size() if settings.memory is None else settings.memory
        if all(each.gpus is None for each in asks):
            return Host(cpus=cpus, memory=memory)
        if not self._is_checked and any(each.gpus for each in asks):
            self._is_checked = True
            self._check(settings.gpus or ())
        gpus = names(self._gpus) if self._names is None else self._names
        if gpus:  # at boot, the driver may come later than we
            self._names = gpus
        busy = in_use(self._gpus, gpus, settings.gpu_free_memory) if gpus else frozenset[str]()
        return Host(cpus=cpus, memory=memory, gpus=gpus, busy=busy)

    def _check(self, wanted: tuple[str, ...]) -> None:
        """Warn of GPUs that are named, and believed in, but not to be seen."""
        if missing := absent(self._gpus, wanted):
            self._warn(
                f"mlp.config: gpus names {', '.join(missing)}, but neither NVML nor a device file "
                "(/dev/nvidia*) shows such a GPU here: runs that get it see none; "
                "`nvidia-smi -L` lists those that there are, and gpus = auto takes them"
            )
