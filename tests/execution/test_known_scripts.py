"""What is known of scripts: believed as long as it holds, and looked at again without waiting."""

from __future__ import annotations

import os
from contextlib import closing

import pytest
from model_scripts import versions
from projects import wait_until

from mlpipeline.execution import known_scripts
from mlpipeline.execution.findings import FORMAT, Memory, environment


@pytest.mark.parametrize("session", [True, False], ids=["session", "view"])
def test_a_script_is_inspected_once_until_it_changes(scripts, session):
    scripts.script("m.py", "'a'")
    inspector = scripts.inspector(session=session)

    before = [scripts.read(inspector, "m.py") for _ in range(3)]
    count = scripts.imported("m.py")
    scripts.script("m.py", "'b'", age=60)
    after = scripts.read(inspector, "m.py")

    assert before == [{"m": ["a"]}] * 3
    assert (count, after, scripts.imported("m.py")) == (1, {"m": ["b"]}, 2)


@pytest.mark.parametrize("session", [True, False], ids=["session", "view"])
def test_an_edited_helper_module_changes_its_scripts_alone(scripts, session):
    scripts.write("_names.py", "NAMES = ['a']")
    scripts.script("m.py", "*NAMES", "from _names import NAMES")
    scripts.script("other.py", "'x'")
    inspector = scripts.inspector(session=session)
    scripts.read(inspector, "m.py", "other.py")

    scripts.write("_names.py", "NAMES = ['a', 'b']", age=60)

    assert scripts.read(inspector, "m.py", "other.py") == {"m": ["a", "b"], "other": ["x"]}
    assert (scripts.imported("m.py"), scripts.imported("other.py")) == (2, 1)


@pytest.mark.parametrize("name", ["m.py", "_names.py"])
@pytest.mark.parametrize("anew", [False, True], ids=["in one session", "in the next one"])
def test_a_change_within_a_tick_of_the_clock_that_keeps_the_size_is_noticed(scripts, name, anew):
    scripts.write("_names.py", "NAMES = {'v': 'a'}")
    scripts.script("m.py", "NAMES.get('v', 'b')", "from _names import NAMES")
    path = scripts.folder / name
    os.utime(path)
    stamp = path.stat().st_mtime_ns
    inspector = scripts.inspector(session=True)
    scripts.settled(inspector, "m.py")

    path.write_text(path.read_text().replace("'v'", "'w'"))
    os.utime(path, ns=(stamp, stamp))
    if anew:
        inspector = scripts.inspector(session=True)

    assert scripts.read(inspector, "m.py") == {"m": ["b"]}


def test_a_script_that_was_touched_is_believed_and_looked_at_once_more(scripts):
    scripts.script("m.py", "'a'")
    inspector = scripts.inspector(session=True)
    scripts.read(inspector, "m.py")

    os.utime(scripts.folder / "m.py", (1e9, 1e9))
    reading = inspector.listed(scripts.list("m.py"))

    assert (versions(reading), reading.pending) == ({"m": ["a"]}, frozenset())
    assert scripts.settled(inspector, "m.py") == {"m": ["a"]}
    assert scripts.imported("m.py") == 2


def test_what_is_remembered_is_listed_at_once_and_looked_at_when_there_is_time(scripts):
    scripts.script("m.py", "'a'", "if Path('hold').exists(): wait_for_file('go')")
    scripts.read(scripts.inspector(session=True), "m.py")
    (scripts.folder / "hold").touch()

    inspector = scripts.inspector(session=True)
    reading = inspector.listed(scripts.list("m.py"))
    (scripts.folder / "go").touch()

    assert (versions(reading), reading.pending) == ({"m": ["a"]}, frozenset())
    assert not reading.is_final
    assert scripts.settled(inspector, "m.py") == {"m": ["a"]}
    assert scripts.imported("m.py") == 2


def test_a_view_believes_what_is_remembered(scripts):
    scripts.script("m.py", "'a'")
    scripts.read(scripts.inspector(session=True), "m.py")

    reading = scripts.inspector(session=False).listed(scripts.list("m.py"))

    assert (versions(reading), reading.is_final) == ({"m": ["a"]}, True)
    assert scripts.imported("m.py") == 1


@pytest.mark.parametrize("what", ["environment", "data"])
def test_versions_that_depend_on_more_than_the_script_are_noticed(scripts, monkeypatch, what):
    source = {"environment": "os.environ['NAMES']", "data": "Path('data').read_text()"}[what]
    scripts.script("m.py", f"*{source}")
    (scripts.folder / "data").write_text("ab")
    monkeypatch.setenv("NAMES", "ab")
    scripts.settled(scripts.inspector(session=True), "m.py")
    (scripts.folder / "data").write_text("bc")
    monkeypatch.setenv("NAMES", "bc")
    scripts.news.clear()

    inspector = scripts.inspector(session=True)
    first = scripts.read(inspector, "m.py")

    assert first == {"m": ["a", "b"]}
    wait_until(scripts.news.is_set)
    assert scripts.settled(inspector, "m.py") == {"m": ["b", "c"]}


