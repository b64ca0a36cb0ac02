"""The history: journals on disk, how they are read back, and what survives an accident."""

import errno
import os
import resource
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import msgspec
import pytest
from core.events import finished, starting
from histories import EVENTS, layout_in
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpipeline.core.runs import FORMAT, IllegalTransition, RunId
from mlpipeline.errors import StorageError
from mlpipeline.state.history import DiskHistory, History, read_histories
from mlpipeline.state.layout import Layout


@contextmanager
def opened(layout):
    history = DiskHistory(layout)
    try:
        yield history
    finally:
        history.close()


def record(layout, *events):
    with opened(layout) as history:
        for event in events:
            history.append(event)


def runs(layout):
    ledger, _ = read_histories(layout)
    return list(ledger)


def warnings(layout):
    _, warnings = read_histories(layout)
    return warnings


def edit_line(path, number, line):
    lines = path.read_bytes().splitlines(keepends=True)
    lines[number - 1] = line + b"\n"
    path.write_bytes(b"".join(lines))


# --- append and reload


def test_a_history_on_disk_is_read_back_as_it_was(layout):
    with opened(layout) as history:
        for event in EVENTS:
            history.append(event)

        told = list(history.ledger)

    assert runs(layout) == told
    assert warnings(layout) == []


def test_a_second_session_goes_on_with_the_history_of_the_first(layout):
    record(layout, *EVENTS[:3])

    record(layout, *EVENTS[3:])

    assert [(str(run.id), run.active) for run in runs(layout)] == [
        ("m/a#1", False),
        ("m/b#1", True),
        ("m/a#2", False),
    ]


def test_append_returns_the_run_as_it_is_now(layout):
    with opened(layout) as history:
        run = history.append(starting("a"))

        assert [run] == list(history.ledger)


def test_an_event_is_one_line_of_json_that_names_its_format(layout):
    record(layout, *EVENTS)

    lines = layout.history.read_bytes().splitlines()

    records = [msgspec.json.decode(line) for line in lines]
    assert [each["event"] for each in records] == [type(each).__name__.lower() for each in EVENTS]
    assert {each["v"] for each in records} == {FORMAT}
    assert records[0]["run"] == {"model": "m", "version": "a", "attempt": 1}


def test_what_was_written_is_never_changed(layout):
    record(layout, *EVENTS[:3])
    before = layout.history.read_bytes()

    record(layout, *EVENTS[3:])

    assert layout.history.read_bytes().startswith(before)


def test_an_event_that_can_not_follow_is_refused_and_not_written(layout):
    record(layout, starting("a"))
    before = layout.history.read_bytes()

    with opened(layout) as history, pytest.raises(IllegalTransition):
        history.append(starting("a"))

    assert layout.history.read_bytes() == before


def test_a_project_without_a_history_has_an_empty_one(layout):
    assert runs(layout) == warnings(layout) == []
    assert not layout.history.exists()


def test_the_history_of_a_rehearsal_forgets_with_its_process(layout):
    history = History("here")

    run = history.append(starting("a"))

    assert list(history.ledger) == [run]
    assert list(layout.outputs.iterdir()) == []


@settings(deadline=None)  # it waits for the disk
@given(st.text(), st.text(), st.integers(1), st.dictionaries(st.text(), st.floats(allow_nan=False)))
def test_any_names_and_results_are_read_back(model, version, attempt, results):
    with TemporaryDirectory() as folder:
        layout = layout_in(folder)
        record(
            layout,
            starting(version, attempt, model=model),
            finished(version, attempt, model=model, reason=version, results={"test": results}),
        )

        (run,) = runs(layout)

    finite = {key: value for key, value in results.items() if abs(value) != float("inf")}
    assert run.id == RunId(model, version, attempt)
    assert finite.items() <= run.results["test"].items()
    assert run.verdict.reason == version


# --- accidents


def test_a_torn_end_is_set_aside_by_its_owner_with_a_warning(layout):
    record(layout, *EVENTS[:2])
    whole = layout.history.read_bytes()
    layout.history.write_bytes(whole + b'{"event":"fini')

    with opened(layout) as history:
        (warning,) = history.warnings

    (aside,) = layout.outputs.glob("*.damaged-*")
    assert aside.read_bytes() == b'{"event":"fini'
    assert layout.history.read_bytes() == whole
    assert aside.name in warning
    assert str(layout.history) in warning


def test_a_second_torn_end_does_not_overwrite_the_first(layout):
    for torn in (b"one", b"two"):
        with layout.history.open("ab") as file:
            file.write(torn)
        record(layout)

    asides = sorted(layout.outputs.glob("*.damaged-*"))
    assert [path.read_bytes() for path in asides] == [b"one", b"two"]


