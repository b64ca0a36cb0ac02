"""A log that is kept small while somebody writes it, and made whole at its end."""

import errno
import os
import subprocess
import sys

import pytest

from mlpipeline.core.left_out import left_out
from mlpipeline.execution import console_cap
from mlpipeline.execution.console_cap import ALIGNMENT, LINE, ConsoleCap
from mlpipeline.state.holes import Log

LIMIT = 64 * ALIGNMENT


class Clock:
    """Goes on when a test says so."""

    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(console_cap.time, "monotonic", clock.monotonic)
    return clock


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "console.log"
    path.touch()
    return path


@pytest.fixture
def capped(log, clock):
    cap = ConsoleCap(str(log.parent), spec(LIMIT))

    def print_and_look(content):
        with log.open("ab") as file:
            file.write(content)
        clock.now = cap.due
        cap.look()

    return cap, print_and_look


def spec(limit):
    return {"model": "m", "version": "v", "attempt": 1, "console_limit": limit}


def lines(begin, end):
    return b"".join(b"line %d\n" % number for number in range(begin, end))


def on_disk(path):
    return path.stat().st_blocks * 512


def shown(path):
    with Log(path) as log:
        return log.read()


def needs_punching(path):
    path.write_bytes(bytes(2 * ALIGNMENT))
    try:
        console_cap._punch(str(path), 0, ALIGNMENT)
    except (OSError, AttributeError):
        pytest.skip("no holes are punched here")
    path.write_bytes(b"")


def test_what_is_printed_without_end_takes_no_more_room_than_the_limit(log, capped):
    needs_punching(log)
    _cap, print_and_look = capped

    sizes = []
    for number in range(200):
        print_and_look(lines(number * 5000, number * 5000 + 5000))
        sizes.append(on_disk(log))

    assert log.stat().st_size > 30 * LIMIT
    assert max(sizes) <= LIMIT + 4 * ALIGNMENT
    kept = shown(log)
    assert kept.startswith(lines(0, 1000))
    assert kept.endswith(lines(990_000, 1_000_000))
    assert b" bytes left out here: console_limit]\n" in kept


def test_at_the_end_the_log_is_its_head_one_line_and_its_tail(log, capped):
    cap, print_and_look = capped
    content = lines(0, 300_000)
    for begin in range(0, len(content), 400_000):
        print_and_look(content[begin : begin + 400_000])

    cap.settle()

    kept = log.read_bytes()
    assert LIMIT - 30 <= len(kept) <= LIMIT + LINE
    assert b"\0" not in kept
    head, bracket, rest = kept.partition(b"[")
    line, _, tail = rest.partition(b"\n")
    assert content.startswith(head)
    assert content.endswith(tail)
    assert head.endswith(b"\n")
    assert tail.startswith(b"line ")
    assert (bracket + line).decode() == left_out(len(content) - len(head) - len(tail))


def test_a_log_that_was_made_whole_stays_as_it_is(log):
    log.write_bytes(lines(0, 200_000))
    ConsoleCap(str(log.parent), spec(LIMIT)).settle()
    before = log.read_bytes()

    ConsoleCap(str(log.parent), spec(LIMIT)).settle()

    assert log.read_bytes() == before


@pytest.mark.parametrize("limit", [1, 10, 1000])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_limit_may_be_smaller_than_a_line(log, limit, end):
    content = b"x" * 3000 + b"y" * 3000 + end
    log.write_bytes(content)

    ConsoleCap(str(log.parent), spec(limit)).settle()

    kept = log.read_bytes()
    head, tail = limit // 2, limit - limit // 2
    line = f"{chr(10) if head else ''}{left_out(len(content) - limit)}\n".encode()
    assert kept == content[:head] + line + content[-tail:]


