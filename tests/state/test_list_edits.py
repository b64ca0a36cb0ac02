"""Edits of a list: what is edited, and that all else stays."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipeline.core.places import LAST, Place
from mlpipeline.state.list_edits import (
    Add,
    Move,
    Narrow,
    Pause,
    Prioritise,
    Remove,
    edited,
    meant,
    same,
)
from mlpipeline.state.lists import BLACKLIST, WHITELIST, ListText, read_list

FIRST = Place(first=True)
FILES = ["a.py", "b.py", "c.py", "deep/d.py", "deep/e.py"]

TEXT = """\
# the queue
[MLP]
use_blacklist = false

[WHITELISTED_MODELS]
# the baselines
./a.py                 # all versions
b.py : small,   # the first two
   # not the large one

   medium
; what is tried
c.py=lr=0.1,depth=2

# what never runs
[BLACKLISTED_MODELS]
"""


def edit(*changes, text=TEXT):
    for change in changes:
        text = edited(text, WHITELIST, change)
    return text


@pytest.mark.parametrize(
    "change, old, new",
    [
        (Add(path="d.py"), "depth=2\n", "depth=2\nd.py\n"),
        (Add(path="d.py", narrowing="x, y=1"), "depth=2\n", "depth=2\nd.py = x, y=1\n"),
        (Add(path="d.py", place=FIRST), "./a.py", "d.py\n./a.py"),
        (Add(path="d.py", place=Place(before="c.py")), "c.py=", "d.py\nc.py="),
        (Remove("a.py"), "./a.py                 # all versions\n", ""),
        (Remove("c.py"), "c.py=lr=0.1,depth=2\n", ""),
        (Narrow("a.py", "x"), "./a.py   ", "./a.py = x   "),
        (Narrow("c.py", "lr=1"), "c.py=lr=0.1,depth=2", "c.py=lr=1"),
        (Narrow("c.py", None), "c.py=lr=0.1,depth=2", "c.py"),
        (Pause(True), "use_blacklist = false\n", "use_blacklist = false\npaused = yes\n"),
        (Move("a.py", FIRST), "", ""),
        (Move("c.py", LAST), "", ""),
        (Move("b.py", Place(before="c.py")), "", ""),
    ],
)
def test_a_change_touches_its_lines_alone(change, old, new):
    assert edit(change) == TEXT.replace(old, new, 1)


def test_an_entry_that_goes_on_over_lines_is_moved_and_removed_whole_and_comments_stay():
    moved = TEXT.replace("b.py : small,   # the first two\n", "").replace("\n   medium\n", "")
    block = "b.py : small,   # the first two\n\n   medium\n"

    assert edit(Remove("b.py")) == moved
    assert edit(Move("b.py", FIRST)) == moved.replace("./a.py", block + "./a.py")
    assert edit(Move("b.py", LAST)) == moved.replace("depth=2\n", "depth=2\n" + block)


def test_narrowing_an_entry_that_goes_on_over_lines_leaves_one_line():
    narrowed = TEXT.replace(" small,   # the", " large   # the").replace("\n   medium\n", "")

    assert edit(Narrow("b.py", "large")) == narrowed


def test_a_divider_at_the_end_of_a_line_stays_one():
    text = "[WHITELISTED_MODELS]\na.py =\n  x\n  y\nb.py\n"

    assert edit(Narrow("a.py", "y"), text=text) == "[WHITELISTED_MODELS]\na.py = y\nb.py\n"


def test_pausing_and_resuming_gives_the_list_back():
    assert edit(Pause(True), Pause(False)) == TEXT


@pytest.mark.parametrize("said", ["paused = no  # for now", "paused: off  # for now"])
def test_a_setting_that_is_there_is_changed_where_it_stands(said):
    text = f"[MLP]\n{said}\n[WHITELISTED_MODELS]\n"

    expected = text.replace(" no ", " yes ").replace(" off ", " yes ")
    assert edit(Pause(True), text=text) == expected


def test_a_missing_section_of_settings_is_made_at_the_top():
    text = "# mine\r\n[WHITELISTED_MODELS]\r\na.py"

    assert edit(Pause(True), text=text) == f"[MLP]\r\npaused = yes\r\n\r\n{text}"


def test_a_missing_section_of_models_is_made_at_the_end():
    assert edit(Add(path="a.py"), text="[MLP]") == "[MLP]\n\n[WHITELISTED_MODELS]\na.py\n"


def test_line_ends_stay_as_they_are():
    text = TEXT.replace("\n", "\r\n")
    changes = [Add(path="d.py"), Move("d.py", FIRST), Narrow("a.py", "x"), Remove("b.py")]

    assert edit(*changes, text=text) == edit(*changes).replace("\n", "\r\n")


def test_a_missing_line_end_is_added_only_where_something_is_appended():
    text = "[WHITELISTED_MODELS]\na.py\nb.py"

    assert edit(Add(path="c.py"), text=text) == text + "\nc.py\n"
    assert edit(Move("b.py", FIRST), text=text) == "[WHITELISTED_MODELS]\nb.py\na.py"
    assert edit(Narrow("b.py", "x"), text=text) == text + " = x"


def test_indents_are_fitted_so_that_no_entry_goes_on_with_the_one_above():
    text = "[WHITELISTED_MODELS]\n    a.py = x\n     y\nb.py = z\n  w\n"

    added = edit(Add(path="c.py", place=FIRST), text=text)
    moved = edit(Move("a.py", LAST), text=text)
    back = edit(Move("b.py", FIRST), text=text)

    assert "]\n    c.py\n    a.py" in added
    assert moved == "[WHITELISTED_MODELS]\nb.py = z\n  w\na.py = x\n     y\n"
    assert back == "[WHITELISTED_MODELS]\n    b.py = z\n      w\n    a.py = x\n     y\n"


@pytest.fixture(scope="module")
def models_dir():
    folder = Path(tempfile.mkdtemp())
    for name in FILES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    yield folder
    shutil.rmtree(folder)


versions = st.sampled_from(["v", "lr=0.1", "lr=0.1,depth=2", "a:b", "x y", "v#1"])
noise = st.lists(
    st.sampled_from(["", "   ", "# a comment", "  ; another", "\t# c.py", "#[MLP]"]), max_size=2
)


@st.composite
def entries(draw, path, indent):
    """An entry's lines, in one of the ways to write it."""
    spelling = draw(st.sampled_from([path, f"./{path}", f"deep/../{path}"]))
    comment = draw(st.sampled_from(["", " # why", "\t# a=b"]))
    names = draw(st.lists(versions, max_size=3))
    if not names:
        return [f"{indent}{spelling}{draw(st.sampled_from(['', ' =', ' ']))}{comment}"]
    divider = draw(st.sampled_from(["=", " = ", ":", " : "]))
    lines = [f"{indent}{spelling}{divider}{names[0]}{comment}"]
    for name in names[1:]:
        lines += [*draw(noise), f"{indent}  {name},{comment}"]
    return lines


