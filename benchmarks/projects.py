"""The work that all are asked to do: the same lines, as a model script and as a plain script.

The lines see ``number``: which of the runs this is.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

MODEL = """
from mlpipeline import DataLoader, Model, Versions

class Nothing(DataLoader):
    def get_train_input(self, mode=None, **kwargs): return None
    def get_test_input(self, **kwargs): return None
    def get_train_sample_count(self): return 1
    def get_test_sample_count(self): return 1

class NoOp(Model):
    def train_model(self, input_fn, steps):
        number = self.current_version["number"]
{body}

versions = Versions(dataloader=Nothing, batch_size=1, epoch_count=1)
for number in range({first}, {last}):
    versions.add(f"v{{number}}", model_dir_suffix=number, number=number)
MODEL = NoOp(versions)
"""
PLAIN = """
import sys
number = sys.argv[1].removeprefix("number=")
{body}
"""


def make_project(
    folder: Path,
    versions: int,
    body: str = "pass",
    *,
    per_model: int | None = None,
    **settings: object,
) -> None:
    """A project with the model noop.py, whose training is ``body``; it is listed.

    ``per_model``: so many versions a model at most; noop1.py and so on have the rest. ``settings``:
    more keys of mlp.config.
    """
    (folder / "models").mkdir(parents=True)
    step = per_model or max(1, versions)
    names = []
    for first in range(0, max(1, versions), step):
        names.append(f"noop{first // step or ''}.py")
        last = min(first + step, versions)
        text = MODEL.format(first=first, last=last, body=textwrap.indent(body, " " * 8))
        (folder / "models" / names[-1]).write_text(text)
    lines = [f"{key} = {value}" for key, value in {"models_dir": "models", **settings}.items()]
    (folder / "mlp.config").write_text("[MLP]\n" + "\n".join(lines) + "\n")
    (folder / "models.config").write_text("\n".join(["[WHITELISTED_MODELS]", *names, ""]))


def make_script(folder: Path, body: str = "pass") -> Path:
    """The same as a script for the peers, which is called with ``number=3``."""
    path = folder / "script.py"
    path.write_text(PLAIN.format(body=body))
    return path


def marking(path: Path) -> str:
    """Lines that leave a dot in ``path``, so that nobody is fast by doing nothing."""
    return f'with open({str(path)!r}, "a") as marks:\n    marks.write(".")'


def sleeping(path: Path, seconds: float) -> str:
    """Lines that take so many seconds, and leave a dot in ``path``."""
    return f"import time\ntime.sleep({seconds})\n{marking(path)}"


def stamping(folder: Path) -> str:
    """Lines that write when they are reached, and in which process."""
    return (
        f"import os, time\nwith open({str(folder)!r} + f'/began-{{number}}', 'w') as stamp:\n"
        '    stamp.write(f"{time.time()} {os.getpid()}")'
    )
