"""Moments as people say them."""

from datetime import UTC, datetime

import pytest

from mlpipeline.core.since import moment_of

NOW = datetime(2026, 11, 25, 15, 30, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("today", datetime(2026, 11, 25, tzinfo=UTC)),
        ("Yesterday", datetime(2026, 11, 24, tzinfo=UTC)),
        ("friday", datetime(2026, 11, 20, tzinfo=UTC)),
        ("wed", datetime(2026, 11, 18, tzinfo=UTC)),
        ("8h", datetime(2026, 11, 25, 7, 30, tzinfo=UTC)),
        ("90 min", datetime(2026, 11, 25, 14, 0, tzinfo=UTC)),
        ("1.5d", datetime(2026, 11, 24, 3, 30, tzinfo=UTC)),
        ("2w", datetime(2026, 11, 11, 15, 30, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T18:00", datetime(2026, 11, 20, 18, tzinfo=UTC)),
        ("2026-11-20 18:00+02:00", datetime(2026, 11, 20, 16, tzinfo=UTC)),
    ],
)
def test_a_moment_is_understood(text, moment):
    assert moment_of(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "soon", "8", "8y", "2026-13-01", "t", "-3h"])
def test_what_is_no_moment_is_answered_with_the_forms(text):
    with pytest.raises(ValueError, match="yesterday"):
        moment_of(text, NOW)


@pytest.mark.parametrize("text", ["9999999d", "1e9w", "99999999999999999999h"])
def test_what_is_before_all_time_is_no_moment(text):
    with pytest.raises(ValueError, match="yesterday"):
        moment_of(text, NOW)


def test_the_first_day_of_the_calendar_is_a_moment():
    assert moment_of("0001-01-01", NOW).year <= 1


def test_what_is_to_come_is_no_past():
    with pytest.raises(ValueError, match="yet to come"):
        moment_of("2026-12-01", NOW)
