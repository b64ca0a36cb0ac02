"""The index of the history: what it saves is reading, and whatever becomes of it, nothing else."""

import os
import threading
from contextlib import closing
from tempfile import TemporaryDirectory

import msgspec
import pytest
from core.events import adopted, clock, finished, ordered, rehearsed, starting, stopping
from histories import EVENTS, layout_in
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpipeline.core.ledger import Ledger
from mlpipeline.core.orders import Order
from mlpipeline.core.runs import FORMAT, Fenced, IllegalTransition, Outcome, RunId
from mlpipeline.state import index, journals
from mlpipeline.state.history import DiskHistory, read_histories, rebuild_index
from mlpipeline.state.journals import Journals

NOTES = [ordered(Order.SKIP, "c"), rehearsed("c", problem="failed")]


def append(layout, *records):
    with layout.history.open("ab") as file:
        file.writelines(msgspec.json.encode(each) + b"\n" for each in records)


def told(layout, *, by_index=True):
    """All that a reader can learn of the history."""
    ledger, warnings = read_histories(layout, index=by_index)
    return everything(ledger), warnings


def everything(ledger):
    runs = sorted(ledger, key=lambda run: (run.host, run.id))
    versions = sorted({(run.id.model, run.id.version) for run in runs})
    return {
        "runs": runs,
        "found": [ledger.find(run.host, run.id) for run in runs],
        "attempts": [ledger.attempts(*version) for version in versions],
        "next": [ledger.next_attempt(*version) for version in versions],
        "names": sorted(ledger.names()),
        "newest": {model: len(list(ledger.newest(model))) for model, _ in versions},
        "active": sorted(ledger.active(), key=lambda run: (run.host, run.id)),
        "users": {run.model_dir: ledger.last_in(run.model_dir) for run in runs},
        "orders": {version: ledger.order("m", version) for version in "abc"},
        "rehearsals": {version: ledger.rehearsal("m", version, "s1", "d1") for version in "abc"},
    }


@pytest.fixture
def read_bytes(monkeypatch):
    """How many bytes of journals were decoded, in a list of one number."""
    decoded = [0]
    records = journals._records

    def counted(lines):
        decoded[0] += len(lines)
        return records(lines)

    monkeypatch.setattr(journals, "_records", counted)
    return decoded


@pytest.fixture
def indexed(layout):
    """A history with an index of all of it."""
    append(layout, *EVENTS, *NOTES)
    rebuild_index(layout)
    return layout


# --- what it saves


def test_what_is_indexed_is_not_read_again(indexed, read_bytes):
    runs, warnings = told(indexed)

    assert read_bytes == [0]
    assert (runs, warnings) == told(indexed, by_index=False)
    assert read_bytes == [indexed.history.stat().st_size]


def test_what_came_later_is_read_from_the_journal(indexed, read_bytes):
    before = indexed.history.stat().st_size
    append(indexed, finished("b", seconds=9), starting("d"), ordered(Order.RETRY, "c", number=2))

    runs, _ = told(indexed)

    assert read_bytes == [indexed.history.stat().st_size - before]
    assert runs == told(indexed, by_index=False)[0]
    assert [str(run.id) for run in runs["active"]] == ["m/d#1"]


def test_a_journal_that_appeared_later_is_read(indexed, tmp_path):
    append(layout_in(tmp_path, "there"), starting("a", 3), finished("a", 3))

    assert told(indexed) == told(indexed, by_index=False)
    assert len(told(indexed)[0]["runs"]) == 4


def test_a_run_keeps_its_time_zone(layout):
    line = msgspec.json.encode(starting("a", seconds=0)).replace(b"Z", b"+05:30")
    layout.history.write_bytes(line + b"\n")
    rebuild_index(layout)

    ledger, _ = read_histories(layout)

    (run,) = ledger
    assert run.started_at.isoformat() == "2024-02-29T00:00:00+05:30"


def test_damaged_lines_are_told_with_an_index_as_without(layout):
    append(layout, *EVENTS)
    with layout.history.open("ab") as file:
        file.write(b"garbage\n" * 2)
    rebuild_index(layout)
    few = told(layout)
    with layout.history.open("ab") as file:
        file.write(b"more\n" * 5)
    many = told(layout)

    assert few[1] == [
        f"{layout.history}:{number}: damaged; the line is left out" for number in (8, 9)
    ]
    assert many == told(layout, by_index=False)
    assert many[1][-1] == f"{layout.history}: 4 more such lines"


# --- what makes it useless


def spoil(layout, how):
    path = layout.index
    content = path.read_bytes()
    match how:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "without its last byte":
            path.write_bytes(content[:-1])
        case "with one more line":
            path.write_bytes(content + b"1\n")
        case "garbage":
            path.write_bytes(b"\0\xff\n" * 100)
        case "JSON of another kind":
            path.write_bytes(b'{"form":1}\n[]\n0\n')
        case "a folder":
            path.unlink()
            path.mkdir()
        case "with a flipped bit":
            path.write_bytes(content.replace(b'"accuracy":0.5', b'"accuracy":0.7'))
        case "of another mlpipeline":
            path.write_bytes(content.replace(index.__version__.encode(), b"0.0.0", 1))


