"""What happened since a person last looked."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from mlpipeline.core.digest import Digest, digest
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.standings import Standing, State
from mlpipeline.service.project import Project
from mlpipeline.service.queue import Queue
from mlpipeline.service.views import last_line
from mlpipeline.state.history import read_histories
from mlpipeline.state.layout import Layout

FIRST_LOOK = timedelta(days=1)  # that is told to one who has never looked


def digest_since(
    project: Project,
    ledger: Ledger,
    since: datetime,
    now: datetime,
    standings: Sequence[Standing] = (),
) -> Digest:
    """What happened from ``since`` until ``now``, and what is next by ``standings``."""
    notify = project.settings.notify
    found = digest(
        ledger,
        standings,
        since=since,
        now=now,
        metric=notify.metric or None if notify else None,
    )
    names = {each.run for each in found.failed}
    runs = {str(run.id): run for run in ledger if names and str(run.id) in names}
    failed = tuple(
        msgspec.structs.replace(each, last_line=last_line(project, runs[each.run]))
        for each in found.failed
    )
    return msgspec.structs.replace(found, failed=failed)


def digest_of(project: Project, queue: Queue, since: datetime) -> Digest:
    """What happened from ``since`` until now, and what is next."""
    found = digest_since(project, queue.ledger, since, queue.at, queue.standings)
    skipped = tuple(
        f"{each.model.name}/{each.version.name}"
        for each in queue.standings
        if each.behind and each.version and queue.state_of(each) is State.SKIPPED
    )
    return msgspec.structs.replace(found, skipped=skipped)


def news(project: Project, now: datetime) -> Digest:
    """What happened since this person was last told."""
    ledger, _ = read_histories(project.layout)
    return digest_since(project, ledger, last_look(project, now), now)


def last_look(project: Project, now: datetime) -> datetime:
    """When this person was last told what happened; a day ago, if never."""
    try:
        stamp = _seen(project.layout).read_text().strip()
        return datetime.fromisoformat(stamp)
    except (OSError, ValueError):
        return now - FIRST_LOOK


def note_look(project: Project, now: datetime) -> None:
    """This person has been told what happened until ``now``."""
    with suppress(OSError):  # then they are told once more
        _seen(project.layout).write_text(f"{now.isoformat()}\n")


def _seen(layout: Layout) -> Path:
    try:
        person = getpass.getuser()
    except (KeyError, OSError):  # a container without names
        person = "somebody"
    return layout.seen(person)
