"""What a live screen draws of a run that prints more than anybody reads."""

import pytest

from mlpipeline.cli.live import LONGEST, MOST_LINES, LiveScreen


@pytest.fixture
def drawn(capsys):
    """What is drawn of lines."""

    def draw(*lines):
        LiveScreen(test=False, show_output=True).printed(None, list(lines))
        return capsys.readouterr().out.splitlines()

    return draw


def test_of_a_flood_only_the_end_is_drawn_and_the_rest_is_counted(drawn):
    lines = [f"line {number}" for number in range(MOST_LINES + 1234)]

    assert drawn(*lines) == ["[1,234 lines left out here: see console.log]", *lines[1234:]]


def test_as_many_lines_as_somebody_may_read_are_all_drawn(drawn):
    lines = [f"line {number}" for number in range(MOST_LINES)]

    assert drawn(*lines) == lines


def test_a_line_that_is_as_long_as_a_book_is_cut_with_a_mark(drawn):
    (line,) = drawn("x" * (LONGEST + 2_000_000))

    assert line == "x" * LONGEST + " [2,000,000 characters left out here]"


def test_a_bar_that_was_drawn_over_itself_again_and_again_is_drawn_as_it_was_last(drawn):
    bar = "\r".join(f"{number} %" for number in range(LONGEST))

    assert drawn(bar) == [f"{LONGEST - 1} %"]
