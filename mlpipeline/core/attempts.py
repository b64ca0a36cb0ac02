"""What the past of a version means for its next attempt: what counts, and whether it goes on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.orders import Order, Ordered, Rehearsed
from mlpipeline.core.runs import Outcome, Run


def counted(attempts: Sequence[Run], order: Ordered | None) -> list[Run]:
    """The attempts that count, where a person has ordered a retry after some of them."""
    after = order.after if order and order.order is Order.RETRY else 0
    return [run for run in attempts if run.id.attempt > after]


def rehearsal(
    model: ListedModel, version: ListedVersion, ledger: Ledger, order: Ordered | None
) -> Rehearsed | None:
    """The rehearsal of exactly this version and script; a later order asks for another one."""
    this = model.name, version.name, version.signature
    known = ledger.rehearsal(*this, model.digest_of(version))
    if known is None and model.others:  # as it was recorded before
        known = ledger.rehearsal(*this, model.digest)
    is_overruled = known and order and order.number > known.orders
    return None if known and known.problem and is_overruled else known


def may_retry(failures: Sequence[Run], retries: int, retry_on: Collection[Outcome]) -> bool:
    """Whether one more try of this session may follow ``failures``."""
    verdict = failures[-1].verdict
    return len(failures) <= retries and verdict is not None and (verdict.outcome in retry_on)


def next_try(failures: Sequence[Run], first_delay: timedelta) -> datetime:
    """When the try after ``failures`` may start: the delay is doubled with each of them."""
    last = failures[-1]
    delay: timedelta = first_delay * 2 ** (len(failures) - 1)
    return (last.ended_at or last.started_at) + delay


def can_go_on(last: Run, version: ListedVersion, ledger: Ledger) -> bool:
    """Whether what ``last`` left in the model_dir is still there, and is this very version's."""
    user = ledger.last_in(version.model_dir)
    own = user is None or (user.id.model, user.id.version) == (last.id.model, last.id.version)
    same = (last.signature, last.model_dir) == (version.signature, version.model_dir)
    return last.resumable and same and own


def why_again(last: Run | None, version: ListedVersion, overruled: bool) -> str:
    """Why it is started once more; empty for what is new."""
    if last is None:
        return ""
    if overruled:
        return f"is retried: was {last.verdict}"
    if last.signature != version.signature:
        return "has other parameters now"
    return "runs again" if last.succeeded else f"was {last.verdict}"