def test_a_script_that_is_the_same_and_fails_now_becomes_a_problem(scripts, monkeypatch):
    scripts.script("m.py", "'a'", "import os; os.environ['PACKAGE']")
    monkeypatch.setenv("PACKAGE", "there")
    scripts.settled(scripts.inspector(session=True), "m.py")
    monkeypatch.delenv("PACKAGE")

    inspector = scripts.inspector(session=True)
    ((problem,),) = scripts.settled(inspector, "m.py").values()
    ((again,),) = scripts.read(scripts.inspector(session=False), "m.py").values()

    assert "KeyError" in problem
    assert again == problem  # it is not remembered that it could be used


def test_a_package_that_comes_or_goes_has_all_scripts_looked_at(scripts, monkeypatch, tmp_path):
    packages = tmp_path / "site-packages"
    packages.mkdir()
    monkeypatch.syspath_prepend(packages)
    scripts.script("m.py", "'a'")
    scripts.script("broken.py", "'a'", "if not Path('mended').exists(): raise ValueError('no')")
    running = scripts.inspector(session=True)
    scripts.settled(running, "m.py", "broken.py")
    scripts.settled(scripts.inspector(session=False), "m.py")
    (scripts.folder / "mended").touch()
    count = scripts.imported("m.py")

    (packages / "new.dist-info").mkdir()
    at_once = scripts.read(running, "m.py", "broken.py")
    scripts.settled(running, "m.py", "broken.py")

    assert at_once == {"m": ["a"], "broken": ["a"]}
    assert scripts.imported("m.py") == count + 1
    (packages / "other.dist-info").mkdir()
    scripts.read(scripts.inspector(session=False), "m.py")
    assert scripts.imported("m.py") == count + 2


def test_a_slow_script_keeps_the_others_waiting_for_a_moment_only(scripts, monkeypatch):
    monkeypatch.setattr(known_scripts, "LEAD", 0.2)
    scripts.script("slow.py", "'s'", "wait_for_file('go')")
    scripts.script("quick.py", "'q'")
    inspector = scripts.inspector(session=True)

    wait_until(lambda: scripts.read(inspector, "slow.py", "quick.py") == {"quick": ["q"]})
    reading = inspector.listed(scripts.list("slow.py", "quick.py"))
    scripts.news.clear()
    (scripts.folder / "go").touch()

    assert reading.pending == {"slow.py"}
    assert (reading.is_final, reading.waits) == (False, "reads the versions of slow.py")
    wait_until(scripts.news.is_set)
    assert scripts.read(inspector, "slow.py", "quick.py") == {"slow": ["s"], "quick": ["q"]}


def test_what_an_edited_script_had_stays_listed_until_its_versions_are_known(scripts, monkeypatch):
    monkeypatch.setattr(known_scripts, "LEAD", 0.0)
    scripts.script("m.py", "'a'")
    inspector = scripts.inspector(session=True)
    scripts.settled(inspector, "m.py")

    scripts.script("m.py", "'b'", "wait_for_file('go')", age=60)
    reading = inspector.listed(scripts.list("m.py"))
    (scripts.folder / "go").touch()

    assert (versions(reading), reading.pending) == ({"m": ["a"]}, {"m.py"})
    assert scripts.settled(inspector, "m.py") == {"m": ["b"]}


def test_an_edit_overtakes_the_inspection_of_what_was_there_before(scripts, monkeypatch):
    monkeypatch.setattr(known_scripts, "LEAD", 0.0)
    scripts.script("m.py", "'a'", "wait_for_file('never')")
    inspector = scripts.inspector(session=True)
    inspector.listed(scripts.list("m.py"))
    wait_until(lambda: scripts.imported("m.py"))

    scripts.script("m.py", "'b'", age=60)

    assert scripts.settled(inspector, "m.py") == {"m": ["b"]}


