"""What runs make of the GPUs that they have to themselves, by a look now and then."""

from __future__ import annotations

import time
from collections.abc import Callable

from mlpipeline.core.listening import Ended, Launched, Listener
from mlpipeline.core.runs import Run, RunId
from mlpipeline.execution.gpus import Gpu, Gpus, Nvml

INTERVAL = 1.0  # seconds between two looks


class GpuMeter(Listener):
    """Keeps the peak memory and the mean utilisation of each run's GPUs, until it is told.

    Of a GPU that runs share nothing is kept, since nobody can say whose it is.
    """

    def __init__(self, gpus: Gpus | None = None, clock: Callable[[], float] = time.monotonic):
        """``gpus``: what tells of them; NVML where nothing is given. ``clock``: seconds."""
        self._gpus = gpus or Nvml()
        self._clock = clock
        self._looked_at = float("-inf")
        self._names: dict[RunId, tuple[str, ...]] = {}
        self._seen: dict[RunId, _Seen] = {}

    def started(self, launched: Launched) -> None:
        """Its GPUs are looked at from now on."""
        self.adopted(launched.run)

    def adopted(self, run: Run) -> None:
        """Its GPUs are looked at from now on."""
        shares = run.holds.gpus or {}
        if shares and all(share == 1 for share in shares.values()):
            self._names[run.id] = tuple(shares)

    def tick(self) -> None:
        """Look, if it is time to."""
        if not self._names or self._clock() - self._looked_at < INTERVAL:
            return
        self._looked_at = self._clock()
        found = self._gpus.look()
        for run, names in self._names.items():
            own = [gpu for gpu in found if any(gpu.is_called(name) for name in names)]
            if own:
                self._seen.setdefault(run, _Seen()).add(own)

    def ended(self, ended: Ended) -> None:
        """Its GPUs are somebody else's from now on."""
        self._names.pop(ended.run.id, None)
        self._seen.pop(ended.run.id, None)

    def use(self, run: RunId) -> dict[str, float]:
        """For run.yaml; nothing of a run that was over before the first look."""
        seen = self._seen.get(run)
        return seen.told() if seen else {}


class _Seen:
    """What was seen of one run's GPUs; as much after weeks as after a second."""

    def __init__(self) -> None:
        self._looks = 0
        self._peak = 0  # bytes in use, on all of them
        self._utilisation = 0.0  # percent, summed over the looks

    def add(self, gpus: list[Gpu]) -> None:
        """One more look."""
        self._looks += 1
        self._peak = max(self._peak, sum(gpu.memory - gpu.free for gpu in gpus))
        self._utilisation += sum(gpu.utilisation or 0 for gpu in gpus) / len(gpus)

    def told(self) -> dict[str, float]:
        return {
            "peak_gpu_memory_mb": round(self._peak / 1e6, 1),
            "gpu_utilisation": round(self._utilisation / self._looks, 1),
        }
