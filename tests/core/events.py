"""Builders of run events: every field has a value, and a test names what it cares for."""

from datetime import UTC, datetime, timedelta

from mlpipeline.core.orders import Ordered, Rehearsed
from mlpipeline.core.runs import Adopted, Finished, Outcome, RunId, Starting, Stopping

MIDNIGHT = datetime(2024, 2, 29, tzinfo=UTC)


def clock(seconds):
    """The moment ``seconds`` after midnight."""
    return MIDNIGHT + timedelta(seconds=seconds)


def starting(version="v", attempt=1, *, model="m", seconds=0, **fields):
    fields = {
        "session": "today",
        "signature": "s1",
        "script": "d1",
        "model_dir": f"{model}-{version}",
        **fields,
    }
    return Starting(at=clock(seconds), run=RunId(model, version, attempt), **fields)


def adopted(version="v", attempt=1, *, model="m", seconds=1, session="tomorrow"):
    return Adopted(at=clock(seconds), run=RunId(model, version, attempt), session=session)


def stopping(version="v", attempt=1, *, model="m", seconds=2):
    return Stopping(at=clock(seconds), run=RunId(model, version, attempt))


def finished(version="v", attempt=1, *, model="m", seconds=3, outcome=Outcome.SUCCEEDED, **fields):
    at = clock(seconds)
    run = RunId(model, version, attempt)
    known = {"at": at, "run": run, "outcome": outcome, "ended_at": at, "prepared": True}
    return Finished(**{**known, **fields})


def ordered(order, version="v", *, model="m", seconds=4, number=1, after=1, why=""):
    return Ordered(
        at=clock(seconds),
        model=model,
        version=version,
        order=order,
        number=number,
        after=after,
        why=why,
    )


def rehearsed(version="v", *, model="m", seconds=4, orders=0, problem="", **fields):
    fields = {"signature": "s1", "script": "d1", **fields}
    return Rehearsed(
        at=clock(seconds), model=model, version=version, orders=orders, problem=problem, **fields
    )
