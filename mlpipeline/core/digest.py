"""What happened in a stretch of time, in the few lines that a person wants to read of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from mlpipeline.core.bests import new_bests
from mlpipeline.core.runs import Outcome, Run
from mlpipeline.core.standings import Standing, State
from mlpipeline.core.wording import moment, shown

SHOWN = 5  # of each kind of thing, in the text


class FailedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that went wrong."""

    run: str
    outcome: str
    reason: str
    last_line: str = ""  # that it printed


class NewBest(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was better than all of its model before it."""

    run: str
    metric: str
    value: float
    previous: float


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """What `mlpipeline digest --json` prints."""

    since: datetime
    until: datetime
    outcomes: dict[str, int]  # of the runs that ended, how many had which
    failed: tuple[FailedRun, ...]
    bests: tuple[NewBest, ...]  # the newest of each model and metric
    hours: float  # that runs took within the time, added up
    running: tuple[str, ...]
    next: tuple[str, ...]  # all that is queued, in its order
    held: tuple[str, ...]  # versions whose rehearsal failed
    skipped: tuple[str, ...] = ()  # versions that come after something that failed, say

    def __bool__(self) -> bool:
        """Whether anything ended."""
        return bool(self.outcomes)


def digest(
    runs: Iterable[Run],
    standings: Sequence[Standing],
    *,
    since: datetime,
    now: datetime,
    metric: str | None = None,
) -> Digest:
    """What became of ``runs`` (all there are) from ``since`` until ``now``: of those whose end was
    recorded in that time, so that what ends unwatched is told, too.

    ``metric``: what bests are judged by; without it, the first number in the test results.
    """
    runs = list(runs)
    news = [run for run in runs if run.recorded_at and since <= run.recorded_at <= now]
    ended = sorted(news, key=lambda run: run.ended_at or now)
    return Digest(
        since=since,
        until=now,
        outcomes=dict(Counter(run.verdict.outcome.value for run in ended if run.verdict)),
        failed=tuple(_failed(run) for run in ended if run.verdict and _is_bad(run)),
        bests=tuple(_bests(runs, since, metric)),
        hours=_hours(runs, since, now),
        running=_names(standings, State.RUNNING),
        next=_names(standings, State.QUEUED),
        held=_names(standings, State.HELD),
        skipped=_names([each for each in standings if each.behind], State.SKIPPED),
    )


def told(digest: Digest, *, ahead: bool = True) -> list[str]:
    """The digest in lines for people; ``ahead``: also what is to come."""
    now = digest.until
    counts = ", ".join(f"{count} {outcome}" for outcome, count in digest.outcomes.items())
    hours = f" in {digest.hours:.1f} h of runs" if digest.hours >= 0.1 else ""
    lines = [f"since {moment(digest.since, now)}: {counts or 'nothing ended'}{hours}"]
    lines += _some(
        [f"  ✗ {each.run} {_why(each)}" for each in digest.failed], "failures: mlpipeline status"
    )
    lines += _some(
        [
            f"  ★ {each.run} {each.metric} {shown(each.value)} (was {shown(each.previous)})"
            for each in digest.bests
        ],
        "new bests: mlpipeline results",
    )
    if not ahead:
        return lines
    if digest.held:
        lines.append(f"  held: {_first(digest.held)}")
    if digest.skipped:
        lines.append(f"  skipped: {_first(digest.skipped)}")
    if digest.running:
        lines.append(f"  running: {_first(digest.running)}")
    lines.append(f"  next: {_first(digest.next)}" if digest.next else "  nothing is queued")
    return lines


def _failed(run: Run) -> FailedRun:
    assert run.verdict is not None
    return FailedRun(run=str(run.id), outcome=run.verdict.outcome.value, reason=run.verdict.reason)


def _is_bad(run: Run) -> bool:
    return run.verdict is not None and run.verdict.outcome.is_failure


def _bests(runs: Sequence[Run], since: datetime, metric: str | None) -> list[NewBest]:
    """The last one of each model counts: what came before it is beaten."""
    found: dict[tuple[str, str], NewBest] = {}
    for best in new_bests(runs, metric):
        if best.run.recorded_at and best.run.recorded_at >= since:
            found[best.run.id.model, best.metric] = NewBest(
                run=str(best.run.id),
                metric=best.metric,
                value=best.value,
                previous=best.previous_value,
            )
    return list(found.values())


def _hours(runs: Iterable[Run], since: datetime, now: datetime) -> float:
    total = timedelta()
    for run in runs:
        if run.ended_at and run.ended_at <= since:
            continue
        if run.verdict and run.verdict.outcome is Outcome.LOST:
            continue  # nobody knows how long it ran
        begin, end = max(run.started_at, since), min(run.ended_at or now, now)
        total += max(timedelta(), end - begin)
    return total.total_seconds() / 3600


def _names(standings: Sequence[Standing], state: State) -> tuple[str, ...]:
    return tuple(
        f"{standing.model.name}/{standing.version.name}"
        for standing in standings
        if standing.state is state and standing.version
    )


def _why(failed: FailedRun) -> str:
    why = f"{failed.outcome}: {failed.reason}" if failed.reason else failed.outcome
    is_news = failed.last_line and failed.last_line not in failed.reason
    return f"{why} · {failed.last_line}" if is_news else why


def _some(lines: list[str], rest: str) -> list[str]:
    more = len(lines) - SHOWN
    return lines if more <= 1 else [*lines[:SHOWN], f"  {more} more {rest}"]


def _first(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    text = ", ".join(names[:SHOWN])
    return f"{text} and {more} more" if more > 0 else text
