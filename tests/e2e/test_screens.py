"""Every command's screen in a real terminal, of a project in which much is awkward."""

from __future__ import annotations

import itertools
import re

import pytest
from projects import Project, wait_until
from tmux import Tmux

from mlpipeline.core.wording import width

GRID = """
from _base import *

class Trained(Model):
    def train_model(self, input_fn, steps):
        for step in range(1, 21):
            self.log_metrics({"loss": 1 / step, "val_loss": 2 / step}, step)

    def evaluate_model(self, input_fn, steps):
        rate = self.current_version["learning_rate"]
        return {"accuracy": 0.9 + rate, "f1": 0.8, "calibration_error": rate / 3}

made = Versions(dataloader=Data, batch_size=4, epoch_count=2, model_dir_suffix=True)
for number in range(12):
    rate = number / 1000
    made.add(f"learning_rate={rate},depth=2", learning_rate=rate, depth=2)
MODEL = Trained(made)
"""
SLOW = """
for step in range(1, 6):
    self.progress(step, 10, loss=1 / step, accuracy=step / 10)
    self.log_metrics({"loss": 1 / step}, step)
print("half way")
if steps > 1:
    wait_for_file("go")
"""
REASON = "expected a tensor of shape (128, 3, 32, 32), got (3, 32, 32): " + "what a shame; " * 20
LONG = "vision/a_residual_network_with_a_name_that_is_far_too_long_for_a_table.py"
LONG_VERSION = "learning_rate=0.01,weight_decay=0.0005,batch_size=128,augment=mixup"
DONE = "digits.py = " + ", ".join(f"learning_rate=0.00{n},depth=2" for n in (1, 2, 3))
FIRST = "digits/learning_rate=0.001,depth=2"
SECOND = "digits/learning_rate=0.002,depth=2"

# A command -> a word that a person looks for in what it shows.
SCREENS = {
    "status": "slow/warm#1",
    "status --all": "gone/old#1",
    "plan": "depth=2#1",
    "explain bad": "bad/v#2: failed",
    "explain slow/warm": "running",
    f"explain {FIRST}": "it has succeeded",
    "explain held": "held",
    "logs slow/warm": "half way",
    "digest --since 8h": "✗ bad/v#2",
    "results": "learning_rate",
    "results digits --best test.accuracy": "*",
    "results --where state=failed": "bad/v#2",
    "plot loss": "at step 20",
    "show été/日本語の版": "日本語の版",
    "show bad": "failed in train_model",
    "diff bad#1 bad#2": "the same",
    f"diff {SECOND} bad": "test.calibration_error",
    "doctor": "1 problem",
    "--help": "The experiment queue",
}
# In this order each changes something, and the last ones undo what the first ones did.
ORDERS = {
    "move digits.py --last": "moved digits.py last",
    "move digits.py --before left_out.py": "moved digits.py",
    "pause": "models.config: paused",
    "resume": "no longer paused",
    "retry left_out": "is told",
    "skip left_out": "is told",
}
SCRIPTS = ("show bad", f"diff {SECOND} bad")  # show lines of scripts, which stay as they are
TABLES = ["status", "status --all", "plan", "results", "results digits --best test.accuracy"]
NAMES = re.compile(r"[#/]|\.py")  # in each line of a table
CELLS = re.compile(r"\S+(?: \S+)*")


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """What there may be: long names and reasons, Unicode; runs in every state."""
    project = Project(tmp_path_factory.mktemp("busy"))
    base = project.models / "_base.py"
    base.write_text(base.read_text().replace("+ 20", "+ 600"))  # it waits for all these tests
    project.script("digits.py", GRID)
    project.model("été.py", "naïve", "日本語の版", body="self.log_metrics({'loss': 0.5}, 1)")
    project.model("gone.py", "old")
    project.model(LONG, LONG_VERSION)
    project.model("bad.py", "v", body=f"raise ValueError({REASON!r})")
    project.model("held.py", "v", body="raise RuntimeError('CUDA error: an assert was triggered')")
    project.model("left_out.py", "v")
    project.model("slow.py", "warm", "cold", body=SLOW)
    project.script("broken.py", "x = 1\n")
    project.list("gone.py", DONE, "été.py", LONG, "bad.py")
    project.run("-r", "-u")
    waiting = ["slow.py", "broken.py", "digits.py", "left_out.py"]
    project.list("été.py", "bad.py", "held.py", LONG, *waiting)
    project.run("skip", "left_out")
    project.run("start", "--rehearse")
    wait_until(lambda: "half way" in project.run("logs", "slow/warm").stdout, "a run is half way")
    yield project
    project.run("stop", "--now", "--wait")


