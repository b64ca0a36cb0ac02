"""What there is to see of a project at a glance. Nothing is changed here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from mlpipeline.core.forecast import Durations, Forecast, Slot, forecast
from mlpipeline.core.launch import Progress
from mlpipeline.core.runs import Run, RunId
from mlpipeline.core.spelling import nearest
from mlpipeline.core.standings import Standing, State
from mlpipeline.errors import MlpipelineError, UnknownRun
from mlpipeline.service.naming import meant, newest
from mlpipeline.service.project import Project
from mlpipeline.service.queue import Queue
from mlpipeline.state.files import read_record
from mlpipeline.state.history import read_histories
from mlpipeline.state.layout import RunFolder
from mlpipeline.state.tail import last_lines

# The order in which a person wants to see them.
ORDER = [
    State.RUNNING,
    State.QUEUED,
    State.TOO_BIG,
    State.HELD,
    State.FAILED,
    State.BROKEN,
    State.SKIPPED,
    State.DONE,
]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A version, or a model that can't be used."""

    run: str  # MODEL/VERSION#ATTEMPT, its newest attempt; without # while one is to come
    model: str
    version: str = ""  # empty for a model that can't be used
    state: str  # running, queued, done, failed, held, …; of what is not listed, as it ended
    listed: bool = True
    reason: str = ""  # why it is in that state
    after: tuple[str, ...] = ()  # versions of its model that must be done before it starts
    host: str = ""  # of the newest attempt
    started: datetime | None = None  # the attempt
    starts: datetime | None = None  # when a queued one is expected to
    ended: datetime | None = None
    seconds: float | None = None  # that the newest attempt took
    progress: Progress | None = None  # of one that runs
    left: float | None = None  # seconds until it ends, of one that runs
    results: dict[str, Any] = {}  # of the newest attempt
    last_line: str = ""  # that one which failed has printed


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything stands: what `mlpipeline status --json` prints."""

    at: datetime
    session: bool  # one works on it, on this host
    pid: int | None  # of that session; null when there is none, or it does not say
    watching: bool  # it stays when the queue is empty
    only: tuple[str, ...] = ()  # the models that it is for; empty: all that are listed
    paused: bool  # nothing is started
    counts: dict[str, int]  # listed versions by state
    unlisted: int  # versions that ran and are not listed any more
    empty_at: datetime | None  # when the queue will be empty, as far as is known
    unknown: int  # versions of which nothing tells how long they take
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]
    problems: tuple[str, ...]  # that keep the list from being used
    inspecting: tuple[str, ...] = ()  # scripts; what is said of their versions is not sure


class Sight(msgspec.Struct, frozen=True, gc=False):
    """What a row of the status is about; there may be a hundred thousand, and few are shown."""

    state: str
    thing: Standing | Run  # a run: what is not listed

    @property
    def listed(self) -> bool:
        """Whether its version is listed."""
        return isinstance(self.thing, Standing)

    @property
    def model(self) -> str:
        """The name of its model."""
        return self.thing.model.name if isinstance(self.thing, Standing) else self.thing.id.model

    @property
    def reason(self) -> str:
        """Why what is listed is in that state."""
        return self.thing.reason if isinstance(self.thing, Standing) else ""


def sights(queue: Queue) -> list[Sight]:
    """All there is, in the order in which a person wants to see it: first what is listed."""
    by_state: dict[State, list[Standing]] = {state: [] for state in ORDER}
    for standing in queue.standings:
        state = standing.state
        is_new = standing.last is None and standing.behind is None  # as most of a long list are
        if not is_new and state is not State.DONE:
            state = queue.state_of(standing)
        by_state[state].append(standing)
    listed: list[Sight] = []
    for state, standings in by_state.items():
        name = state.value
        listed += [Sight(name, standing) for standing in standings]
    return listed + [
        Sight(run.verdict.outcome.value if run.verdict else State.RUNNING.value, run)
        for run in queue.unlisted
    ]


def status(
    project: Project, queue: Queue, seen: Sequence[Sight], shown: Sequence[Sight] | None = None
) -> Status:
    """What is queued, what runs, what ran, and why the rest does not.

    ``seen`` is all there is; it is counted, and what of it is ``shown`` has rows (default: all).
    """
    shown = seen if shown is None else shown
    listed = len(queue.standings)  # these come first
    wanted = {
        (each.thing.model.name, _version(each.thing))
        for each in shown
        if isinstance(each.thing, Standing)
    }
    expected = expectation(project, queue, wanted=wanted)
    slots = {(slot.standing.model.name, _version(slot.standing)): slot for slot in expected.slots}
    return Status(
        at=queue.at,
        session=bool(queue.pid),
        pid=queue.pid_number,
        watching=bool(queue.pid and queue.session and queue.session.watch),
        only=queue.only,
        paused=queue.listed.paused,
        counts=dict(Counter(sight.state for sight in seen[:listed])),
        unlisted=len(seen) - listed,
        empty_at=expected.empty_at,
        unknown=expected.unknown,
        rows=tuple(_row(project, queue, sight, slots) for sight in shown),
        warnings=queue.warnings,
        problems=queue.listed.problems,
        inspecting=tuple(sorted(queue.listed.pending)),
    )


def _row(
    project: Project, queue: Queue, sight: Sight, slots: Mapping[tuple[str, str], Slot]
) -> Row:
    thing = sight.thing
    if isinstance(thing, Run):
        return _unlisted(project, queue, thing)
    return _listed(project, queue, thing, slots.get((thing.model.name, _version(thing))))


def expectation(
    project: Project,
    queue: Queue,
    standings: Sequence[Standing] | None = None,
    *,
    wanted: Container[tuple[str, str]],
) -> Forecast:
    """When what is listed (or else ``standings``) is expected to have run, with the slots of those
    that are ``wanted``, by model and version.
    """
    only = queue.only
    standings = [
        standing
        for standing in (queue.standings if standings is None else standings)
        if standing.state is State.RUNNING
        or (standing.state is State.QUEUED and (not only or standing.model.name in only))
    ]
    left: dict[RunId, float] = {}
    for standing in standings:
        run = standing.last
        if standing.state is State.RUNNING and run:
            seconds = _left(_progress(project, run))
            if seconds is not None:
                left[run.id] = seconds
    return forecast(
        standings,
        Durations(queue.ledger),
        left,
        host=project.layout.host,
        slots=queue.policy.slots,
        now=queue.at,
        machine=queue.host,
        wanted=wanted,
    )


def find_run(project: Project, name: str) -> tuple[Run, RunFolder]:
    """The run that ``name`` means, and its folder; raises as :func:`find_runs`."""
    (run,) = find_runs(project, [name])
    return run, project.layout.run_folder(run.id)


def find_runs(project: Project, names: Iterable[str]) -> list[Run]:
    """The run that each of ``names`` means (see naming.py).

    Raises UnknownRun, with the nearest names, or AmbiguousName.
    """
    ledger, _ = read_histories(project.layout)
    runs = []
    for name in names:
        named = meant(name, ledger)
        run = newest(named, ledger)
        if run is None:  # only skipped, say
            raise UnknownRun(f"{named} has not run yet")
        runs.append(run)
    return runs


def last_line(project: Project, run: Run) -> str:
    """The last line that a run printed; empty where there is none."""
    lines = last_lines(project.layout.run_folder(run.id).console, 1)
    return lines[0].strip() if lines else ""


def _listed(project: Project, queue: Queue, standing: Standing, slot: Slot | None) -> Row:
    last, version = standing.last, standing.version
    if version is None:
        return Row(
            run=standing.model.path,
            model=standing.model.name,
            state=standing.state.value,
            reason=standing.reason,
        )
    name = f"{standing.model.name}/{version.name}"
    state = queue.state_of(standing)
    last = standing.success or last
    row = Row(
        run=str(last.id) if last and state is not State.QUEUED else name,
        model=standing.model.name,
        version=version.name,
        state=state.value,
        reason=queue.reason_of(standing),
        after=version.after,
    )
    if state is State.QUEUED:
        starts = slot.starts if slot and not queue.listed.paused else None
        row = msgspec.structs.replace(row, started=starts)
    return _with_run(project, queue, row, last, slot) if last else row


def _unlisted(project: Project, queue: Queue, run: Run) -> Row:
    verdict = run.verdict
    row = Row(
        run=str(run.id),
        model=run.id.model,
        version=run.id.version,
        state=verdict.outcome.value if verdict else State.RUNNING.value,
        listed=False,
        reason=verdict.reason if verdict else "",
    )
    return _with_run(project, queue, row, run, None)


def _with_run(project: Project, queue: Queue, row: Row, run: Run, slot: Slot | None) -> Row:
    """``row`` with what there is to say of its newest attempt."""
    row = msgspec.structs.replace(row, host=run.host)
    if row.state == State.RUNNING.value:
        progress = _progress(project, run)
        ends = slot.ends if slot else None
        left = (ends - queue.at).total_seconds() if ends else _left(progress)
        return msgspec.structs.replace(
            row,
            started=run.started_at,
            progress=progress,
            left=None if left is None else max(0.0, left),
        )
    is_failure = run.verdict is not None and run.verdict.outcome.is_failure
    if row.state == State.QUEUED.value:
        said = last_line(project, run) if is_failure else ""
        return msgspec.structs.replace(row, last_line=said)
    return msgspec.structs.replace(
        row,
        started=run.started_at,
        ended=run.ended_at,
        seconds=run.seconds,
        results=run.results,
        last_line=last_line(project, run) if is_failure else "",
    )


def _version(standing: Standing) -> str:
    return standing.version.name if standing.version else ""


def _progress(project: Project, run: Run) -> Progress | None:
    return read_record(project.layout.run_folder(run.id).progress, Progress)


def _left(progress: Progress | None) -> float | None:
    """Seconds until the last step, by the rate so far."""
    if progress is None or not progress.total or not progress.rate:
        return None
    return max(0, progress.total - progress.step) / progress.rate


def check_models(queue: Queue, seen: Iterable[Sight], models: Iterable[str]) -> None:
    """Raise MlpipelineError for a model that is not listed and has never run."""
    if not models or queue.listed.problems or queue.listed.pending:  # not all is known
        return
    known = dict.fromkeys(sight.model for sight in seen)
    for model in models:
        if model not in known:
            hint = nearest(model, known) or f"; there are: {', '.join(known) or 'none'}"
            raise MlpipelineError(f"no model is called {model}{hint}")


def chosen(
    seen: Sequence[Sight], models: Collection[str], states: Collection[str]
) -> Sequence[Sight]:
    """What is of these models and in these states; all where none is named."""
    if models:
        seen = [sight for sight in seen if sight.model in models]
    return [sight for sight in seen if sight.state in states] if states else seen
