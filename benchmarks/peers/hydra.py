"""Hydra's multirun, with the launcher it has and with joblib's."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from benchmarks.peers.base import Job, Peer, Work, call

APP = """
import hydra

@hydra.main(version_base=None, config_path=None)
def main(config):
    number = config.number
{body}

main()
"""


def _ready(*options: str) -> Callable[[Job], AbstractContextManager[Work]]:
    @contextmanager
    def ready(job: Job) -> Iterator[Work]:
        app = job.folder / "app.py"
        app.write_text(APP.format(body=textwrap.indent(job.body, " " * 4)))
        numbers = f"+number={','.join(map(str, range(job.runs)))}"
        sweep = f"hydra.sweep.dir={job.folder}/multirun"
        yield lambda: call(
            [job.python, str(app), "-m", numbers, sweep, *options], cwd=str(job.folder)
        )

    return ready


PART = 10  # composing a config takes 0.14 s a job: 300 of them, three times, took two minutes
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=1")
HYDRA = [
    Peer("Hydra -m, basic launcher", _ready(), process="same", package="hydra-core", part=PART),
    Peer(
        "Hydra -m, joblib launcher",
        _ready(*JOBLIB),
        process="same",
        package="hydra-joblib-launcher",
        part=PART,
    ),
]
