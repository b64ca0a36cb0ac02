"""Learning curves: in a file, and in the queue where a run is one of its."""

import json
from pathlib import Path

import mlpipeline


class Tracker:
    """Appends metrics to `metrics.jsonl` in a folder, a JSON object a line."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "metrics.jsonl"

    def log(self, epoch: int, **metrics: float) -> None:
        """Note the metrics at the end of an epoch; they are counted from 1."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"epoch": epoch, **metrics}) + "\n")
        mlpipeline.log_metrics(metrics, epoch)  # does nothing outside the queue
