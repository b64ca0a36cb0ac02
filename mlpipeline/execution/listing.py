"""The listed models as they are now: the list, read again and again, and its scripts, inspected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mlpipeline.core.planning import Model
from mlpipeline.errors import ConfigError
from mlpipeline.execution.inspection import Inspector
from mlpipeline.state.config import ModelList, read_list

Stop = Callable[[], bool]


class Listing:
    """Reads a list of models and keeps the last good one when an edit can't be used."""

    def __init__(self, path: Path, models_dir: Path, inspector: Inspector):
        self._path = path
        self._models_dir = models_dir
        self._inspector = inspector
        self._good: ModelList | None = None
        self.models: Sequence[Model] = ()

    @property
    def warnings(self) -> Sequence[str]:
        """What is odd in the list in use."""
        return self._good.warnings if self._good else ()

    def refresh(self, stop: Stop = lambda: False) -> list[str]:
        """Read everything again; returns what keeps the list from being used, each with its line.

        When ``stop`` turns true, models that are not inspected yet are left out.
        """
        try:
            models = read_list(self._path, self._models_dir)
        except ConfigError as error:
            problems = [str(error)]
        else:
            listed, problems = self._inspector.listed(models, stop)
            if not problems:
                self._good, self.models = models, listed
                return []
        if self._good:  # the scripts of the last good list may have changed all the same
            self.models, _ = self._inspector.listed(self._good, stop)
        return problems
