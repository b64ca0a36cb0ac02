"""What the executors' tests share."""

from __future__ import annotations

import os

import msgspec
import pytest
from model_scripts import Scripts
from projects import BASE, MODEL

from mlpipeline.core.launch import Spec


@pytest.fixture
def spec(tmp_path):
    """Makes the spec of a run whose training is ``body``."""
    (tmp_path / "_base.py").write_text(BASE)

    def make(body: str = "pass", number: int = 1) -> Spec:
        script = tmp_path / f"m{number}.py"
        script.write_text(MODEL.format(body=f"        {body}", names="'v'"))
        folder = tmp_path / "runs" / str(number)
        folder.mkdir(parents=True)
        made = Spec(
            model=f"m{number}",
            version="v",
            attempt=1,
            script=str(script),
            signature="",
            stamp=(script.stat().st_mtime_ns, script.stat().st_size),
            folder=str(folder),
            project=str(tmp_path),
            models_dir=str(tmp_path),
            model_dir=str(tmp_path / f"model_dir-{number}"),
            test=False,
            fresh=True,
        )
        (folder / "spec.json").write_bytes(msgspec.json.encode(made))
        return made

    return make


@pytest.fixture
def wake():
    """A file descriptor that never becomes readable."""
    readable, writable = os.pipe()
    yield readable
    os.close(readable)
    os.close(writable)


@pytest.fixture
def scripts(tmp_path):
    made = Scripts(tmp_path / "models")
    yield made
    for inspector in made.opened:
        inspector.close()
