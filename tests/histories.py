"""A short history, and where it lies; for tests of what is made of it."""

from pathlib import Path

from core.events import adopted, finished, starting, stopping

from mlpipeline.core.runs import Outcome
from mlpipeline.state.layout import Layout

EVENTS = [
    starting("a", seconds=0),
    starting("b", seconds=1),
    adopted("a", seconds=2),
    finished("a", seconds=3, outcome=Outcome.FAILED, reason="ValueError: größe\nzwei"),
    starting("a", 2, seconds=4, resume=True),
    stopping("b", seconds=5),
    finished("a", 2, seconds=6, steps=10, results={"test": {"accuracy": 0.5}}),
]


def layout_in(folder, host="here"):
    outputs = Path(folder) / "models" / "outputs"
    outputs.mkdir(parents=True, exist_ok=True)
    return Layout.of(Path(folder), outputs.parent, host)
