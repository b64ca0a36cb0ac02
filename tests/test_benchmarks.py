"""The pure parts of the benchmarks: figures and tables. Nothing is timed here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.figures import WIDTH, median, ratio, spread, table, wrapped
from benchmarks.peers.base import Peer
from benchmarks.per_run import Cost, printed
from benchmarks.projects import make_script, marking
from benchmarks.rounds import Failed, interleave


def test_figures_have_three_digits() -> None:
    assert [median([value]) for value in (0.1234, 1.234, 12.34, 123.4)] == [
        "0.123",
        "1.23",
        "12.3",
        "123",
    ]
    assert spread([3, 1, 2]) == "1.00 to 3.00"


def test_a_ratio_is_that_of_the_medians() -> None:
    assert ratio([1, 3, 50], to=[2, 2, 2]) == "1.50"
    assert ratio([1.0], to=[]) == "–"


def test_a_table_aligns_its_columns() -> None:
    assert table(["peer", "ms"], [["tsp", "1.5"], ["a loop", "20"]]) == (
        "peer     ms\ntsp     1.5\na loop   20"
    )


def test_a_row_that_lacks_a_column_is_refused() -> None:
    with pytest.raises(ValueError):
        table(["peer", "ms"], [["tsp"]])


def test_nothing_is_wider_than_the_screen() -> None:
    long = "word " * 60
    assert all(len(line) <= WIDTH for line in table([long, "ms"], [["a", "1"]]).splitlines())
    assert all(len(line) <= WIDTH for line in wrapped(long).splitlines())


def test_contestants_take_turns() -> None:
    order: list[str] = []
    measured, problems = interleave(
        {"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2
    )
    assert order == ["a", "b", "a", "b"]
    assert measured == {"a": [None, None], "b": [None, None]}
    assert problems == {}


def test_one_that_fails_is_left_out_and_says_why() -> None:
    tries: list[int] = []

    def fail() -> float:
        tries.append(1)
        raise Failed("did 1 of 2 runs")

    measured, problems = interleave({"broken": fail, "good": lambda: 1.0}, 3)
    assert measured == {"good": [1.0, 1.0, 1.0]}
    assert problems == {"broken": "did 1 of 2 runs"}
    assert len(tries) == 1


def test_the_table_of_runs_starts_with_the_quickest() -> None:
    peers = [
        Peer("slow one", None, slow=True),
        Peer("bash loop of python script", None),
        Peer("failed", None),
    ]
    times = {"slow one": [Cost(40.0, 40.0)], "bash loop of python script": [Cost(25.0, 20.0)]}
    head, *rows = printed(peers, times, runs=50, slow_runs=5).splitlines()
    assert head.endswith("× shell loop")
    assert [row.split()[-1] for row in rows] == ["1.00", "2.00"]
    assert rows[1].split()[:4] == ["slow", "one", "new", "5"]


def test_a_peer_says_how_it_is_installed() -> None:
    assert Peer("tsp", None, program="tsp", package="task-spooler").remedy == (
        "apt install task-spooler"
    )
    assert Peer("Ray", None, package="ray", extras="[default]").remedy == "pip install ray[default]"


def test_a_run_leaves_a_mark(tmp_path: Path) -> None:
    script = make_script(tmp_path, marking(tmp_path / "marks"))
    for number in range(3):
        subprocess.run([sys.executable, str(script), f"number={number}"], check=True)
    assert (tmp_path / "marks").read_text() == "..."
