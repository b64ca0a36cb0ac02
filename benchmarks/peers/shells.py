"""What a shell has: a loop, and xargs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.peers.base import Job, Peer, Work, call


@contextmanager
def _loop(job: Job) -> Iterator[Work]:
    script = shlex.join([sys.executable, str(job.script())])
    text = f"for number in $(seq 0 {job.runs - 1}); do {script} number=$number; done"
    yield lambda: call(["bash", "-c", text])


@contextmanager
def _xargs(job: Job) -> Iterator[Work]:
    script = shlex.join([sys.executable, str(job.script())])
    text = f"seq 0 {job.runs - 1} | xargs -P {job.slots} -I N {script} number=N"
    yield lambda: call(["bash", "-c", text])


SHELL_LOOP = Peer("bash loop of python script", _loop, program="bash", package="bash")
XARGS = Peer("xargs -P 2", _xargs, program="xargs", package="findutils")
