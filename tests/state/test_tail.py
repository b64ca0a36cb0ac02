"""Tails: reading a file while another process writes it."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpipeline.state.tail import LARGEST_CHUNK, LineTail, Tail, last_lines


@pytest.fixture
def path(tmp_path):
    return tmp_path / "console.log"


def append(path, content):
    with path.open("ab") as file:
        file.write(content)


def rest_of(tail):
    return [line for batch in tail.rest() for line in batch]


# --- Tail


def test_a_tail_hands_out_what_was_appended_since_the_last_call(path):
    tail = Tail(path)

    append(path, b"one")
    first = tail.read()
    append(path, b"two")
    second = tail.read()

    assert (first, second, tail.read()) == (b"one", b"two", b"")


def test_a_file_that_is_not_there_yet_is_empty(path):
    tail = Tail(path)

    before = tail.read()
    append(path, b"one")

    assert (before, tail.read()) == (b"", b"one")


def test_a_tail_from_the_end_leaves_out_what_is_there_already(path):
    append(path, b"old")
    tail = Tail(path, from_end=True)

    append(path, b"new")

    assert tail.read() == b"new"


def test_a_tail_from_the_end_of_a_file_that_is_not_there_begins_at_its_start(path):
    tail = Tail(path, from_end=True)

    append(path, b"new")

    assert tail.read() == b"new"


def test_a_tail_hands_out_no_more_than_its_limit_at_once(path):
    tail = Tail(path)
    append(path, b"abcde")

    assert [tail.read(2), tail.read(2), tail.read(2)] == [b"ab", b"cd", b"e"]


# --- LineTail


def test_lines_are_handed_out_without_their_ends_when_they_are_complete(path):
    tail = LineTail(path)

    append(path, b"one\r\ntwo\nthr")
    first = tail.read()
    append(path, b"ee\n\n")

    assert (first, tail.read()) == (["one", "two"], ["three", ""])


def test_a_character_that_is_cut_between_two_reads_is_whole(path):
    tail = LineTail(path)
    content = "größe\n".encode()

    append(path, content[:3])
    first = tail.read()
    append(path, content[3:])

    assert (first, tail.read()) == ([], ["größe"])


def test_bytes_that_are_no_utf_8_are_replaced(path):
    append(path, b"caf\xe9\n")

    assert LineTail(path).read() == ["caf\ufffd"]


def test_the_rest_is_the_last_line_even_without_an_end(path):
    append(path, b"one\ntwo")
    tail = LineTail(path)

    assert rest_of(tail) == ["one", "two"]
    assert rest_of(tail) == []


def test_the_rest_after_a_complete_line_is_nothing(path):
    append(path, b"one\n")
    tail = LineTail(path)
    tail.read()

    assert rest_of(tail) == []


def test_the_rest_is_all_of_a_flood(path):
    append(path, b"x" * 99 + b"\n")
    append(path, (b"y" * 999 + b"\n") * (3 * LARGEST_CHUNK // 1000))
    tail = LineTail(path)

    lines = rest_of(tail)

    assert len(lines) == 1 + 3 * LARGEST_CHUNK // 1000


def test_the_rest_is_handed_out_in_batches_so_that_a_flood_needs_little_memory(path):
    append(path, (b"y" * 999 + b"\n") * (3 * LARGEST_CHUNK // 1000))

    batches = [sum(map(len, batch)) for batch in LineTail(path).rest()]

    assert max(batches) <= LARGEST_CHUNK


def test_what_is_too_long_for_a_line_is_cut_and_nothing_is_lost(path):
    append(path, b"x" * (3 * LARGEST_CHUNK) + b"\nend")
    tail = LineTail(path)

    lines = tail.read() + rest_of(tail)

    assert "".join(lines) == "x" * (3 * LARGEST_CHUNK) + "end"
    assert max(map(len, lines)) <= 2 * LARGEST_CHUNK


def test_what_is_passed_over_is_counted(path):
    append(path, b"one\nhal")
    tail = LineTail(path)
    tail.read()
    append(path, b"f\n" + b"two\n" + b"three\n")

    assert tail.skip(6) == len(b"f\ntwo\n")
    assert rest_of(tail) == ["three"]


def test_nothing_is_passed_over_where_little_is_left_or_no_file(path):
    tail = LineTail(path)

    assert tail.skip(6) == 0
    append(path, b"one\n")
    assert tail.skip(6) == 0
    assert rest_of(tail) == ["one"]


@settings(deadline=None)  # it waits for the disk
@given(st.lists(st.binary(max_size=20) | st.just(b"\n") | st.text(max_size=5).map(str.encode)))
def test_every_line_is_handed_out_once_however_it_was_written(chunks):
    lines = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "console.log"
        tail = LineTail(path)
        for chunk in chunks:
            append(path, chunk)
            lines += tail.read()
        lines += rest_of(tail)

    expected = b"".join(chunks).split(b"\n")
    if expected[-1] == b"":
        del expected[-1]
    assert lines == [line.decode("utf-8", "replace").removesuffix("\r") for line in expected]


# --- last_lines


def test_the_last_lines_are_the_last_that_say_something(path):
    append(path, b"one\n\ntwo\n  \nthree\n\n")

    assert last_lines(path, 2) == ["two", "three"]
    assert last_lines(path, 9) == ["one", "two", "three"]
    assert last_lines(path, 0) == []


def test_the_last_lines_of_a_log_that_is_not_there_are_none(path):
    assert last_lines(path, 20) == []


@pytest.mark.parametrize(
    "said, shown",
    [
        ("\033[31mred\033[0m", "red"),
        ("\033[2J\033[1;1Hgone", "gone"),
        ("\033]0;title\adone", "done"),
        ("\033]8;;http://x\033\\link\033]8;;\033\\", "link"),
        ("\033Pq#0;2\033\\picture", "picture"),
        ("\033(Bletters\0337\033c\033=", "letters"),
        ("bell\a\b\0\x7f", "bell"),
        ("\x9b31meight bits\x9d0;t\x9c", "eight bits"),
        ("cut\033[", "cut"),
        ("a\tb", "a\tb"),
        ("größe …", "größe …"),
        ("0%\r\033[A50%\r\033[2K100%\r", "100%"),
    ],
    ids=repr,
)
def test_of_a_last_line_nothing_is_left_that_a_terminal_obeys(path, said, shown):
    append(path, f"{said}\n".encode())

    assert last_lines(path, 1) == [shown]


def test_a_bar_that_fills_megabytes_is_shown_as_it_was_drawn_last(path):
    append(path, b"first\n")
    append(path, b"".join(b"\r%d%%" % (step % 100) for step in range(LARGEST_CHUNK)))

    assert last_lines(path, 3) == [f"{(LARGEST_CHUNK - 1) % 100}%"]