def test_models_are_the_same_objects_as_long_as_nothing_of_them_changes(scripts):
    scripts.script("a.py", "'v'")
    scripts.script("b.py", "'v', 'w'")
    inspector = scripts.inspector(session=True)
    scripts.settled(inspector, "a.py", "b.py")

    first = inspector.listed(scripts.list("a.py", "b.py")).models
    again = inspector.listed(scripts.list("a.py", "b.py")).models
    prior = inspector.listed(scripts.list("a.py", "b.py", priorities={"b.py": 1})).models
    scripts.script("b.py", "'w'", age=60)
    edited = inspector.listed(scripts.list("a.py", "b.py")).models

    assert again is first
    assert [mine is other for mine, other in zip(first, prior, strict=True)] == [True, False]
    assert [mine is other for mine, other in zip(first, edited, strict=True)] == [True, False]


def test_a_memory_that_is_cut_anywhere_is_not_believed(scripts):
    scripts.script("m.py", "'a', 'b'")
    scripts.read(scripts.inspector(session=False), "m.py")
    (path,) = scripts.memory.iterdir()
    whole = path.read_bytes()
    memory = Memory(scripts.memory)
    assert memory.recall("m.py", environment()) is not None

    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert memory.recall("m.py", environment()) is None, end


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: b"garbage",
        lambda whole: bytes(len(whole)),
        lambda whole: whole.replace(b'"format":%d' % FORMAT, b'"format":0'),
        lambda whole: whole.replace(b'"signature"', b'"sygnature"'),
        lambda whole: whole.replace(b'"path":"m.py"', b'"path":"other.py"'),
    ],
    ids=["garbage", "zeros", "of another version", "of another form", "of another script"],
)
def test_a_memory_that_is_damaged_is_made_again_in_silence(scripts, change):
    scripts.script("m.py", "'a', 'b'")
    before = scripts.inspector(session=False).listed(scripts.list("m.py")).models
    (path,) = scripts.memory.iterdir()
    path.write_bytes(change(path.read_bytes()))

    for _ in range(2):
        assert scripts.inspector(session=False).listed(scripts.list("m.py")).models == before

    assert scripts.imported("m.py") == 2


@pytest.mark.parametrize("session", [True, False], ids=["session", "view"])
def test_a_memory_that_can_not_be_written_does_without(scripts, session):
    scripts.script("m.py", "'a'")
    scripts.memory.write_text("a file, where a folder would be")

    for _ in range(2):
        assert scripts.settled(scripts.inspector(session=session), "m.py") == {"m": ["a"]}


def test_a_session_forgets_scripts_that_are_gone(scripts):
    scripts.script("m.py", "'a'")
    scripts.script("gone.py", "'a'")
    with closing(scripts.inspector(session=True)) as first:
        scripts.settled(first, "m.py", "gone.py")
        before = {each.name for each in scripts.memory.iterdir()}
        (scripts.folder / "gone.py").unlink()
        scripts.opened.clear()

    assert before == {"m.py.jsonl", "gone.py.jsonl"}
    assert {each.name for each in scripts.memory.iterdir()} == {"m.py.jsonl"}


def test_a_script_that_is_deleted_can_not_be_read(scripts):
    scripts.script("m.py", "'a'")
    inspector = scripts.inspector(session=True)
    scripts.read(inspector, "m.py")

    (scripts.folder / "m.py").unlink()

    ((problem,),) = scripts.read(inspector, "m.py").values()
    assert problem == "m.py: it can't be read: No such file or directory"


def test_what_fails_for_its_low_priority_is_no_problem(scripts):
    scripts.script("m.py", "'a'", "if os.nice(0) == 19: os.kill(os.getpid(), 9)")
    scripts.read(scripts.inspector(session=True), "m.py")

    inspector = scripts.inspector(session=True)

    assert scripts.settled(inspector, "m.py") == {"m": ["a"]}
    assert scripts.imported("m.py") == 3


def test_a_script_knows_nothing_of_the_others(scripts):
    scripts.write("_count.py", "SEEN = []")
    for name in ("a.py", "b.py"):
        scripts.script(name, "*SEEN", "from _count import SEEN\nSEEN.append(f'v{len(SEEN)}')")

    found = scripts.read(scripts.inspector(session=False), "a.py", "b.py")

    assert found == {"a": ["v0"], "b": ["v0"]}


# --- the order of the queue


def test_a_quick_script_lets_a_slow_one_before_it_start_first(scripts):
    scripts.script("slow.py", "'s'", "wait_for_file('go')")
    scripts.script("quick.py", "'q'")
    inspector = scripts.inspector(session=True)

    def read():
        return inspector.listed(scripts.list("slow.py", "quick.py"))

    wait_until(lambda: versions(read()) == {"quick": ["q"]})
    before = read()
    (scripts.folder / "go").touch()
    wait_until(lambda: not read().pending)

    assert (before.pending, before.behind) == ({"slow.py"}, {"quick.py"})
    assert read().behind == frozenset()


