"""What would start next, and why: a dry run of the queue."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from mlpipeline.core.changes import Changes, changes
from mlpipeline.core.listed import all_asks
from mlpipeline.core.planning import Situation, explain
from mlpipeline.core.standings import Standing, State
from mlpipeline.errors import MlpipelineError
from mlpipeline.execution.hardware import Hardware
from mlpipeline.execution.listing import Listed
from mlpipeline.service.project import Project, known_scripts
from mlpipeline.service.queue import Queue
from mlpipeline.service.views import expectation
from mlpipeline.state.layout import LIST
from mlpipeline.state.lists import ListText, read_list


class PlannedStart(msgspec.Struct, frozen=True, kw_only=True):
    """One start that is to come."""

    run: str  # MODEL/VERSION#ATTEMPT
    reason: str  # why it runs; empty for what is new
    priority: int = 0  # of its model; higher ones start first
    resumes: bool = False  # it goes on from a checkpoint
    rehearses: bool = False  # its rehearsal comes first
    starts: datetime | None = None  # about; null where nothing tells
    seconds: float | None = None  # that it is expected to take


class TooBig(msgspec.Struct, frozen=True, kw_only=True):
    """A version that can't run on this host."""

    version: str  # MODEL/VERSION
    reason: str


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A version that does not start, since one that it comes after has failed, say."""

    version: str  # MODEL/VERSION
    reason: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What `mlpipeline plan --json` prints."""

    list: str  # the file that was read
    session: bool  # one works on it, on this host
    pid: int | None  # of that session; null when there is none, or it does not say
    paused: bool
    slots: int  # runs at a time
    running: tuple[str, ...]
    starts: tuple[PlannedStart, ...]  # in their order
    more: int  # starts that are left out here
    too_big: tuple[TooBig, ...] = ()  # what asks for more than this host has
    skipped: tuple[Skipped, ...] = ()  # for what became of something that comes before it
    changes: Changes | None = None  # what a draft changes about the list in use
    empty_at: datetime | None = None
    unknown: int = 0  # versions of which nothing tells how long they take
    inspecting: tuple[str, ...] = ()  # scripts; what starts of them is not sure
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # that keep the list from being used


def plan(project: Project, queue: Queue, *, count: int, draft: Path | None = None) -> Plan:
    """The next ``count`` starts; of ``draft``, a list that is not in use yet, where that is named.

    Raises ConfigError for a draft that can't be used.
    """
    listed = queue.listed if draft is None else _read(project, draft)
    standings = (
        explain(
            Situation(
                listed=listed.models,
                ledger=queue.ledger,
                policy=queue.policy,
                now=queue.at,
                host=Hardware(project.settings).now(all_asks(listed.models)),
            )
        )
        if draft
        else queue.standings
    )
    queued = [each for each in standings if each.state is State.QUEUED and each.version]
    wanted = {(each.model.name, each.version.name) for each in queued[:count] if each.version}
    expected = expectation(project, queue, standings, wanted=wanted)
    slots = [slot for slot in expected.slots if slot.standing.state is State.QUEUED]
    return Plan(
        list=queue.list_name if draft is None else str(draft),
        session=bool(queue.pid),
        pid=queue.pid_number,
        paused=listed.paused,
        slots=queue.policy.slots,
        running=tuple(_name(s) for s in standings if s.state is State.RUNNING),
        starts=tuple(
            PlannedStart(
                run=_next(queue, slot.standing),
                reason=slot.standing.reason,
                priority=slot.standing.model.priority,
                resumes=slot.standing.resumes,
                rehearses=slot.standing.rehearses,
                starts=slot.starts,
                seconds=(slot.ends - slot.starts).total_seconds()
                if slot.starts and slot.ends
                else None,
            )
            for slot in slots
        ),
        more=max(0, len(queued) - count),
        too_big=tuple(
            TooBig(version=f"{each.model.name}/{each.version.name}", reason=each.reason)
            for each in standings
            if each.state is State.TOO_BIG and each.version
        ),
        skipped=tuple(
            Skipped(version=f"{each.model.name}/{each.version.name}", reason=each.reason)
            for each in standings
            if each.state is State.SKIPPED and each.behind and each.version
        ),
        changes=changes(queue.standings, standings, listed.unknown) if draft else _pending(queue),
        empty_at=expected.empty_at,
        unknown=expected.unknown,
        inspecting=tuple(sorted(listed.pending)),
        warnings=queue.warnings,
        problems=listed.problems,
    )


def _read(project: Project, draft: Path) -> Listed:
    if not draft.is_file():
        raise MlpipelineError(f"{draft} is no file; a draft is a copy of {LIST} with your edits")
    models = read_list(ListText.read(draft), project.layout.models_dir)
    read = known_scripts(project).listed(models)
    return Listed(
        models=read.models,
        warnings=models.warnings,
        problems=read.complaints,
        paused=models.paused,
        unknown=read.unknown,
    )


def _pending(queue: Queue) -> Changes | None:
    """What the list in the file would change, where it can't be used as it is."""
    if not queue.listed.unknown:
        return None
    return Changes(unknown=queue.listed.unknown)


def _name(standing: Standing) -> str:
    last = standing.last
    return str(last.id) if last else standing.model.path


def _next(queue: Queue, standing: Standing) -> str:
    version = standing.version.name if standing.version else ""
    attempt = queue.ledger.next_attempt(standing.model.name, version)
    return f"{standing.model.name}/{version}#{attempt}"
