"""What fits the columns of a terminal."""

import pytest

from mlpipeline.cli.room import parted, shares, wrapped
from mlpipeline.core.wording import cut, shortened, width


@pytest.mark.parametrize(
    "text, columns", [("run", 3), ("été", 3), ("日本", 4), ("e\N{COMBINING ACUTE ACCENT}", 1)]
)
def test_the_columns_that_a_terminal_takes(text, columns):
    assert width(text) == columns


def test_a_text_that_is_cut_lacks_its_end():
    assert cut("in time", 7) == "in time"
    assert cut("too long", 5) == "too …"
    assert cut("日本語", 4) == "日…"  # half a character can't be shown


def test_a_text_that_is_shortened_lacks_its_middle():
    assert shortened("digits/lr=0.1#1", 9) == "digi….1#1"
    assert shortened("日本語日本語", 7) == "日…語"


def test_columns_that_fit_are_as_wide_as_they_need_to_be():
    assert shares({"run": 10, "state": 6, "detail": 30}, 80, "run") == {
        "run": 10,
        "state": 6,
        "detail": 30,
    }


@pytest.mark.parametrize("total", [60, 80, 200])
def test_a_table_that_is_too_wide_fits_and_keeps_its_names(total):
    found = shares({"run": 150, "state": 6, "took": 6, "detail": 160}, total, "run")

    assert sum(found.values()) + 3 * 2 == total
    assert found["run"] >= 22
    assert found["detail"] >= 20


def test_where_there_is_no_room_for_words_they_are_left_out():
    found = shares({"run": 150, "state": 6, "took": 6, "detail": 160}, 40, "run")

    assert found == {"run": 24, "state": 6, "took": 6}


def test_a_table_without_names_shares_what_there_is():
    assert shares({"": 10, "left": 90, "right": 30}, 80, "run") == {
        "": 10,
        "left": 36,
        "right": 30,
    }


def test_lines_are_broken_between_words_and_go_on_further_in():
    assert wrapped("  it runs on another host", 15, 4) == [
        "  it runs on",
        "    another",
        "    host",
    ]


def test_a_word_that_is_too_long_stays_whole():
    assert wrapped("see /a/very/long/path", 8, 2) == ["see", "  /a/very/long/path"]


def test_a_closing_line_is_broken_between_its_parts_and_then_after_commas():
    text = "1 running, 2 queued · empty about 14:00 · pid 7 works"

    assert parted(text, 80) == [text]
    assert parted(text, 40) == ["1 running, 2 queued · empty about 14:00", "pid 7 works"]
    assert parted(text, 17) == ["1 running,", "2 queued", "empty about 14:00", "pid 7 works"]


def test_a_command_in_backquotes_is_never_broken():
    command = "`mlpipeline -C there logs 'demo/steps=a b#1'`,"

    assert wrapped(f"what it printed: {command} for 2 ` is odd", 20) == [
        "what it printed:",
        command,
        "for 2 ` is odd",
    ]
