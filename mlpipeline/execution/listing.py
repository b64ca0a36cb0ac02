"""The listed models as they are now: the list, read again and again, and its scripts, inspected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from mlpipeline.core.planning import ListedModel
from mlpipeline.errors import ConfigError
from mlpipeline.execution.inspection import Inspector
from mlpipeline.state.config import ModelList, read_list

Stop = Callable[[], bool]


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What the list asks for at one moment."""

    models: tuple[ListedModel, ...] = ()
    warnings: tuple[str, ...] = ()  # what is odd in the list in use
    problems: tuple[str, ...] = ()  # what keeps the list, as it stands in the file, from being used


class Listing:
    """Reads a list of models and keeps the last good one when an edit can't be used."""

    def __init__(self, path: Path, models_dir: Path, inspector: Inspector):
        self._path = path
        self._models_dir = models_dir
        self._inspector = inspector
        self._good: ModelList | None = None

    def refresh(self, stop: Stop = lambda: False) -> Listed:
        """Read everything again.

        When ``stop`` turns true, models that are not inspected yet are left out.
        """
        try:
            models = read_list(self._path, self._models_dir)
        except ConfigError as error:
            return self._last_good([str(error)], stop)
        listed, problems = self._inspector.listed(models, stop)
        if problems:
            return self._last_good(problems, stop)
        self._good = models
        return Listed(models=tuple(listed), warnings=models.warnings)

    def _last_good(self, problems: Sequence[str], stop: Stop) -> Listed:
        """The last good list, whose scripts may have changed all the same."""
        if self._good is None:
            return Listed(problems=tuple(problems))
        listed, _ = self._inspector.listed(self._good, stop)
        return Listed(models=tuple(listed), warnings=self._good.warnings, problems=tuple(problems))
