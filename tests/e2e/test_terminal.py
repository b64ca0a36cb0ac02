"""What a person sees on a terminal."""

import re

import pytest
from terminal import Terminal


@pytest.fixture
def steps(project):
    """A project with a model that reports progress slowly enough to be seen."""
    project.model(
        "steps.py",
        "a",
        "b",
        body="""
        print("\\033[35mhello\\033[0m from", self.current_version.name)
        for step in range(1, 11):
            self.progress(step, 10, loss=1 / step)
            time.sleep(0.06)
        """,
    )
    project.list("steps.py")
    project.list("steps.py", test=True)
    return project


@pytest.mark.parametrize("columns", [80, 200])
def test_a_bar_for_the_run_that_runs_and_a_line_for_each_that_ended(steps, columns):
    terminal = Terminal(steps, "-r", columns=columns)

    assert terminal.run() == 0

    bars = [state for state in terminal.states if "/10 · " in state and "left" in state]
    assert bars, terminal.states[-1]
    assert "steps/a#1 train" in bars[0]
    assert "loss" in bars[-1]
    assert "hello from a" in terminal.text
    assert "✓ steps/a#1" in terminal.text
    assert "✓ steps/b#1" in terminal.text
    assert "2 succeeded" in terminal.text
    assert "/10 · " not in terminal.text  # the bar is gone


def test_test_mode_ends_with_a_table(steps):
    terminal = Terminal(steps)

    assert terminal.run() == 0

    header = next(line for line in terminal.text.splitlines() if line.startswith("run"))
    assert header.split() == ["run", "state", "took", "detail"]
    assert "steps/a  succeeded" in terminal.text


def test_a_failure_stands_out_with_its_reason(project):
    project.model("bad.py", "v", body="raise ValueError('not today')")
    project.list("bad.py")
    terminal = Terminal(project, "-r")

    assert terminal.run() == 1

    assert "✗ bad/v#1" in terminal.text
    assert "failed: ValueError: not today" in terminal.text
    assert b"\x1b[31m" in terminal.raw


def test_no_color_is_obeyed(steps):
    terminal = Terminal(steps, "-r", NO_COLOR="1")

    assert terminal.run() == 0

    codes = {
        code for part in re.findall(rb"\x1b\[([0-9;]*)m", terminal.raw) for code in part.split(b";")
    }
    colours = {code for code in codes if code[:1] in (b"3", b"4", b"9") and len(code) > 1}
    assert colours == set()
    assert "✓ steps/a#1" in terminal.text


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_status_table_fits_the_terminal(steps, columns):
    steps.run("-r")
    terminal = Terminal(steps, "status", columns=columns)

    assert terminal.run() == 0

    assert "steps/a#1" in terminal.text
    assert "done" in terminal.text


def test_a_pipe_gets_plain_lines(steps):
    done = steps.run("-r")

    assert "\x1b" not in done.stdout
    assert "hello from a" in done.stdout
    assert "steps/a#1 started" in done.stdout
    assert "steps/a#1 took" in done.stdout


def test_ctrl_c_leaves_no_bar_behind(project):
    project.model("m.py", "v", body="print('began'); wait_for_file('never')")
    project.list("m.py")
    terminal = Terminal(project, "-r")

    assert terminal.run(interrupt_at="m/v#1 train") == 130

    lines = [line for line in terminal.text.splitlines() if "m/v#1" in line]
    assert len(lines) == 1, terminal.text
    assert "■ m/v#1" in lines[0]
    assert "^C" not in terminal.text


def test_ctrl_c_while_scripts_are_read_is_no_success(project):
    project.script("m.py", "from pathlib import Path\nPath('began').touch()\nwhile True: pass\n")
    project.list("m.py")
    terminal = Terminal(project, "-r")

    assert terminal.run(interrupt_at="reading the model scripts") == 130

    assert "stopped: nothing was running" in terminal.text


def test_a_long_name_leaves_room_for_the_bar(steps):
    (steps.models / "steps.py").rename(steps.models / "long_model_name_for_a_network.py")
    steps.list("long_model_name_for_a_network.py = a")
    terminal = Terminal(steps, "-r", columns=80)

    assert terminal.run() == 0

    bars = [state for state in terminal.states if "/10 · " in state]
    assert bars
    line = next(line for line in bars[-1].splitlines() if "/10 · " in line)
    assert line.startswith(tuple("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"))
    assert "…" in line
    assert "━" in line
    assert "loss" in line


@pytest.mark.parametrize("columns", [40, 80])
def test_a_long_reason_does_not_swamp_the_table(project, columns):
    project.model("bad.py", "v", body="raise ValueError('no ' * 1000)")
    project.list("bad.py")
    project.run("-r")
    terminal = Terminal(project, "status", columns=columns)

    assert terminal.run() == 0

    assert len(terminal.text.splitlines()) < 14