def test_after_a_torn_end_the_history_goes_on(layout):
    record(layout, EVENTS[0])
    with layout.history.open("ab") as file:
        file.write(b'{"torn')

    record(layout, EVENTS[1])

    assert [str(run.id) for run in runs(layout)] == ["m/a#1", "m/b#1"]
    assert warnings(layout) == []


def test_a_reader_leaves_a_torn_end_alone(layout):
    record(layout, *EVENTS)
    with layout.history.open("ab") as file:
        file.write(b'{"torn')
    before = layout.history.read_bytes()

    told = runs(layout)

    assert len(told) == 3
    assert layout.history.read_bytes() == before
    assert list(layout.outputs.iterdir()) == [layout.history]


def test_what_was_set_aside_is_no_history_of_another_host(layout):
    record(layout, EVENTS[0])
    with layout.history.open("ab") as file:
        file.write(b'{"torn')

    record(layout)

    assert list(layout.histories()) == ["here"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"garbage",
        b"\0" * 40,
        b"\xff\xfe",
        b"[]",
        b'{"v":1}',
        b'{"event":"finished"}',
        b'{"event":"stop\xff"}',
    ],
)
def test_a_damaged_line_is_left_out_with_its_place(line, layout):
    record(layout, *EVENTS)
    edit_line(layout.history, 6, line)

    told, (warning,) = runs(layout), warnings(layout)

    assert len(told) == 3
    assert warning.startswith(f"{layout.history}:6: ")
    assert warning.endswith("; the line is left out")


def test_what_follows_a_lost_start_is_left_out_line_by_line(layout):
    record(layout, *EVENTS)
    edit_line(layout.history, 1, b"garbage")

    told, complaints = runs(layout), warnings(layout)

    assert [str(run.id) for run in told] == ["m/b#1", "m/a#2"]
    assert [each.split(": ")[0] for each in complaints] == [
        f"{layout.history}:{number}" for number in (1, 3, 4)
    ]
    assert "m/a#1 is adopted but never started" in complaints[1]


def test_a_damaged_line_keeps_its_owner_from_nothing(layout):
    record(layout, *EVENTS)
    edit_line(layout.history, 6, b"garbage")

    with opened(layout) as history:
        history.append(finished("b", seconds=9))

        assert len(history.warnings) == 1

    assert [run.active for run in runs(layout)] == [False, False, False]


def test_a_time_without_a_zone_is_damage_since_it_can_not_be_compared(layout):
    record(layout, starting("a", 1, seconds=0), finished("a", 1, seconds=1))
    text = msgspec.json.encode(starting("a", 2, seconds=5)).replace(b"Z", b"")
    with layout.history.open("ab") as file:
        file.write(text + b"\n")

    ledger, complaints = read_histories(layout)

    assert [run.id.attempt for run in ledger.attempts("m", "a")] == [1]
    assert complaints[0].startswith(f"{layout.history}:3: ")


@pytest.mark.parametrize(
    "line",
    [
        b'{"event":"paused","v":2,"at":"2024-01-01T00:00:00Z","run":"m/b#1"}',
        msgspec.json.encode(msgspec.structs.replace(EVENTS[5], v=FORMAT + 1)),
    ],
    ids=["in a form that is new", "in a form that looks known"],
)
def test_a_record_of_a_newer_format_is_left_out_and_named_as_that(line, layout):
    record(layout, *EVENTS)
    edit_line(layout.history, 6, line)

    (warning,) = warnings(layout)

    assert f"{layout.history}:6: written by a newer mlpipeline (format 2" in warning
    assert [bool(run.stopping_at) for run in runs(layout)] == [False, False, False]


def test_a_record_with_a_field_that_is_not_known_is_read_all_the_same(layout):
    record(layout, *EVENTS)
    line = layout.history.read_bytes().splitlines()[5]
    edit_line(layout.history, 6, line.replace(b'"v":1', b'"v":1,"new":[1]'))

    assert warnings(layout) == []
    assert [bool(run.stopping_at) for run in runs(layout)] == [False, True, False]


@pytest.fixture(scope="module")
def journal():
    """The bytes of a journal, and the ends of its lines."""
    with TemporaryDirectory() as folder:
        layout = layout_in(folder)
        record(layout, *EVENTS)
        content = layout.history.read_bytes()
    ends = [end for end, byte in enumerate(content, start=1) if byte == ord("\n")]
    return content, ends


