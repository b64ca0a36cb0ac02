"""The project that the benchmarks measure: versions of a model that does nothing."""

from __future__ import annotations

from pathlib import Path

SCRIPT = """
import time
from pathlib import Path
from mlpipeline import DataLoader, Model, Versions

class Nothing(DataLoader):
    def get_train_input(self, mode=None, **kwargs): return None
    def get_test_input(self, **kwargs): return None
    def get_train_sample_count(self): return 1
    def get_test_sample_count(self): return 1

class NoOp(Model):
    def train_model(self, input_fn, steps): {body}

versions = Versions(dataloader=Nothing, batch_size=1, epoch_count=1)
for number in range({count}):
    versions.add(f"v{{number}}", model_dir_suffix=number, number=number)
MODEL = NoOp(versions)
"""


def make_project(folder: Path, versions: int, body: str = "pass") -> None:
    """A project with the model noop.py, whose training is ``body``; it is listed."""
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "noop.py").write_text(SCRIPT.format(count=versions, body=body))
    (folder / "mlp.config").write_text("[MLP]\nmodels_dir = models\n")
    (folder / "models.config").write_text("[WHITELISTED_MODELS]\nnoop.py\n")