@pytest.mark.parametrize(
    "how",
    [
        "missing",
        "empty",
        "cut",
        "without its last byte",
        "with one more line",
        "garbage",
        "JSON of another kind",
        "a folder",
        "with a flipped bit",
        "of another mlpipeline",
    ],
)
def test_an_index_that_is_spoilt_is_as_none(how, indexed, read_bytes):
    expected = told(indexed, by_index=False)
    read_bytes[0] = 0

    spoil(indexed, how)

    assert told(indexed) == expected
    assert read_bytes == [indexed.history.stat().st_size]


def edited(lines, how):
    match how:
        case "shortened by a line":
            return lines[:-1]
        case "shortened in the middle":
            return lines[:2] + lines[3:]
        case "longer in the middle":
            return [*lines[:2], b"garbage\n", *lines[2:]]
        case "edited in the middle":
            return [line.replace(b'"failed"', b'"killed"') for line in lines]
        case "restored from a backup, and gone on":
            return [*lines[:4], *(msgspec.json.encode(starting("z", n)) + b"\n" for n in range(20))]
        case "replaced":
            return [line.replace(b'"m"', b'"n"') for line in lines]
        case "emptied":
            return []


@pytest.mark.parametrize(
    "how",
    [
        "shortened by a line",
        "shortened in the middle",
        "longer in the middle",
        "edited in the middle",
        "restored from a backup, and gone on",
        "replaced",
        "emptied",
    ],
)
@pytest.mark.parametrize("in_place", [True, False], ids=["in place", "as a new file"])
def test_a_journal_that_was_changed_is_read_again(how, in_place, indexed):
    content = b"".join(edited(indexed.history.read_bytes().splitlines(keepends=True), how))
    path = indexed.history if in_place else indexed.outputs / "new"
    path.write_bytes(content)
    path.replace(indexed.history)

    assert told(indexed) == told(indexed, by_index=False)


def test_a_change_is_noticed_that_leaves_the_files_size_and_time(indexed):
    before = indexed.history.stat()
    changed = indexed.history.read_bytes().replace(b'"failed"', b'"killed"')
    indexed.history.write_bytes(changed)
    os.utime(indexed.history, ns=(before.st_atime_ns, before.st_mtime_ns))

    runs, _ = told(indexed)

    assert runs["attempts"][0][0].verdict.outcome is Outcome.KILLED


def test_a_journal_that_is_gone_makes_the_index_useless(indexed):
    indexed.history.unlink()

    assert told(indexed)[0]["runs"] == []


def test_the_journal_of_another_host_counts_as_much(layout, tmp_path):
    there = layout_in(tmp_path, "there")
    append(layout, *EVENTS)
    append(there, starting("x"), finished("x"))
    rebuild_index(layout)
    assert told(layout) == told(layout, by_index=False)

    there.history.write_bytes(there.history.read_bytes().replace(b'"x"', b'"y"'))

    assert told(layout) == told(layout, by_index=False)
    assert told(layout)[0]["runs"][-1].id == RunId("m", "y", 1)


def test_nothing_is_indexed_where_records_are_of_a_newer_format(layout):
    append(layout, *EVENTS, msgspec.structs.replace(starting("z"), v=FORMAT + 1))

    rebuild_index(layout)

    assert not layout.index.exists()
    assert "written by a newer mlpipeline" in told(layout)[1][0]


def test_a_journal_that_is_edited_before_the_index_is_written_is_not_indexed(layout):
    append(layout, *EVENTS)
    ledger = Ledger()
    reader = Journals(layout, ledger)
    reader.read()
    layout.history.write_bytes(layout.history.read_bytes().replace(b'"failed"', b'"killed"'))

    reader.write_index()

    assert not layout.index.exists()
    assert told(layout) == told(layout, by_index=False)


# --- who writes it, and when


@pytest.fixture
def eager(monkeypatch):
    """Sessions index every line."""
    monkeypatch.setattr("mlpipeline.state.history.AT_THE_END", 1)
    monkeypatch.setattr("mlpipeline.state.history.LATER", 1)


def test_a_session_leaves_an_index_of_all_it_knows(layout, eager, read_bytes):
    append(layout, *EVENTS)
    with closing(DiskHistory(layout)) as history:
        history.append(finished("b", seconds=9))
        history.note(*NOTES)
        known = everything(history.ledger)
    read_bytes[0] = 0

    assert told(layout) == (known, [])
    assert read_bytes == [0]


def test_a_short_history_needs_no_index(layout):
    append(layout, *EVENTS)

    with closing(DiskHistory(layout)) as history:
        history.keep_index()

    assert not layout.index.exists()


def test_a_session_that_goes_on_indexes_now_and_then(layout, eager):
    append(layout, *EVENTS)
    with closing(DiskHistory(layout)) as history:
        history.keep_index()
        first = layout.index.read_bytes()
        history.keep_index()
        assert layout.index.read_bytes() == first
        history.append(finished("b", seconds=9))
        history.append(starting("b", 2, seconds=10))
        history.keep_index()

        assert layout.index.read_bytes() != first
        assert told(layout) == (everything(history.ledger), [])


