"""A session on a terminal: a line for each finished run, and a bar for each one that runs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID
from rich.table import Column
from rich.text import Text

from mlpipeline.cli.render import rich_table
from mlpipeline.cli.screen import Screen, closing_line, results, took
from mlpipeline.core import launch
from mlpipeline.core.listening import Ended, Launched, Level
from mlpipeline.core.runs import Outcome, Run, RunId
from mlpipeline.core.sessions import Result
from mlpipeline.core.wording import duration, shortened, shown

MARKS = {
    Outcome.SUCCEEDED: ("✓", "green"),
    Outcome.INTERRUPTED: ("■", "yellow"),
    Outcome.LOST: ("?", "yellow"),
}
FAILURE = ("✗", "red")
ROOMY = 100  # columns
MOST_LINES = 1_000  # of what a run prints between two looks: nobody reads more in that time
LONGEST = 10_000  # characters of one of them
LEVELS = {Level.INFO: "", Level.WARNING: "yellow", Level.ERROR: "red"}


class LiveScreen(Screen):
    """Draws with rich; refreshed by the scheduler's ticks, so that it needs no thread."""

    def __init__(self, *, test: bool, show_output: bool):
        super().__init__(test=test, show_output=show_output)
        self._console = Console(highlight=False)
        self._progress = _Bars(
            _Spinner(table_column=Column(width=1)),
            _Name(self._console, table_column=Column(no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=6 if self._console.width < ROOMY else 20),
            _Steps(table_column=Column(no_wrap=True)),
            _Metrics(table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            console=self._console,
        )
        self._tasks: dict[RunId, TaskID] = {}

    def __enter__(self) -> LiveScreen:
        self._progress.start()
        self._reading = self._add_task("reading the model scripts")
        self._progress.refresh()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def message(self, at: datetime, level: Level, text: str) -> None:
        """A coloured line."""
        self._console.print(Text(text, style=LEVELS[level]))

    def ready(self) -> None:
        """The first bar goes."""
        self._progress.update(self._reading, visible=False)

    def started(self, launched: Launched) -> None:
        """A bar appears."""
        self._add(launched.run)

    def adopted(self, run: Run) -> None:
        """A bar appears, and a line says why."""
        self._console.print(Text(f"{self.name(run)} is still running: going on with it"))
        self._add(run)

    def printed(self, run: Run, lines: list[str]) -> None:
        """What the run printed goes above the bar; of a line drawn over itself, the last state.

        Of a flood that nobody can read, only the end; of a line as long as that, its begin.
        """
        if more := max(0, len(lines) - MOST_LINES):
            self._console.print(Text(f"[{more:,} lines left out here: see console.log]"))
        for line in lines[more:]:
            state = line.rpartition("\r")[2]
            if more := max(0, len(state) - LONGEST):
                state = f"{state[:LONGEST]}\033[0m [{more:,} characters left out here]"
            self._console.print(Text.from_ansi(state), soft_wrap=True)

    def progressed(self, run: Run, progress: launch.Progress) -> None:
        """The bar moves."""
        if run.id in self._tasks:
            self._progress.update(
                self._tasks[run.id],
                completed=progress.step,
                total=progress.total,
                part=progress.part,
                rate=progress.rate,
                metrics=shown(progress.metrics, digits=3),
            )

    def ended(self, ended: Ended) -> None:
        """The bar becomes a line."""
        run = ended.run
        task = self._tasks.pop(run.id, None)
        if task is not None:
            self._progress.remove_task(task)
        assert run.verdict is not None
        mark, colour = MARKS.get(run.verdict.outcome, FAILURE)
        detail = str(run.verdict) if not run.succeeded else "" if self.test else results(run)
        self._console.print(
            Text.assemble(
                (f"{mark} ", colour),
                (shortened(self.name(run), self._console.width // 2), "bold"),
                (f"  {took(run)}", "dim"),
                (f"  {detail}", "" if run.succeeded else colour),
            ),
            soft_wrap=False,
        )

    def idle(self, why: str) -> None:
        """A line says why."""
        if why:
            self._console.print(Text(f"mlpipeline {why}", style="dim"))

    def tick(self) -> None:
        """Draw anew."""
        self._progress.refresh()

    def summary(self, result: Result, output: Path | None) -> None:
        """Test mode ends with a table; execution mode with the failures and counts."""
        if rows := self.summary_rows(result):
            self._console.print(rich_table(rows, self._console.width))
        colour = "red" if result.failed else "green"
        self._console.print(Text(closing_line(result, output), style=colour))

    def _add(self, run: Run) -> None:
        self._tasks[run.id] = self._add_task(self.name(run), part="starting")

    def _add_task(self, name: str, *, part: str = "") -> TaskID:
        return self._progress.add_task(name, total=None, part=part, rate=None, metrics="")


class _Bars(Progress):
    """Leaves the end of each line free: what the terminal echoes there (^C) must not wrap."""

    def __init__(self, *columns: ProgressColumn, console: Console):
        self._terminal = console
        super().__init__(*columns, console=console, expand=True, transient=True, auto_refresh=False)

    def get_renderable(self) -> RenderableType:
        return Constrain(super().get_renderable(), self._terminal.width - len("^C") - 1)


class _Spinner(SpinnerColumn):
    """Turns as long as the run is there, also when all steps are done."""

    def render(self, task: Task) -> RenderableType:
        return self.spinner.render(task.get_time())


class _Name(ProgressColumn):
    """The run's name, at most a third of the line, and the part that it is in."""

    def __init__(self, console: Console, table_column: Column):
        super().__init__(table_column)
        self._console = console

    def render(self, task: Task) -> Text:
        name = shortened(task.description, self._console.width // 3)
        return Text.assemble(name, (f" {task.fields['part']}", "dim"))


class _Steps(ProgressColumn):
    """Steps done, rate and time left; without steps the time that the run took so far."""

    def render(self, task: Task) -> Text:
        if not task.completed:
            return Text(duration(task.elapsed or 0.0), style="dim")
        total, rate = task.total, task.fields["rate"]
        if total and task.completed > total:
            total = None  # the script knows better
        words = [f"{task.completed:.0f}" + (f"/{total:.0f}" if total else "")]
        if rate:
            words.append(f"{rate:.3g}/s" if rate >= 1 else f"{1 / rate:.3g} s each")
            if total:
                words.append(f"{duration(max(0.0, total - task.completed) / rate)} left")
        return Text(" · ".join(words))


class _Metrics(ProgressColumn):
    """The metrics that the script gave with its progress."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["metrics"], style="cyan")
