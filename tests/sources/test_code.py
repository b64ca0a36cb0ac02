"""Compiled scripts, as a nursery keeps them."""

import os

import pytest

from mlpipeline.sources import code
from mlpipeline.sources.code import MOST, code_of, keep


@pytest.fixture(autouse=True)
def _nothing_is_kept(monkeypatch):
    monkeypatch.setattr(code, "_kept", {})


def value_in(script):
    names = {}
    exec(code_of(str(script)), names)
    return names["VALUE"]


def test_what_is_kept_is_not_compiled_again(tmp_path):
    script = tmp_path / "m.py"
    script.write_text("VALUE = 1")

    keep(str(script))

    assert code_of(str(script)) is code_of(str(script))
    assert value_in(script) == 1


def test_an_edit_counts_though_neither_size_nor_time_tell_of_it(tmp_path):
    script = tmp_path / "m.py"
    script.write_text("VALUE = 1")
    before = script.stat()
    keep(str(script))

    script.write_text("VALUE = 2")
    os.utime(script, ns=(before.st_atime_ns, before.st_mtime_ns))
    keep(str(script))

    assert value_in(script) == 2


def test_a_script_that_changes_is_kept_anew(tmp_path):
    script = tmp_path / "m.py"
    script.write_text("VALUE = 1")
    keep(str(script))
    script.write_text("VALUE = 22")

    keep(str(script))

    assert code_of(str(script)) is code_of(str(script))
    assert value_in(script) == 22


@pytest.mark.parametrize("text", ["VALUE =", "\0", "# coding: none\n", "VALUE = '\\d'"])
def test_what_can_not_be_compiled_or_draws_a_warning_is_for_the_run_to_tell(tmp_path, text):
    script = tmp_path / "m.py"
    script.write_text(text)

    keep(str(script))
    keep(str(tmp_path / "missing.py"))

    if "\\" in text:
        assert value_in(script) == "\\d"
    else:
        with pytest.raises((SyntaxError, ValueError)):
            code_of(str(script))


def test_no_more_than_some_scripts_are_kept(tmp_path):
    for number in range(MOST + 2):
        (tmp_path / f"{number}.py").write_text(f"VALUE = {number}")
        keep(str(tmp_path / f"{number}.py"))

    assert len(code._kept) == MOST
    assert value_in(tmp_path / "0.py") == 0


def test_a_script_does_not_inherit_the_future_of_the_pipeline(tmp_path):
    script = tmp_path / "m.py"
    script.write_text("def f(x: int): pass\nVALUE = f.__annotations__['x']")

    assert value_in(script) is int