def test_a_second_session_goes_on_from_the_index(layout, eager):
    append(layout, *EVENTS)
    with closing(DiskHistory(layout)):
        pass
    with closing(DiskHistory(layout)) as history:
        history.append(finished("b", seconds=9))
        with pytest.raises(IllegalTransition):
            history.append(finished("a", 2))
        known = everything(history.ledger)

    assert told(layout) == told(layout, by_index=False) == (known, [])


def test_a_disk_that_refuses_the_index_costs_nothing(layout, eager, monkeypatch):
    append(layout, *EVENTS)
    (layout.outputs / ".index-here").mkdir()  # where it would be written

    with closing(DiskHistory(layout)) as history:
        history.append(finished("b", seconds=9))

    assert not layout.index.exists()
    assert told(layout) == told(layout, by_index=False)


def test_what_a_kill_leaves_of_an_index_is_no_index_and_is_used_again(indexed, eager):
    left = indexed.outputs / ".index-here"
    left.write_bytes(indexed.index.read_bytes()[:100])
    assert told(indexed) == told(indexed, by_index=False)

    with closing(DiskHistory(indexed)) as history:
        history.append(finished("b", seconds=9))
        history.append(starting("b", 2, seconds=9))

    assert not left.exists()


def test_a_torn_end_is_not_indexed(layout, eager, read_bytes):
    append(layout, *EVENTS)
    with layout.history.open("ab") as file:
        file.write(b'{"torn')
    with closing(DiskHistory(layout)) as history:
        history.append(finished("b", seconds=9))

    assert told(layout) == told(layout, by_index=False)
    assert told(layout)[0]["active"] == []


def test_views_may_look_while_the_index_is_written_again_and_again(layout):
    append(layout, *EVENTS)
    expected = told(layout, by_index=False)
    over = threading.Event()

    def write():
        while not over.is_set():
            rebuild_index(layout)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        looks = [told(layout) for _ in range(50)]
    finally:
        over.set()
        writer.join()

    assert looks == [expected] * 50


def test_a_view_that_goes_on_looking_is_told_each_thing_once(indexed):
    ledger = Ledger()
    reader = Journals(indexed, ledger)
    with indexed.history.open("ab") as file:
        file.write(b"garbage\n")

    first, second = reader.read(), reader.read()
    append(indexed, finished("b", seconds=9))
    third = reader.read()

    assert [len(first), second, third] == [1, [], []]
    assert everything(ledger) == told(indexed, by_index=False)[0]


# --- whatever happened, and wherever it was indexed

hosts = st.sampled_from(["here", "there"])
versions = st.sampled_from(["a", "b"])
attempts = st.integers(1, 3)


@st.composite
def lines(draw):
    """A host, and a line that it may have in its journal, of whatever sense."""
    host, version, attempt = draw(hosts), draw(versions), draw(attempts)
    seconds = 2 * draw(st.integers(0, 49)) + (host == "there")  # no two hosts say it at one time
    at = {"seconds": seconds}
    outcome = draw(st.sampled_from([Outcome.SUCCEEDED, Outcome.FAILED, Outcome.INTERRUPTED]))
    kind = draw(st.integers(0, 8))
    match kind:
        case 0 | 1 | 2:
            record = starting(version, attempt, **at, signature=draw(st.sampled_from("xy")))
        case 3 | 4:
            record = finished(version, attempt, **at, outcome=outcome, results={"test": seconds})
        case 5:
            record = draw(
                st.sampled_from([adopted(version, attempt, **at), stopping(version, attempt, **at)])
            )
        case 6:
            record = ordered(draw(st.sampled_from(Order)), version, **at, number=seconds)
        case 7:
            other = "there" if host == "here" else "here"
            record = Fenced(at=clock(seconds), run=RunId("m", version, attempt), host=other)
        case 8:
            return host, draw(st.sampled_from([b"", b"{}", b"garbage", b"\xff", b'{"v":2}']))
    return host, msgspec.json.encode(record)


@settings(deadline=None, max_examples=200)  # it waits for the disk
@given(
    written=st.lists(lines(), max_size=30),
    later=st.lists(lines(), max_size=15),
    block=st.sampled_from([1, 300, 1 << 20]),
)
def test_a_history_is_the_same_with_an_index_and_without(written, later, block):
    before = journals.BLOCK
    journals.BLOCK = block
    try:
        with TemporaryDirectory() as folder:
            layouts = {host: layout_in(folder, host) for host in ("here", "there")}

            def write(lines):
                for host, line in lines:
                    with layouts[host].history.open("ab") as file:
                        file.write(line + b"\n")

            write(written)
            rebuild_index(layouts["here"])
            here = told(layouts["here"]), told(layouts["here"], by_index=False)
            write(later)
            longer = told(layouts["here"]), told(layouts["here"], by_index=False)
    finally:
        journals.BLOCK = before

    assert here[0] == here[1]
    # Of a run that was taken for lost, more or less is known by who was read first.
    if all(b"fenced" not in line for _, line in [*written, *later]):
        assert longer[0] == longer[1]