@pytest.mark.parametrize("limit", [None, LIMIT])
def test_what_stays_below_the_limit_is_left_alone(log, clock, limit):
    log.write_bytes(lines(0, 1000))
    stat = log.stat()
    cap = ConsoleCap(str(log.parent), spec(limit))

    clock.now += 10
    cap.look()
    cap.settle()

    after = log.stat()
    assert (after.st_ino, after.st_mtime_ns) == (stat.st_ino, stat.st_mtime_ns)


def test_without_a_limit_nobody_need_look(log):
    assert ConsoleCap(str(log.parent), spec(None)).due is None


def test_the_looks_come_as_quickly_as_what_is_printed(clock, capped):
    cap, print_and_look = capped
    print_and_look(b"x" * (32 << 20))
    in_flood = cap.due - clock.now
    for _ in range(9):
        print_and_look(b"")

    assert in_flood < console_cap.OFTEN / 3
    assert cap.due - clock.now == pytest.approx(console_cap.OFTEN)


def test_far_from_the_limit_there_are_few_looks(log, clock):
    cap = ConsoleCap(str(log.parent), spec(10**9))

    assert cap.due - clock.now == pytest.approx(console_cap.SELDOM)


def test_a_look_at_what_does_not_grow_is_no_sign_of_life(log, capped):
    _cap, print_and_look = capped
    print_and_look(lines(0, 200_000))
    before = log.stat().st_mtime_ns

    for _ in range(3):
        print_and_look(b"")

    assert log.stat().st_mtime_ns == before


def test_a_log_that_somebody_empties_is_capped_anew(log, capped):
    needs_punching(log)
    _cap, print_and_look = capped
    print_and_look(lines(0, 200_000))
    os.truncate(log, 0)
    print_and_look(b"")

    print_and_look(lines(0, 200_000))

    assert on_disk(log) <= LIMIT + 4 * ALIGNMENT


def test_where_no_middle_can_be_given_back_it_is_said_once_and_done_at_the_end(
    log, capped, monkeypatch
):
    def refuse(path, begin, length):
        raise OSError(errno.EOPNOTSUPP, "not here")

    monkeypatch.setattr(console_cap, "_punch", refuse)
    cap, print_and_look = capped
    print_and_look(lines(0, 100_000))
    with log.open("ab") as file:
        file.write(lines(100_000, 200_000))

    assert cap.due is None
    cap.settle()

    (said,) = (log.parent / "messages.log").read_text().splitlines()
    assert "m/v#1: its console.log is cut down to console_limit when the run ends" in said
    assert log.stat().st_size <= LIMIT + LINE


def test_what_the_disk_refuses_now_is_tried_again(log, capped, monkeypatch):
    needs_punching(log)
    punch, refusals = console_cap._punch, [errno.ENOSPC, errno.EINTR]

    def refuse_twice(*arguments):
        if refusals:
            raise OSError(refusals.pop(), "not now")
        punch(*arguments)

    monkeypatch.setattr(console_cap, "_punch", refuse_twice)
    _cap, print_and_look = capped
    for number in range(3):
        print_and_look(lines(number * 100_000, (number + 1) * 100_000))

    assert on_disk(log) <= LIMIT + 4 * ALIGNMENT


def test_a_copy_that_fails_leaves_the_log_and_no_other_file(log, monkeypatch):
    content = lines(0, 200_000)
    log.write_bytes(content)

    def refuse(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(console_cap, "_copy", refuse)
    ConsoleCap(str(log.parent), spec(LIMIT)).settle()

    assert log.read_bytes() == content
    assert [path.name for path in log.parent.iterdir()] == ["console.log"]


def test_what_no_run_needs_is_not_imported():
    code = (
        "import sys; import mlpipeline.execution.console_cap as c; "
        "cap = c.ConsoleCap('/nowhere', {'console_limit': 10**9}); cap.look(); cap.settle(); "
        "print(*{'ctypes', 'typing', 'pathlib', 'msgspec'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
    )

    assert (done.stdout, done.stderr) == ("\n", "")
