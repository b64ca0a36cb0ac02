"""What a call of ``log_metrics`` costs beside others who write numbers down, in the same process.

    python -m benchmarks.log_metrics [--calls 20000] [--rounds 7]

Each round times all of them, one after the other, so that a noisy machine hurts them alike. Prints
microseconds a call (median of the rounds, with minimum and maximum), the last write included.
Three metrics a call; tensorboardX is there where it is installed.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlpipeline import log_metrics
from mlpipeline.api.reporting import Reporter, install_reporter
from mlpipeline.execution.reporter import FolderReporter

Log = Callable[[int, dict[str, float]], object]


@contextmanager
def ours(folder: Path) -> Iterator[Log]:
    """As a run has it."""
    reporter = FolderReporter(str(folder), "model/version#1")
    install_reporter(reporter)
    yield lambda step, metrics: log_metrics(metrics, step=step)
    reporter.flush()
    install_reporter(Reporter())


@contextmanager
def csv_rows(folder: Path) -> Iterator[Log]:
    """A buffered row a call."""
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        yield lambda step, metrics: writer.writerow([step, time.time(), *metrics.values()])


@contextmanager
def standard_logging(folder: Path) -> Iterator[Log]:
    """``logging.info`` to a file."""
    logger = logging.Logger("metrics")
    handler = logging.FileHandler(folder / "metrics.log")
    logger.addHandler(handler)
    yield lambda step, metrics: logger.info("step %d %s", step, metrics)
    handler.close()


@contextmanager
def tensorboard(folder: Path) -> Iterator[Log]:
    """tensorboardX: one event a metric, written by a thread."""
    from tensorboardX import SummaryWriter

    def log(step: int, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            writer.add_scalar(name, value, step)

    with SummaryWriter(str(folder)) as writer:
        yield log


CONTESTANTS = {
    "mlpipeline.log_metrics": (ours, ""),
    "csv.writer": (csv_rows, ""),
    "logging.info": (standard_logging, ""),
    "tensorboardX": (tensorboard, "tensorboardX"),
}


def microseconds(contestant: Callable[[Path], object], calls: int) -> float:
    """Of one call, when there are many."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with contestant(Path(folder)) as log:  # type: ignore[attr-defined]
            for step in range(calls):
                log(step, {"loss": 1 / (step + 1), "accuracy": step / calls, "rate": 1e-3})
        return 1e6 * (time.perf_counter() - started) / calls


def main() -> None:
    """Time all that are there and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    contestants = {
        name: contestant
        for name, (contestant, package) in CONTESTANTS.items()
        if not package or importlib.util.find_spec(package)
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(options.rounds):
        for name, contestant in contestants.items():
            times[name].append(microseconds(contestant, options.calls))
    print(f"{options.calls} calls, {options.rounds} rounds; µs a call: median (min to max)")
    for name, values in times.items():
        low, high = min(values), max(values)
        print(f"{name:>24}  {statistics.median(values):6.1f}  ({low:.1f} to {high:.1f})")


if __name__ == "__main__":
    main()
