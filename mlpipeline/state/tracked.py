"""``mlflow.json`` in a run's folder: what of the run has been sent to MLflow.

Written by the process that sends it, and by nobody else. Where it is lost, MLflow is asked.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from mlpipeline.core.runs import Moment
from mlpipeline.errors import StorageError
from mlpipeline.state.files import read_record, storage, write_whole
from mlpipeline.state.layout import Layout, RunFolder


class Sent(msgspec.Struct, kw_only=True):
    """What has been sent."""

    uri: str  # of the server, without what is secret
    experiment: str = ""  # its id
    run: str = ""  # the MLflow run's id; empty as long as there is none
    missed: bool = False  # the server was down when the run started, which need not wait for it
    is_named: bool = False  # whether the MLflow run has parameters and tags
    is_told: bool = False  # whether it has those tags that run.yaml gives
    offset: int = 0  # bytes of metrics.jsonl
    artifacts: dict[str, tuple[int, int]] = {}  # size and mtime (ns) of each file, by its name
    status: str = ""  # with which the MLflow run has ended
    done: bool = False  # nothing is left to send
    gone: str = ""  # why no more can be sent


class Mark(msgspec.Struct, frozen=True):
    """What is known of all runs of a host together: before ``since`` all has been sent to ``uri``.

    It can be deleted; then each run is looked at.
    """

    uri: str
    since: Moment


def read_sent(folder: RunFolder) -> Sent | None:
    """What has been sent of a run; None where that is not known."""
    return read_record(folder.tracked, Sent)


def write_sent(folder: RunFolder, sent: Sent) -> None:
    """Put it down; raises StorageError."""
    with storage(f"{folder.tracked} can't be written"):
        write_whole(folder.tracked, msgspec.json.encode(sent))


def read_mark(layout: Layout, uri: str) -> datetime | None:
    """The start of the first run of which something may not be sent; None: look at all."""
    mark = read_record(layout.tracked, Mark)
    return mark.since if mark and mark.uri == uri else None


def write_mark(layout: Layout, uri: str, since: datetime) -> None:
    """Put it down; where the disk refuses that, more is looked at next time."""
    try:
        with storage(""):
            write_whole(layout.tracked, msgspec.json.encode(Mark(uri, since)))
    except StorageError:
        return
