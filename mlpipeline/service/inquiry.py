"""All there is to know of one run: why it does not run, what ran, what has changed since."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from mlpipeline.core.measures import flattened
from mlpipeline.core.orders import Order
from mlpipeline.core.runs import Run
from mlpipeline.core.slots import Room
from mlpipeline.core.standings import Standing, State
from mlpipeline.core.wording import plural
from mlpipeline.errors import AmbiguousName
from mlpipeline.service.naming import Named, choices, meant, newest
from mlpipeline.service.project import Project
from mlpipeline.service.queue import Queue
from mlpipeline.service.stages import Before, before, why_behind
from mlpipeline.service.views import find_run, find_runs
from mlpipeline.state.reports import run_record
from mlpipeline.state.sources import Sources

# Of run.yaml, what `diff` compares beside parameters, results and scripts.
COMPARED = ("outcome", "seconds", "resumed", "host", "git", "gpus", "seeds", "environment", "steps")


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a version."""

    run: str  # MODEL/VERSION#ATTEMPT
    state: str  # "running", or its outcome
    reason: str
    started: datetime
    seconds: float | None  # that it took; null while it runs
    host: str
    resumed: bool


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a version does or does not run: what `mlpipeline explain --json` prints."""

    run: str
    state: str  # as in status; "not listed" where that is why
    reasons: tuple[str, ...]  # sentences, the most important one first
    after: tuple[Before, ...] = ()  # versions that must be done before it starts
    attempts: tuple[Attempt, ...] = ()  # oldest first
    parameters: dict[str, Any] = {}  # as listed; of what is not listed, as it ran
    git: dict[str, Any] = {}  # of the newest attempt: commit, and whether it was dirty
    script_changes: str = ""  # a unified diff since the newest attempt


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One run's record: what `mlpipeline show --json` prints."""

    run: str
    folder: str  # absolute
    record: dict[str, Any]  # run.yaml


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two runs: what `mlpipeline diff --json` prints.

    In each table a name has its value of the left and of the right run, null where it has none.
    """

    left: str
    right: str
    parameters: dict[str, tuple[Any, Any]]
    results: dict[str, tuple[float | None, float | None]]  # also those that are equal
    surroundings: dict[str, tuple[Any, Any]]  # host, git, environment …
    script: str  # a unified diff


def explain_run(project: Project, queue: Queue, name: str) -> Explanation:
    """Why what ``name`` means runs or not; raises UnknownRun or AmbiguousName."""
    for broken in queue.standings:
        if broken.version is None and name in (broken.model.name, broken.model.path):
            return Explanation(
                run=broken.model.path, state=broken.state.value, reasons=(broken.reason,)
            )
    named = meant(name, queue.ledger, queue.versions)
    standing = _standing(queue, named)
    is_exact = named.attempt is not None or "/" in name
    if standing is None and not is_exact and (versions := _of_step(queue, named)):
        raise AmbiguousName(f"{name} may be {choices(versions)}; say which")
    runs = queue.ledger.attempts(named.model, named.version)
    last = newest(named, queue.ledger)
    record = run_record(project.layout, last.id) if last else {}
    was = _sources(record)
    now = standing.model.sources if standing else was
    if standing and standing.version:  # of a step, without what is not its own
        now, was = (standing.model.sources_of(standing.version, each) for each in (now, was))
    listed = standing.version.parameters if standing and standing.version else None
    return Explanation(
        run=str(last.id) if last else str(named),
        state=queue.state_of(standing).value if standing else "not listed",
        reasons=tuple(_why(project, queue, named, standing, last)),
        after=before(queue, standing) if standing else (),
        attempts=tuple(_attempt(run) for run in runs),
        parameters=record.get("parameters") or {} if listed is None else listed,
        git=record.get("git") or {},
        script_changes=_script_diff(project, was, now, str(last.id), "now") if last else "",
    )


def show(project: Project, name: str) -> Shown:
    """The record of the run ``name``; raises UnknownRun or AmbiguousName."""
    run, folder = find_run(project, name)
    record = run_record(project.layout, run.id)
    return Shown(run=str(run.id), folder=str(folder.path), record=record)


def compare(project: Project, left: str, right: str) -> Comparison:
    """What differs between two runs; raises UnknownRun or AmbiguousName."""
    one, other = find_runs(project, [left, right])
    first, second = (run_record(project.layout, run.id) for run in (one, other))
    results = flattened(one.results), flattened(other.results)
    return Comparison(
        left=str(one.id),
        right=str(other.id),
        parameters=_differing(_table(first, "parameters"), _table(second, "parameters")),
        results={
            name: (results[0].get(name), results[1].get(name))
            for name in dict.fromkeys([*results[0], *results[1]])
        },
        surroundings=_differing(_surroundings(first), _surroundings(second)),
        script=_script_diff(project, _sources(first), _sources(second), str(one.id), str(other.id)),
    )


def _why(
    project: Project, queue: Queue, named: Named, standing: Standing | None, last: Run | None
) -> Iterator[str]:
    """Sentences, the most important one first."""
    if standing is None:
        yield from _why_not_listed(queue, named)
        return
    match standing.state:
        case State.RUNNING:
            yield standing.reason or f"it runs on {last.host if last else project.layout.host}"
        case State.DONE:
            yield f"it has succeeded as {standing.success.id}" if standing.success else "it is done"
            if standing.is_outdated:
                yield (f"its script was edited since; `mlpipeline retry '{named}'` runs it again")
        case State.FAILED:
            yield standing.reason
            again = (
                f"`mlpipeline retry '{named}'` tries again" if queue.pid else "the next tries again"
            )
            yield f"each session tries once; {again}"
        case State.HELD:
            yield standing.reason
            yield f"it is tried again when its script changes, or by `mlpipeline retry '{named}'`"
        case State.SKIPPED if standing.behind:
            yield from why_behind(queue, standing)
        case State.SKIPPED:
            yield _ordered(queue, named)
        case State.QUEUED:
            yield from _why_queued(queue, standing)
        case State.TOO_BIG:
            yield f"it {standing.reason}"
            yield "another host on this folder may take it; mlp.config may say what this one has"
        case State.BROKEN:
            yield standing.reason


def _why_not_listed(queue: Queue, named: Named) -> Iterator[str]:
    if versions := _of_step(queue, named):
        yield f"{named.version} has other versions now: {choices(versions)}"
        return
    yield f"it is not in {queue.list_name}: `mlpipeline add {named.model} '{named.version}'`"
    if queue.listed.problems:
        yield f"{queue.list_name} can't be used: {queue.listed.problems[0]}"


def _ordered(queue: Queue, named: Named) -> str:
    order = queue.ledger.order(named.model, named.version)
    if order is None or order.order is not Order.SKIP:
        return "it is left out"
    how = order.why or "skipped"
    return f"it was {how} at {order.at:%Y-%m-%d %H:%M}; `mlpipeline retry '{named}'` queues it"


def _why_queued(queue: Queue, standing: Standing) -> Iterator[str]:
    if standing.behind and queue.state_of(standing) is State.SKIPPED:
        yield from why_behind(queue, standing)
    if not queue.pid:
        yield "no session works on this project on this host: `mlpipeline start`"
    if queue.listed.paused:
        yield f"{queue.list_name} is paused: `mlpipeline resume`"
    if standing.behind and queue.state_of(standing) is State.SKIPPED:
        return
    if standing.reason:
        yield f"it {standing.reason}"
    if standing.model.priority:
        yield f"its priority is {standing.model.priority}"
    queued = [each for each in queue.standings if each.state is State.QUEUED]
    place = queued.index(standing)
    if place:
        yield f"{place} before it in the queue"
    yield from _why_room_is_kept(queue, standing, queued[:place])
    running = queue.ledger.active(queue.policy.host)
    if len(running) >= queue.policy.slots:
        names = ", ".join(str(run.id) for run in running)
        yield f"all slots (parallel = {queue.policy.slots}) are taken: {names}"


def _why_room_is_kept(
    queue: Queue, standing: Standing, before: Sequence[Standing]
) -> Iterator[str]:
    """Which one ``before`` it waits for more room, where it would take of that."""
    big = next((each for each in before if each.lacks and each.version), None)
    if big is None or big.version is None or standing.version is None:
        return
    room = Room.of(queue.host, [run.holds for run in queue.ledger.active(queue.policy.host)])
    holds = room.place(standing.version.asks)
    if holds and room.hinders(holds, big.version.asks):
        name = f"{big.model.name}/{big.version.name}"
        most = plural(queue.policy.passes, "run")
        yield f"{name} waits for {big.lacks}; at most {most} that would take of it are let past"


def _standing(queue: Queue, named: Named) -> Standing | None:
    for standing in queue.standings:
        version = standing.version
        if version and (standing.model.name, version.name) == (named.model, named.version):
            return standing
    return None


def _of_step(queue: Queue, named: Named) -> list[Named]:
    """The listed versions of the step that ``named`` is called as: it is swept since."""
    return [
        Named(model=standing.model.name, version=standing.version.name)
        for standing in queue.standings
        if standing.version
        and (standing.model.name, standing.version.step) == (named.model, named.version)
    ]


def _attempt(run: Run) -> Attempt:
    return Attempt(
        run=str(run.id),
        state=run.verdict.outcome.value if run.verdict else State.RUNNING.value,
        reason=run.verdict.reason if run.verdict else "",
        started=run.started_at,
        seconds=run.seconds,
        host=run.host,
        resumed=run.resume,
    )


def _table(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def _sources(record: Mapping[str, Any]) -> dict[str, str]:
    return {str(path): str(digest) for path, digest in _table(record, "sources_sha256").items()}


def _surroundings(record: Mapping[str, Any]) -> dict[str, Any]:
    """The compared fields, with a name for each value in a table: ``environment.python``."""
    flat: dict[str, Any] = {}
    for key in COMPARED:
        value = record.get(key)
        if isinstance(value, dict):
            flat |= {f"{key}.{name}": item for name, item in value.items()}
        elif value is not None:
            flat[key] = value
    return flat


def _differing(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = dict.fromkeys([*left, *right])
    pairs = {name: (left.get(name), right.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _script_diff(
    project: Project, before: Mapping[str, str], after: Mapping[str, str], left: str, right: str
) -> str:
    """A unified diff of all files that differ, by their digests."""
    kept = Sources(project.layout)
    parts = []
    for path in sorted({*before, *after}):
        if before.get(path) == after.get(path):
            continue
        one, other = (kept.text(path, digests.get(path, "")) for digests in (before, after))
        if one is None or other is None:
            parts.append(f"{path} differs; it was not kept as it was\n")
            continue
        lines = difflib.unified_diff(
            one.splitlines(),
            other.splitlines(),
            f"{path} ({left})",
            f"{path} ({right})",
            lineterm="",
        )
        parts.append("\n".join(lines) + "\n")
    return "".join(parts)