def test_the_first_script_waits_for_no_other(scripts):
    scripts.script("quick.py", "'q'")
    scripts.script("slow.py", "'s'", "wait_for_file('never')")
    inspector = scripts.inspector(session=True)

    reading = inspector.listed(scripts.list("quick.py", "slow.py"))

    assert versions(reading) == {"quick": ["q"]}
    assert (reading.pending, reading.behind) == ({"slow.py"}, frozenset())


def test_what_is_waited_for_is_named_and_not_anew_with_each_that_comes(scripts, monkeypatch):
    monkeypatch.setattr(known_scripts, "LEAD", 0.0)
    names = ["a.py", "b.py", "c.py", "d.py", "e.py"]
    for name in names:
        scripts.script(name, "'v'", f"wait_for_file('go-{name}')")
    inspector = scripts.inspector(session=True)

    def waits():
        return inspector.listed(scripts.list(*names)).waits

    first = waits()
    told = []
    for name in names:
        told.append(waits())
        (scripts.folder / f"go-{name}").touch()
        wait_until(lambda name=name: name not in inspector.listed(scripts.list(*names)).pending)

    assert first == "reads the versions of a.py, b.py, c.py and 2 more"
    few = ["c.py, d.py and e.py", "d.py and e.py", "e.py"]
    assert told == [first, first, *(f"reads the versions of {each}" for each in few)]


# --- views beside a session


def test_a_view_leaves_an_edited_script_to_the_session_that_is_at_work(scripts):
    scripts.script("m.py", "'a'")
    session = scripts.inspector(session=True)
    scripts.settled(session, "m.py")
    view = scripts.inspector(session=False)
    view.leave_to_session(0.0)

    scripts.script("m.py", "'a', 'b'", age=60)
    before = view.listed(scripts.list("m.py"))
    count = scripts.imported("m.py")
    scripts.settled(session, "m.py")
    after = view.listed(scripts.list("m.py"))

    assert (versions(before), before.pending, count) == ({"m": ["a"]}, {"m.py"}, 1)
    assert (versions(after), after.pending) == ({"m": ["a", "b"]}, frozenset())
    assert scripts.imported("m.py") == 2


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("raise ValueError('no')", "it raises ValueError when it is imported: no"),
        ("os._exit(3)", "it ended the process when it was imported (exit status 3)"),
    ],
)
def test_a_view_believes_what_keeps_a_session_from_using_a_script(scripts, line, problem):
    scripts.script("m.py", "'a'", line)
    scripts.settled(scripts.inspector(session=True), "m.py")
    count = scripts.imported("m.py")
    view = scripts.inspector(session=False)
    view.leave_to_session(0.0)

    assert scripts.read(view, "m.py") == {"m": [f"m.py: {problem}"]}
    assert scripts.imported("m.py") == count


def test_a_command_that_looks_itself_leaves_views_what_the_session_has_found(scripts):
    scripts.script("m.py", "'a'", "raise ValueError('no')")
    scripts.settled(scripts.inspector(session=True), "m.py")
    scripts.settled(scripts.inspector(session=False), "m.py")  # as `move` does
    count = scripts.imported("m.py")
    view = scripts.inspector(session=False)
    view.leave_to_session(0.0)

    assert view.listed(scripts.list("m.py")).pending == frozenset()
    assert scripts.imported("m.py") == count


def test_no_session_and_no_view_alone_believes_in_a_problem_that_was(scripts):
    scripts.script("m.py", "'a'", "if not Path('mended').exists(): raise ValueError('no')")
    scripts.settled(scripts.inspector(session=True), "m.py")
    (scripts.folder / "mended").touch()

    assert scripts.read(scripts.inspector(session=True), "m.py") == {"m": ["a"]}
    assert scripts.read(scripts.inspector(session=False), "m.py") == {"m": ["a"]}


def test_a_view_looks_itself_where_the_session_has_not_looked_for_long(scripts):
    scripts.script("m.py", "'a'")
    view = scripts.inspector(session=False, timeout=1)
    view.leave_to_session(0.0)

    seen = []
    wait_until(lambda: seen.append(scripts.read(view, "m.py")) or seen[-1])

    assert seen[0] == {}
    assert seen[-1] == {"m": ["a"]}


def test_a_view_tells_what_it_waits_for(scripts):
    def come(names):
        told.append(list(names))
        (scripts.folder / "go").touch()

    told = []
    scripts.script("slow.py", "'s'", "wait_for_file('go')")
    scripts.script("quick.py", "'q'")
    view = scripts.inspector(session=False, awaiting=come)

    assert scripts.read(view, "quick.py", "slow.py") == {"quick": ["q"], "slow": ["s"]}
    assert told == [["slow.py"]]