@st.composite
def texts(draw):
    """A good list, its section, and its comments."""
    section = draw(st.sampled_from([WHITELIST, BLACKLIST]))
    indent = draw(st.integers(0, 4))
    lines = [*draw(noise)]
    black = section == BLACKLIST
    if black or draw(st.booleans()):
        lines += ["[MLP]", *draw(noise), f"use_blacklist = {'yes' if black else 'no'}  # so"]
        lines += draw(st.sampled_from([[], ["paused = yes"], ["paused: no # yet"]]))
    lines += [*draw(noise), f"{' ' * draw(st.integers(0, 0 if black else indent))}[{section}] # of"]
    if "[MLP]" in lines:
        lines[-1] = lines[-1].lstrip()
    for path in draw(st.lists(st.sampled_from(FILES), unique=True)):
        lines += [*draw(noise), *draw(entries(path, " " * indent))]
        indent = draw(st.integers(0, indent))
    if draw(st.booleans()):
        other = WHITELIST if black else BLACKLIST
        lines += [*draw(noise), f"[{other}]", "a.py  # there, too", *draw(noise)]
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return end.join(lines) + draw(st.sampled_from(["", end]))


def draw_change(data, models):
    """Some change that can be made to the list."""
    listed = [entry.path for entry in models.entries]
    free = [path for path in FILES if path not in listed]
    narrowing = st.none() | st.lists(versions, min_size=1, max_size=3).map(", ".join)

    def place(others):
        befores = [Place(before=path) for path in others]
        return data.draw(st.sampled_from([FIRST, LAST, *befores]), "place")

    kinds = [Pause] + [Add] * bool(free) + [Remove, Move, Narrow] * bool(listed)
    kind = data.draw(st.sampled_from(kinds), "kind")
    if kind is Pause:
        return Pause(data.draw(st.booleans()))
    if kind is Add:
        path = data.draw(st.sampled_from(free))
        return Add(path=path, narrowing=data.draw(narrowing), place=place(listed))
    path = data.draw(st.sampled_from(listed))
    if kind is Move:
        return Move(path, place([each for each in listed if each != path]))
    return Remove(path) if kind is Remove else Narrow(path, data.draw(narrowing))


def comments(text):
    return [line for line in text.split("\n") if line.strip().startswith(("#", ";"))]


@given(text=texts(), data=st.data())
def test_any_edits_leave_a_list_that_reads_as_meant_with_all_its_comments(models_dir, text, data):
    def read(content):
        return read_list(ListText(Path("models.config"), content, 0), models_dir)

    models, kept = read(text), [line.rstrip("\r") for line in comments(text)]
    for _ in range(data.draw(st.integers(1, 6), "edits")):
        change = draw_change(data, models)
        expected = meant(models, change)

        text = edited(text, models.section, change)
        models = read(text)

        assert same(models, expected), text
        assert [line.rstrip("\r") for line in comments(text)] == kept


LISTED = "[WHITELISTED_MODELS]\na.py\nb.py\n"


def test_a_priority_is_written_corrected_and_taken_away():
    first = edited(LISTED, "WHITELISTED_MODELS", Prioritise("b.py", 5))
    second = edited(first, "WHITELISTED_MODELS", Prioritise("b.py", -1))
    third = edited(second, "WHITELISTED_MODELS", Prioritise("b.py", 0))

    assert first.endswith("[PRIORITIES]\nb.py = 5\n")
    assert second == first.replace("5", "-1")
    assert "b.py =" not in third
    assert third.startswith(LISTED)
