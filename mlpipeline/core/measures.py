"""Measures by name: ``test.accuracy`` of a run's results, and which way is better."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from mlpipeline.core.plain import NOT_FINITE

# Words in a measure's name by which less of it is better; of all others more is.
_LESS = (
    "loss", "error", "err", "mse", "rmse", "mae", "mape", "perplexity", "ppl", "nll", "wer", "cer",
    "fid", "regret", "distance", "latency", "seconds", "time", "memory", "divergence", "kl",
)  # fmt: skip


@lru_cache(maxsize=1024)  # asked for each run, of the same few names
def lower_is_better(name: str) -> bool:
    """Whether less of ``name`` (``test.cross_entropy_loss``, ``valLoss``, ``RMSE``) is better."""
    last = name.rpartition(".")[2]
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", last).lower()
    return any(word in _LESS for word in re.split(r"[^a-z]+", words))


def flattened(results: Mapping[str, Any]) -> dict[str, float]:
    """The numbers in ``results`` by their dotted paths: ``{"test": {"accuracy": 1}}`` has
    ``test.accuracy``. What is no finite number is left out.
    """
    return {path: value for path, value in told(results).items() if not isinstance(value, str)}


def told(results: Mapping[str, Any]) -> dict[str, float | str]:
    """As :func:`flattened`, with NaN and infinite values by their names, as in core/plain.py."""
    return dict(_numbers(results, ""))


def beyond_floats(results: Mapping[str, Any]) -> list[str]:
    """The dotted paths of whole numbers that no float can hold; :func:`told` passes them over."""
    return [
        path
        for path, value in _leaves(results, "")
        if isinstance(value, int) and not _is_finite(value)
    ]


def _numbers(value: Any, path: str) -> Iterator[tuple[str, float | str]]:
    return ((path, value) for path, value in _leaves(value, path) if _is_number(value))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return value in NOT_FINITE
    return isinstance(value, (int, float)) and not isinstance(value, bool) and _is_finite(value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False
