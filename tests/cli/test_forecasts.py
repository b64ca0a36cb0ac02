"""How a forecast is worded, where nothing tells how long some versions take."""

from datetime import UTC, datetime, timedelta

import pytest

from mlpipeline.cli.plan import _closing
from mlpipeline.cli.status import closing
from mlpipeline.service.plan import Plan, PlannedStart
from mlpipeline.service.views import Status

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
SOON = NOW + timedelta(minutes=20)


def status(unknown, *, session, **counts):
    found = Status(
        at=NOW,
        session=session,
        pid=7 if session else None,
        watching=False,
        paused=False,
        counts=counts,
        unlisted=0,
        empty_at=SOON,
        unknown=unknown,
        rows=(),
        warnings=(),
        problems=(),
    )
    return closing(found)


def plan(starts, unknown, **more):
    found = Plan(
        list="models.config",
        session=True,
        pid=7,
        paused=False,
        slots=1,
        running=(),
        starts=(PlannedStart(run="m/v#1", reason=""),) if starts else (),
        more=max(0, starts - 1),
        empty_at=SOON if starts else None,
        unknown=unknown,
        **more,
    )
    return " · ".join(_closing(found, NOW))


@pytest.mark.parametrize(
    "unknown, told",
    [
        (0, "needs about 20 min 0 s"),
        (1, "needs at least 20 min 0 s: nothing tells how long 1 version will take"),
        (11_000, "nothing tells how long 11,000 of them will take"),
    ],
)
def test_status_says_what_is_known_of_eleven_thousand_versions(unknown, told):
    said = status(unknown, session=False, queued=11_001, done=2)

    assert said == f"11,001 queued, 2 done · {told} · no session works on it: `mlpipeline start`"


@pytest.mark.parametrize(
    "unknown, told",
    [
        (0, "empty about 14:20"),
        (3, "empty at 14:20 at the earliest: nothing tells how long 3 versions will take"),
        (10_999, "nothing tells how long 10,999 of them will take"),
        (11_000, "nothing tells how long all of them will take"),
    ],
)
def test_so_does_a_plan(unknown, told):
    assert plan(11_000, unknown) == f"11,000 to start, 10,999 of them not shown · {told}"


def test_where_nothing_starts_it_is_told_what_is_being_inspected():
    assert plan(0, 0) == "nothing to start"
    assert plan(0, 0, inspecting=("a.py", "b.py")) == "a.py and b.py being inspected"
    assert plan(1, 0, inspecting=("a.py",)).startswith("1 to start · a.py being inspected")


def test_beside_a_session_it_is_a_time_of_day():
    assert "empty at 14:20 at the earliest: nothing" in status(1, session=True, queued=5, running=1)
