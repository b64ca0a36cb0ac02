"""Metric and MetricContainer: running averages, and how they move from epoch to epoch.

The historic spelling is ``epoc``; every such name has an ``epoch`` twin.
"""

from __future__ import annotations

import math

from mlpipeline.api.reporting import log

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

GROUP_KEYS = {"metrics", "track_average_epoc_count", "track_average_epoch_count"}
METRICS_PER_LINE = 3


class Metric:
    """A sum and a count: ``value``, ``count`` since ``reset``; ``epoch_…`` in this epoch only.

    The averages of the newest ``track_average_epoch_count`` (at least 1, or ValueError) ended
    epochs are tracked.
    """

    def __init__(
        self, track_average_epoc_count: int = 1, track_average_epoch_count: int | None = None
    ):
        modern, kept = track_average_epoch_count, track_average_epoc_count
        kept = kept if modern is None else modern
        if kept < 1:
            raise ValueError(f"track_average_epoch_count must be at least 1, got {kept!r}")
        self.track_average_epoc_count = kept
        self.track_value_list: list[float] = []  # oldest first
        self.value: float = 0
        self.count = 0
        self.epoc_value: float = 0
        self.epoc_count = 0

    epoch_value = property(lambda self: self.epoc_value, doc="The sum of this epoch's values.")
    epoch_count = property(lambda self: self.epoc_count, doc="How many this epoch counted.")

    def update(self, value: float, count: int = 1) -> None:
        """Add ``value`` to the sums and ``count`` to the counts: a batch's total and its size.

        Raises TypeError when ``value`` is not an int (a bool is one) or a float.
        """
        if not isinstance(value, (int, float)):
            hint = "; pass value.item()" if hasattr(value, "item") else ""
            name = type(value).__name__
            raise TypeError(f"a metric's value must be an int or a float, not {name}{hint}")
        self.value += value
        self.count += count
        self.epoc_value += value
        self.epoc_count += count

    def avg(self) -> float:
        """``value / count``; 0 when nothing was counted."""
        return float(self.value / self.count) if self.count else 0.0

    def avg_epoch(self) -> float:
        """``epoch_value / epoch_count``; 0 when nothing was counted in this epoch."""
        return float(self.epoc_value / self.epoc_count) if self.epoc_count else 0.0

    def reset(self) -> None:
        """Clear the overall sum and count; the epoch's stay."""
        self.value = self.count = 0

    def reset_epoch(self) -> None:
        """End the epoch: track its average and clear its sum and count."""
        self.track_value_list.append(self.avg_epoch())
        while len(self.track_value_list) > self.track_average_epoc_count:
            del self.track_value_list[0]
        self.epoc_value = self.epoc_count = 0

    def get_tracking_average(self) -> float:
        """The mean of the tracked averages; 0 while fewer than half of what is kept are there."""
        n = len(self.track_value_list)
        enough = n >= self.track_average_epoc_count / 2
        return _sum(self.track_value_list) / n if enough else 0.0

    def get_tracking_delta(self) -> float:
        """The newest tracked average minus the oldest; 0 until as many as are kept are there.

        It is the sum of the successive differences, so below 0 the metric went down.
        """
        full = len(self.track_value_list) >= self.track_average_epoc_count
        return self.track_value_list[-1] - self.track_value_list[0] if full else 0.0

    def get_tracking_stdev(self) -> float:
        """The sample standard deviation of the tracked averages; 0 when there are fewer than two.

        ``sqrt(sum((x - mean)²) / (n - 1))``: n - 1, Bessel's correction, not n.
        """
        n = len(self.track_value_list)
        if n < 2:
            return 0.0
        mean = _sum(self.track_value_list) / n
        return math.sqrt(_sum([(x - mean) * (x - mean) for x in self.track_value_list]) / (n - 1))

    avg_epoc = avg_epoch
    reset_epoc = reset_epoch


