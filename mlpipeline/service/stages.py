"""What a version comes after, and what became of that, for one who asks why it does not run."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from mlpipeline.core.standings import NOT_LISTED, Standing, State, became
from mlpipeline.service.queue import Queue


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """A version that another one comes after."""

    run: str  # its newest attempt, MODEL/VERSION#ATTEMPT; without # where there is none
    state: str  # as in status; "not listed" where that is why
    reason: str = ""


def why_behind(queue: Queue, standing: Standing) -> Iterator[str]:
    """Why it is skipped, for what became of one before it; and what to do."""
    root = standing.behind.root if standing.behind else None
    if root is None or root.version is None:
        return
    name = f"{root.model.name}/{root.version.name}"
    match queue.state_of(root):
        case State.FAILED:
            told = str(root.last.verdict) if root.last else "failed"
        case State.HELD:
            told = f"is held: {root.reason}"
        case _:
            told = became(root)
    yield f"it comes after {name}, which {told}"
    if root.reason == NOT_LISTED:
        what = f"{root.model.name} '{root.version.name}'"
        yield f"that has to be listed, too: `mlpipeline add {what}`"
    elif queue.pid or root.state is not State.QUEUED:
        yield f"it runs when that has succeeded: `mlpipeline retry '{name}'` tries again"
    else:
        yield "it runs when that has succeeded, which the next session tries again"


def before(queue: Queue, standing: Standing) -> tuple[Before, ...]:
    """Where those stand that it comes after."""
    model, version = standing.model, standing.version
    if version is None or not version.after:
        return ()
    there = {s.version.name: s for s in queue.standings if s.model is model and s.version}
    found = []
    for name in version.after:
        runs, stands = queue.ledger.attempts(model.name, name), there.get(name)
        done = next((run for run in reversed(runs) if run.succeeded), None)
        last = stands.success or stands.last if stands else done or (runs[-1] if runs else None)
        state = queue.state_of(stands).value if stands else "not listed"
        found.append(
            Before(
                run=str(last.id) if last else f"{model.name}/{name}",
                state=state,
                reason=queue.reason_of(stands)
                if stands
                else str(last.verdict or "")
                if last
                else "",
            )
        )
    return tuple(found)