@pytest.fixture(scope="module", params=[80, 200])
def pane(busy, request):
    """A shell in that project; in a wide terminal, too."""
    with Tmux(busy.folder, columns=request.param, lines=60) as tmux:
        tmux.pane.wait_for_prompt()
        tmux.pane.columns = request.param
        yield tmux.pane


@pytest.mark.parametrize("command", SCREENS)
def test_a_screen_fits_and_breaks_no_words(pane, command):
    fits(pane, command, SCREENS[command])


def test_the_answers_to_orders_fit(pane):
    for command, answer in ORDERS.items():
        fits(pane, command, answer)


def fits(pane, command, word):
    rows = pane.run(f"mlpipeline {command}")

    text = "\n".join(rows)
    assert word in text
    assert pane.exit_code == (command == "doctor")
    assert all(width(row) <= pane.columns for row in rows)
    if command not in SCRIPTS:
        assert "Traceback" not in text
        assert not [line for line in pane.output(joined=True) if is_broken(line, pane.columns)]


def is_broken(line, columns):
    """Whether the terminal broke a line that is not one long word, such as a path."""
    return width(line) > columns and " " in line.strip()


@pytest.mark.parametrize("command", TABLES)
def test_a_table_has_a_line_for_each_run_below_its_headers(pane, command):
    rows = pane.run(f"mlpipeline {command}")

    header, *below = rows[rows.index(next(row for row in rows if re.match(r"( *#  )?run ", row))) :]
    table = list(itertools.takewhile(NAMES.search, below))
    begins, ends = zip(*(found.span() for found in CELLS.finditer(header)), strict=True)
    assert len(table) >= 3
    for row in table:
        for cell in CELLS.finditer(in_columns(row).replace("*", " ")):  # the best, with no header
            assert cell.start() in begins or cell.end() in ends, f"{header}\n{row}"


def in_columns(row):
    """A row with a character for each column that it takes."""
    return "".join(character + " " * (width(character) - 1) for character in row)


def test_watched_status_is_drawn_anew_and_leaves_the_screen_as_it_was(pane, busy):
    pane.run("echo before")
    pane.type("mlpipeline status --watch")
    pane.wait(lambda: pane.rows[0].startswith("run "), "the whole screen is the table's")
    assert "echo before" not in pane.screen

    busy.run("skip", "slow/cold")
    pane.wait(lambda: re.search(r"slow/cold +skipped", pane.screen), "it is drawn anew")
    busy.run("retry", "slow/cold")
    pane.wait(lambda: re.search(r"slow/cold +queued", pane.screen), "and once more")
    pane.press("C-c")

    pane.wait_for_prompt()
    assert pane.exit_code == 130
    assert "before" in pane.screen
    assert "slow/warm#1" not in "\n".join(pane.output())


def test_watched_status_shows_its_closing_line_where_the_table_is_too_long(busy):
    with Tmux(busy.folder, lines=10) as tmux:
        tmux.pane.wait_for_prompt()
        tmux.pane.type("mlpipeline status --watch")

        tmux.pane.wait_for("watches")

        assert re.search(r"^\d+ more$", tmux.pane.screen, re.MULTILINE)
        assert tmux.pane.rows[0].startswith("run ")


def test_a_session_draws_a_bar_then_a_line_and_says_when_it_waits(project):
    project.model(
        "m.py",
        "日本語",
        "bad",
        body="""
        self.progress(1, 2, loss=0.5)
        wait_for_file("go")
        assert self.current_version.name != "bad", "not " * 60
        """,
    )
    project.list("m.py")
    with Tmux(project.folder) as tmux:
        pane = tmux.pane
        pane.wait_for_prompt()
        pane.type("mlpipeline -r -u --watch")
        pane.wait_for("m/日本語#1 train")
        bar = next(row for row in pane.rows if "1/2" in row)
        (project.folder / "go").touch()
        pane.wait_for("mlpipeline waits for models.config to change")
        waiting = pane.rows
        pane.press("C-c")
        pane.wait_for_prompt()

    assert bar.startswith(tuple("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"))
    assert "loss 0.5" in bar
    assert any(row.startswith("✓ m/日本語#1") for row in waiting)
    assert any(row.startswith("✗ m/bad#1") for row in waiting)
    assert not any("1/2" in row for row in waiting)  # bars go with their runs
    assert waiting[-1] == "mlpipeline waits for models.config to change"