class MetricContainer(dict[str, Metric]):
    """Metrics by name, as items and as attributes: ``container["loss"]``, ``container.loss``.

    ``metrics`` lists names, or groups of names that track differently:
    ``{"metrics": ["loss"], "track_average_epoch_count": 10}``. A metric that is called like a
    method (``update``) is an item only.

    Raises ValueError for a repeated or impossible name and for a malformed group, TypeError for
    what is not a list.
    """

    def __init__(
        self,
        metrics: list[Any] | None = None,
        track_average_epoc_count: int = 1,
        track_average_epoch_count: int | None = None,
    ):
        super().__init__()
        default = Metric(track_average_epoc_count, track_average_epoch_count)
        for entry in _names([] if metrics is None else metrics):
            group: dict[str, Any] = entry if isinstance(entry, dict) else {"metrics": [entry]}
            if "metrics" not in group or not group.keys() <= GROUP_KEYS:
                raise ValueError(f"a group's keys are among {sorted(GROUP_KEYS)}, got {group!r}")
            kept = group.get("track_average_epoc_count", default.track_average_epoc_count)
            for name in _names(group["metrics"]):
                if name in self:
                    raise ValueError(f"there are two metrics named {name!r}")
                self[name] = Metric(kept, group.get("track_average_epoch_count"))

    def __setitem__(self, name: str, metric: Metric) -> None:
        if not isinstance(name, str) or not name:
            raise ValueError(f"a metric's name must be a non-empty string, got {name!r}")
        if not isinstance(metric, Metric):
            raise TypeError(f"{name} must be a Metric, not {type(metric).__name__}")
        super().__setitem__(name, metric)

    __setattr__ = __setitem__

    def __getattr__(self, name: str) -> Metric:
        if name in self:
            return self[name]
        raise AttributeError(self._unknown(name))

    def __missing__(self, name: str) -> Metric:
        raise KeyError(self._unknown(name))

    def reset(self, metrics: Iterable[str] | None = None) -> None:
        """Reset the named metrics (default: all); raises ValueError for an unknown name."""
        for metric in self._chosen(metrics).values():
            metric.reset()

    def reset_epoch(self, metrics: Iterable[str] | None = None) -> None:
        """End the epoch of the named metrics (default: all); ValueError for an unknown name."""
        for metric in self._chosen(metrics).values():
            metric.reset_epoch()

    reset_epoc = reset_epoch

    def log_metrics(
        self,
        metrics: Iterable[str] | None = None,
        log_to_file: bool = True,
        complete_epoc: bool = False,
        complete_epoch: bool = False,
    ) -> str:
        """Log the averages of the named metrics (default: all), and return the logged text.

        It has ``name: value`` three to a line, in the container's order. ``complete_epoch`` gives
        the averages of this epoch only, so call it before ``reset_epoch``; otherwise they are those
        since ``reset``. Tracked averages are not shown. Raises ValueError for an unknown name.
        """
        chosen = self._chosen(metrics).items()
        of_epoch = complete_epoc or complete_epoch
        cells = [f"{name}: {m.avg_epoch() if of_epoch else m.avg():.4f}" for name, m in chosen]
        width = max(map(len, cells), default=0)
        starts = range(0, len(cells), METRICS_PER_LINE)
        rows = [[cell.ljust(width) for cell in cells[i : i + METRICS_PER_LINE]] for i in starts]
        text = "\n".join("    ".join(row).rstrip() for row in rows)
        log(text, log_to_file=log_to_file)
        return text

    def _chosen(self, metrics: Iterable[str] | None) -> dict[str, Metric]:
        """The named metrics, once each and in the container's order; a string is one name."""
        metrics = [metrics] if isinstance(metrics, str) else metrics
        wanted = list(self if metrics is None else metrics)
        if unknown := [name for name in wanted if name not in self]:
            raise ValueError(self._unknown(*unknown))
        return {name: metric for name, metric in self.items() if name in wanted}

    def _unknown(self, *names: str) -> str:
        known = ", ".join(self) or "none"
        return f"there is no metric {', '.join(map(repr, names))}; known metrics: {known}"


def _names(names: Any) -> list[Any]:
    if not isinstance(names, (list, tuple)):
        raise TypeError(f"metrics must be a list of names, got {names!r}")
    return list(names)


def _sum(values: list[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):
        return sum(values)  # inf or nan: a diverging run is reported, not stopped
