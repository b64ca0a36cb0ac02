"""mlpipeline itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.peers.base import Job, Peer, Work, call
from benchmarks.projects import make_project
from mlpipeline.state.config import Settings

VERSIONS = 50  # a model; each run imports its script, which adds them all
COMMAND = [sys.executable, "-m", "mlpipeline"]
STARTS = ("warm", "cold") if "start" in Settings.__struct_fields__ else ("",)


def _peer(start: str) -> Peer:
    @contextmanager
    def ready(job: Job) -> Iterator[Work]:
        project = job.folder / "project"
        settings: dict[str, object] = {"start": start} if start else {}
        settings |= {"parallel": job.slots, "per_model": VERSIONS}
        make_project(project, job.runs, job.body, **settings)
        yield lambda: call([*COMMAND, "-C", str(project), "-r", "-u"])

    name = " ".join(["mlpipeline -r -u", *([f"({start})"] if start else [])])
    return Peer(name, ready, process="fork" if start == "warm" else "new")


OURS = [_peer(start) for start in STARTS]
