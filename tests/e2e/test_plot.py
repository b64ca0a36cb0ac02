"""``mlpipeline plot``: learning curves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from projects import Project
from terminal import Terminal

BODY = """
rate = float(self.current_version.name)
for step in range(1, 101):
    self.log_metrics({"loss": rate + 10 / step, "zero": 0}, step)
self.log_metrics({f"only_{rate:g}": 1, "hole": float("nan")}, 7)
"""
BLOCKS = {chr(code) for code in range(0x2801, 0x2900)}  # braille


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """Ten versions that logged a loss; nothing changes it."""
    project = Project(tmp_path_factory.mktemp("logged"))
    project.configure(parallel=2)
    project.model("m.py", *map(str, range(10)), body=BODY)
    project.list("m.py")
    project.run("-r")
    return project


def test_a_curve_with_its_axes_and_its_name(logged):
    done = logged.run("plot", "loss", "m/3")

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].strip() == "loss"
    assert lines[-2].strip() == "step"
    assert lines[-3].split() == ["1", "26", "50", "75", "100"]
    assert lines[-1] == "━━ m/3#1  3.1 at step 100"
    assert lines[2].split("┤")[0].strip() == "13"
    assert BLOCKS & {*done.stdout}
    assert "\x1b" not in done.stdout


def test_several_curves_are_told_apart_without_colours(logged):
    lines = logged.run("plot", "loss", "m/3", "m/8").stdout.splitlines()

    assert lines[-2:] == ["aa m/3#1  3.1 at step 100", "bb m/8#1  8.1 at step 100"]
    plotted = "".join(lines[1:-3])
    assert plotted.count("a") > 20
    assert plotted.rindex("b") < plotted.rindex("a")  # it is the higher one


def test_without_a_run_the_best_are_drawn_and_the_rest_is_counted(logged):
    done = logged.run("plot", "loss")

    assert done.returncode == 0, done.stderr
    *lines, more = done.stdout.splitlines()
    names = [line.split()[1] for line in lines if "at step" in line]
    assert names == [f"m/{version}#1" for version in range(8)]
    assert more.startswith("2 more runs: name those to draw")


def test_only_runs_that_have_the_metric_are_drawn(logged):
    done = logged.run("plot", "only_4")

    assert [line for line in done.stdout.splitlines() if "at step" in line] == [
        "━━ m/4#1  1 at step 7"
    ]


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["los"], "no run has logged 'los' (did you mean loss?)"),
        (["zzz"], "no run has logged 'zzz'; logged are loss, zero, only_0, hole"),
        (["only_4", "m/5"], "no run of these has logged 'only_4' (did you mean only_5?)"),
        (["hole", "m/1"], "all that was logged of hole is NaN or infinite"),
        (["loss", "m/nothing"], "no run is called m/nothing"),
        (["loss", "--json", "--html", "x"], "--html and --json do not go together"),
    ],
    ids=str,
)
def test_what_can_not_be_drawn_is_said(logged, arguments, complaint):
    done = logged.run("plot", *arguments)

    assert done.returncode == 2
    assert complaint in done.stderr


def test_where_nothing_was_logged_it_says_how(project):
    project.model("m.py", "v")
    project.list("m.py")
    project.run("-r")

    assert "a model script does with self.log_metrics(" in project.run("plot", "loss").stderr


def test_of_runs_whose_points_are_gone_it_says_so(project):
    project.model("m.py", "v", body="self.log_metrics({'loss': 1})")
    project.list("m.py")
    project.run("-r")
    (project.folder_of("m", "v") / "metrics.jsonl").unlink()

    assert "the points of 'loss' are gone" in project.run("plot", "loss").stderr


def test_a_flat_curve_and_a_single_point_are_drawn(logged):
    assert "━━ m/2#1  0 at step 100" in logged.run("plot", "zero", "m/2").stdout
    assert "━━ m/2#1  1 at step 7" in logged.run("plot", "only_2").stdout


@pytest.mark.parametrize("arguments", [["m/3"], []], ids=["one", "many"])
def test_where_there_is_only_ascii_it_is_ascii(logged, arguments):
    done = logged.run("plot", "loss", *arguments, PYTHONIOENCODING="ascii")

    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert "?" not in done.stdout
    assert "|" in done.stdout


@pytest.mark.parametrize("columns, lines", [(40, 24), (80, 24), (80, 40), (200, 50)])
def test_a_plot_fits_the_terminal(logged, columns, lines):
    terminal = Terminal(logged, "plot", "loss", columns=columns, lines=lines)

    assert terminal.run() == 0

    drawn = terminal.text.splitlines()
    assert len(drawn) < lines
    assert drawn[0].strip() == "loss"
    (top,) = (line for line in drawn if "┌" in line)
    assert len(top) == columns
    assert top.endswith("┐")
    assert "━━ m/0#1  0.1 at step 100" in terminal.text
    assert b"\x1b[38;5;" in terminal.raw


def test_no_color_is_obeyed(logged):
    terminal = Terminal(logged, "plot", "loss", NO_COLOR="1")

    assert terminal.run() == 0

    assert b"\x1b[" not in terminal.raw
    assert "aa m/0#1" in terminal.text


def test_json_has_all_points(logged):
    found = json.loads(logged.run("plot", "loss", "m/3", "m/4", "--json").stdout)

    assert (found["metric"], found["more"]) == ("loss", 0)
    first, second = found["curves"]
    assert (first["run"], first["state"]) == ("m/3#1", "succeeded")
    assert first["steps"] == list(range(1, 101))
    assert first["values"][:2] == [13.0, 8.0]
    assert second["run"] == "m/4#1"


def test_json_has_null_for_what_is_no_finite_number(logged):
    (curve,) = json.loads(logged.run("plot", "hole", "m/3", "--json").stdout)["curves"]

    assert curve["values"] == [None]


def test_a_page_needs_nothing_else(logged, tmp_path):
    page = tmp_path / "loss.html"

    done = logged.run("plot", "loss", "m/3", "--html", str(page))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"wrote {page}\n"
    html = page.read_text()
    assert "<title>loss</title>" in html
    assert r"m\u002f3#1" in html
    assert "<script src=" not in html
    assert html.rstrip().endswith("</html>")


def test_a_name_can_not_break_the_page(project):
    name = "</script><b>x"
    project.model("m.py", name, body="self.log_metrics({'</script><i>': 1})")
    project.list("m.py")
    project.run("-r")

    done = project.run("plot", "</script><i>", "--html", "x.html")

    assert done.returncode == 0, done.stderr
    page = (project.folder / "x.html").read_text()
    assert "<b>x" not in page
    assert "<i>" not in page[: page.index("<body>")]


def test_a_page_that_can_not_be_written_is_said(logged, tmp_path):
    done = logged.run("plot", "loss", "--html", str(tmp_path / "none" / "x.html"))

    assert done.returncode == 2
    assert "can't be written: No such file or directory" in done.stderr


def test_without_plotly_it_says_what_to_install(logged, tmp_path):
    (tmp_path / "plotly.py").write_text("raise ModuleNotFoundError('plotly')\n")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])

    done = logged.run("plot", "loss", "--html", "x.html", PYTHONPATH=path)

    assert done.returncode == 2
    assert "pip install 'mlpipeline[html]'" in done.stderr


@pytest.mark.parametrize("arguments", [["plot", "loss", "--json"], ["results"], ["plot", "-h"]])
def test_what_draws_is_imported_only_to_draw(logged, arguments):
    code = (
        f"import sys; sys.argv = ['mlpipeline', *{arguments!r}]\n"
        "from mlpipeline.cli.main import main\n"
        "try: main()\n"
        "finally: print(*{'plotext', 'plotly', 'yaml', 'rich'} & {*sys.modules}, file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=logged.folder, capture_output=True, text=True
    )

    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_a_resumed_run_is_drawn_from_its_first_step(project):
    project.model(
        "m.py",
        "v",
        body="""
        first = not Path("failed").exists()
        for step in range(1, 6) if first else range(4, 9):
            self.log_metrics({"loss": step if first else -step}, step)
        if first:
            Path("failed").touch()
            os.kill(os.getpid(), 9)
        """,
    )
    project.list("m.py")
    project.run("-r", "-u")
    project.run("-r", "-u")

    (curve,) = json.loads(project.run("plot", "loss", "--json").stdout)["curves"]

    assert curve["run"] == "m/v#2"
    assert curve["steps"] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert curve["values"] == [1, 2, 3, -4, -5, -6, -7, -8]


def test_track_tells_metrics_their_step(project):
    project.model(
        "m.py",
        "v",
        body="""
        for item in self.track("abc"):
            self.log_metrics({"loss": 1})
        """,
    )
    project.list("m.py")
    project.run("-r")

    (curve,) = json.loads(project.run("plot", "loss", "--json").stdout)["curves"]

    assert curve["steps"] == [1, 2, 3]


def test_a_script_run_by_hand_logs_nowhere(project):
    project.model("m.py", "v", body="self.log_metrics({'loss': 1})")
    (project.models / "by_hand.py").write_text(
        "import mlpipeline\nfrom m import MODEL\n"
        "mlpipeline.log_metrics({'loss': 1})\nMODEL.train_model(None, 1)\n"
    )

    done = subprocess.run(
        [sys.executable, "by_hand.py"], cwd=project.models, capture_output=True, text=True
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_module_logs_as_the_model_does(project):
    project.model(
        "m.py", "v", body="import mlpipeline; mlpipeline.log_metrics({'loss': 2}, step=5)"
    )
    project.list("m.py")
    project.run("-r")

    (curve,) = json.loads(project.run("plot", "loss", "--json").stdout)["curves"]

    assert (curve["steps"], curve["values"]) == ([5], [2])


def test_what_was_logged_is_summed_up_in_the_records_of_the_run(project):
    project.model(
        "m.py", "v", body="self.log_metrics({'loss': 2}, 5); self.log_metrics({'loss': 3})"
    )
    project.list("m.py")
    project.run("-r")

    record = json.loads((project.folder_of("m", "v") / "exit.json").read_text())

    assert record["report"]["metrics"]["loss"] == {
        "count": 2,
        "first_step": 5,
        "last": 3,
        "last_step": 6,
        "min": 2,
        "min_step": 5,
        "max": 3,
        "max_step": 6,
    }