@settings(deadline=None)  # it waits for the disk
@given(data=st.data())
def test_a_journal_that_is_cut_anywhere_loses_at_most_the_record_that_was_cut(journal, data):
    content, ends = journal
    cut = data.draw(st.integers(0, len(content)))
    whole = sum(end <= cut for end in ends)
    expected = History("here")
    for event in EVENTS[:whole]:
        expected.append(event)

    with TemporaryDirectory() as folder:
        layout = layout_in(folder)
        layout.history.write_bytes(content[:cut])
        read = runs(layout)
        with opened(layout) as history:
            opened_again = list(history.ledger)
        kept = b"".join(path.read_bytes() for path in sorted(layout.outputs.iterdir()))

    assert read == opened_again == list(expected.ledger)
    assert kept == content[:cut]


@settings(deadline=None)  # it waits for the disk
@given(data=st.data())
def test_a_journal_with_any_damage_is_read_without_an_error(journal, data):
    content, _ = journal
    start = data.draw(st.integers(0, len(content)))
    damage = data.draw(st.binary(max_size=30))

    with TemporaryDirectory() as folder:
        layout = layout_in(folder)
        layout.history.write_bytes(content[:start] + damage + content[start + len(damage) :])
        ledger, _ = read_histories(layout)
        for run in ledger:
            ledger.attempts(run.id.model, run.id.version)

    assert len(list(ledger)) <= 4


# --- a disk that refuses


def test_a_full_disk_is_an_error_and_leaves_no_half_record(layout):
    with opened(layout) as history:
        history.append(starting("a"))
        before = layout.history.read_bytes()

        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limit[1]))
        try:
            with pytest.raises(StorageError, match="No space left on device"):
                history.append(finished("a"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)

        assert layout.history.read_bytes() == before
        assert [run.active for run in history.ledger] == [True]
        history.append(finished("a"))

    assert [run.active for run in runs(layout)] == [False]


def test_a_disk_that_fails_to_keep_a_record_leaves_none(layout, monkeypatch):
    def fail(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with opened(layout) as history:
        history.append(starting("a"))
        before = layout.history.read_bytes()
        monkeypatch.setattr("mlpipeline.state.history._sync", fail)

        with pytest.raises(StorageError, match="Input/output error"):
            history.append(finished("a"))

        assert [run.active for run in history.ledger] == [True]

    assert layout.history.read_bytes() == before


def test_outputs_that_are_not_there_are_a_storage_error(tmp_path):
    layout = Layout.of(tmp_path, tmp_path, "here")

    with pytest.raises(StorageError, match="the history can't be opened: No such file"):
        DiskHistory(layout)


def test_a_history_that_can_not_be_read_is_a_storage_error(layout):
    layout.history.mkdir()

    with pytest.raises(StorageError, match="the history can't be read: Is a directory"):
        read_histories(layout)


# --- other hosts


def test_the_histories_of_other_hosts_are_read_too(layout, tmp_path):
    record(layout_in(tmp_path, "there"), starting("a"), finished("a"))
    record(layout, starting("b"))

    told = {(run.host, str(run.id)): run.active for run in runs(layout)}

    assert told == {("here", "m/b#1"): True, ("there", "m/a#1"): False}


def test_a_scheduler_knows_the_runs_of_other_hosts(layout, tmp_path):
    record(layout_in(tmp_path, "there"), starting("a", 3))

    with opened(layout) as history:
        assert history.ledger.next_attempt("m", "a") == 4
        assert history.ledger.active("here") == []


def test_two_hosts_can_have_a_run_of_one_name(layout, tmp_path):
    record(layout_in(tmp_path, "there"), starting("a"), finished("a"))
    record(layout, starting("a"))

    assert sorted((run.host, run.active) for run in runs(layout)) == [
        ("here", True),
        ("there", False),
    ]
    assert warnings(layout) == []


def test_a_damaged_line_of_another_host_names_that_hosts_file(layout, tmp_path):
    there = layout_in(tmp_path, "there")
    record(there, starting("a"))
    edit_line(there.history, 1, b"garbage")

    (warning,) = warnings(layout)

    assert warning.startswith(f"{there.history}:1: ")


def test_a_torn_end_of_another_host_is_left_to_that_host(layout, tmp_path):
    there = layout_in(tmp_path, "there")
    record(there, starting("a"))
    with there.history.open("ab") as file:
        file.write(b'{"torn')
    before = there.history.read_bytes()

    with opened(layout) as history:
        assert history.warnings == []
        assert len(list(history.ledger)) == 1

    assert there.history.read_bytes() == before
