"""What the steps share: tables of text with labels, files that are there whole, metrics."""

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import mlflow

try:
    from mlpipeline import log_metrics as _to_the_queue
except ImportError:  # it runs without mlpipeline as well
    _to_the_queue = None

Row = tuple[str, str]  # a text, and its label


@contextmanager
def whole_file(path: str) -> Iterator[Path]:
    """A file beside ``path``, which takes its place when all is written, and is logged then."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{os.getpid()}-{target.name}")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    mlflow.log_artifact(str(target))


def read_rows(path: str) -> list[Row]:
    """The rows of a table."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        return [(row["text"], row["label"]) for row in csv.DictReader(file)]


def write_rows(path: str, rows: Iterable[Row]) -> None:
    """Make a table of rows."""
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(rows)


def log_metrics(metrics: Mapping[str, float]) -> None:
    """Tell MLflow, the queue if there is one, and whoever reads."""
    mlflow.log_metrics(dict(metrics))
    if _to_the_queue:
        _to_the_queue(dict(metrics))
    for name, value in metrics.items():
        print(f"{name}: {value:g}", flush=True)
