"""Reading logs whose middle was given back to the file system."""

import os

import pytest

from mlpipeline.core.left_out import left_out
from mlpipeline.state.holes import Log, data_parts
from mlpipeline.state.tail import LineTail, Tail, last_lines

BLOCK = 1 << 16  # bytes: as large as any file system's blocks
HEAD = b"".join(b"head %d\n" % number for number in range(1000)).ljust(BLOCK, b"h")
TAIL = b"cut\n" + b"".join(b"tail %d\n" % number for number in range(1000)) + b"the end\n"
HOLE = 5 * BLOCK
LINE = left_out(HOLE)


@pytest.fixture
def path(tmp_path):
    """A log with a hole, as long as the file system has such."""
    path = tmp_path / "console.log"
    write_with_hole(path, HEAD, TAIL)
    return path


def write_with_hole(path, head, tail, hole=HOLE):
    with path.open("wb") as file:
        file.write(head)
        file.seek(hole, os.SEEK_CUR)
        file.write(tail)
    with path.open("rb") as file:
        if len(data_parts(file.fileno(), path.stat().st_size)) == 1:
            pytest.skip("no holes on this file system")


def everything(log):
    with log:
        return log.read()


def test_a_hole_is_a_line_that_says_how_much_was_there(path):
    assert everything(Log(path)) == HEAD + b"\n" + LINE.encode() + b"\n" + TAIL


def test_a_head_that_ends_with_its_line_gets_no_further_end(path):
    head = HEAD[:-1] + b"\n"
    write_with_hole(path, head, TAIL)

    assert everything(Log(path)) == head + LINE.encode() + b"\n" + TAIL


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_it_does_not_matter_how_much_is_read_at_once(path, size):
    chunks = []
    with Log(path) as log:
        while chunk := log.read(size):
            chunks.append(chunk)

    assert b"".join(chunks) == HEAD + b"\n" + LINE.encode() + b"\n" + TAIL


def test_zeros_beside_a_hole_belong_to_it(path):
    """What file systems leave that give back larger blocks than was asked for."""
    write_with_hole(path, HEAD[:-500] + bytes(500), bytes(700) + TAIL)

    text = everything(Log(path)).decode()

    assert "\0" not in text
    assert left_out(500 + HOLE + 700) in text


def test_zeros_that_a_script_printed_are_its_own(path):
    write_with_hole(path, b"a\0\0\0b".ljust(BLOCK), b"c\0d\n")

    content = everything(Log(path))

    assert content.startswith(b"a\0\0\0b ")
    assert content.endswith(b"\nc\0d\n")


def test_a_hole_of_many_terabytes_is_read_in_no_time(path):
    write_with_hole(path, HEAD, TAIL, hole=1 << 42)

    with Log(path) as log:
        chunks = iter(lambda: log.read(1 << 20), b"")
        assert sum(map(len, chunks)) < len(HEAD) + len(TAIL) + 100
    with Log(path) as log:
        log.start_at_last(1500)
        assert left_out(1 << 42) in log.read().decode()
    assert last_lines(path, 1500)[-1] == "the end"


@pytest.mark.parametrize(
    ("lines", "first"),
    [
        (1, "the end"),
        (2, "tail 999"),
        (1002, "cut"),
        (1003, LINE),
        (1005, "head 999"),
        (9999, "head 0"),
    ],
)
def test_the_last_lines_of_it_count_the_hole_as_one(path, lines, first):
    with Log(path) as log:
        log.start_at_last(lines)
        shown = log.read().decode().splitlines()

    assert shown[0] == first
    assert len(shown) == min(lines, 2004)
    assert shown[-1] == "the end"


def test_the_last_words_of_it_tell_of_the_hole_too(path):
    shown = last_lines(path, 1004)

    assert shown[0].endswith("hhh")
    assert shown[1] == LINE
    assert shown[2:4] == ["cut", "tail 0"]


def test_a_follower_is_told_of_a_hole_once(path):
    tail = LineTail(path)

    lines = [line for batch in tail.rest() for line in batch]

    assert lines.count(LINE) == 1
    assert lines[-1] == "the end"
    assert len(lines) == 1000 + 1 + 1 + 1002


def test_a_follower_that_was_in_what_is_left_out_now_is_told_how_much_that_was(path):
    path.write_bytes(HEAD + bytes(HOLE))
    tail = Tail(path)
    for _ in range(2):
        tail.read(BLOCK)
    write_with_hole(path, HEAD, TAIL)

    assert tail.read().decode().strip() == left_out(HOLE - BLOCK)
    assert tail.read() == TAIL


def test_a_follower_reads_a_log_to_its_end_that_was_replaced_by_a_shorter_one(path):
    tail = Tail(path)
    while tail.read():
        pass
    with path.open("ab") as file:
        file.write(b"last words\n")
    short = path.with_name("short")
    short.write_bytes(b"head\n")
    short.replace(path)

    assert tail.read() == b"last words\n"


def test_what_is_read_at_one_look_is_bounded_whatever_was_printed(path):
    path.write_bytes(b"x" * (20 << 20))  # one line without an end
    tail = LineTail(path)

    looks = [tail.read() for _ in range(25)]

    assert max(sum(map(len, lines)) for lines in looks) <= 2 << 20
    assert sum(len(line) for lines in looks for line in lines) >= 18 << 20
