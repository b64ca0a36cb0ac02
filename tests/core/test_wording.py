"""How records and numbers are worded for people."""

import pytest
from core.events import clock
from hypothesis import example, given
from hypothesis import strategies as st

from mlpipeline.core.listening import Level
from mlpipeline.core.wording import duration, log_line, shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.0004, "1 ms"),
        (0.025, "25 ms"),
        (0.0994, "99 ms"),
        (0.0996, "0.1 s"),
        (0.4, "0.4 s"),
        (59.9, "59.9 s"),
        (60, "1 min 0 s"),
        (185, "3 min 5 s"),
        (3599.6, "1 h 0 min"),
        (7440, "2 h 4 min"),
        (172799, "47 h 59 min"),
        (172800, "2 d 0 h"),
        (270000, "3 d 3 h"),
    ],
)
def test_a_duration_is_told_in_its_two_greatest_units(seconds, text):
    assert duration(seconds) == text


@given(st.floats(0, 1e7))
@example(59.97)
@example(3599.97)
@example(3659.97)
def test_a_duration_never_has_60_of_a_unit(seconds):
    words = duration(seconds).split()

    counts = dict(zip(words[1::2], map(float, words[::2]), strict=True))
    assert all(count < 60 for unit, count in counts.items() if unit in ("s", "min"))


def test_a_log_line_has_the_time_the_level_and_the_message():
    line = log_line(clock(1), Level.WARNING, "careful")

    assert line == "[2024-02-29T00:00:01+00:00]::WARNING - careful"


def test_further_lines_of_a_log_message_are_indented_below_it():
    line = log_line(clock(0), Level.ERROR, "failed\nwhy\n  deeper")

    assert line.splitlines()[1:] == ["    why", "      deeper"]


def test_an_empty_message_is_still_a_line():
    assert log_line(clock(0), Level.INFO, "").endswith("::INFO - ")


@given(st.text())
def test_every_line_of_a_log_message_begins_with_a_time_or_a_blank(text):
    lines = log_line(clock(0), Level.INFO, text).splitlines()

    assert [line[0] for line in lines] == ["["] + [" "] * (len(lines) - 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"accuracy": 0.94, "loss": 0.21}, "accuracy 0.94, loss 0.21"),
        ({}, ""),
        (0.123456789, "0.12346"),
        (1e-05, "1e-05"),
        (3, "3"),
        (True, "True"),
        (None, "None"),
        ("text", "text"),
        ([1, 0.5, "a"], "[1, 0.5, a]"),
        ({"confusion": [[9, 1], [0, 8]]}, "confusion [[9, 1], [0, 8]]"),
    ],
)
def test_plain_data_is_shown_in_one_readable_line(value, text):
    assert shown(value) == text


@pytest.mark.parametrize("value", ["one\ntwo", {"note": "one\r\ntwo"}, ["one\ntwo"]])
def test_a_text_of_several_lines_is_shown_in_one(value):
    assert len(shown(value).splitlines()) == 1
