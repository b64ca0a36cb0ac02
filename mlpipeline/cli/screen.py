"""What a session shows as plain lines, and the words that all its screens share."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from mlpipeline.api.console import printable
from mlpipeline.cli.render import Row, plain_table
from mlpipeline.cli.streams import say
from mlpipeline.core.listening import Ended, Launched, Level, Listener
from mlpipeline.core.runs import Run
from mlpipeline.core.sessions import Result
from mlpipeline.core.wording import duration, shown
from mlpipeline.errors import short

SCROLLS = 10  # runs; after more, the failures are shown once again at the end


class Screen(Listener, AbstractContextManager["Screen"]):
    """A listener that is entered while the session goes on, and ends with a summary.

    Its terminal may be closed meanwhile.
    """

    may_vanish = True

    def __init__(self, *, test: bool, show_output: bool):
        """``show_output``: show what the runs print."""
        self.test = test
        self.shows_output = show_output

    def name(self, run: Run) -> str:
        """The run's name; in test mode, where nothing is kept, without its attempt."""
        return f"{run.id.model}/{run.id.version}" if self.test else str(run.id)

    def summary(self, result: Result, output: Path | None) -> None:
        """The end: what came of the session, and the file ``output`` that has the results."""

    def __exit__(self, *_: object) -> None:
        pass

    def summary_rows(self, result: Result) -> list[Row]:
        """The table at the end: all runs of test mode; else the failures, if they may have scrolled
        away.
        """
        runs = result.runs
        if not self.test:
            runs = tuple(run for run in runs if not run.succeeded) if len(runs) > SCROLLS else ()
        return [
            {
                "run": self.name(run),
                "state": run.verdict.outcome.value,
                "took": took(run),
                "detail": results(run) if run.succeeded else run.verdict.reason,
            }
            for run in runs
            if run.verdict
        ]


class QuietScreen(Screen):
    """Errors and warnings, on stderr."""

    def message(self, at: datetime, level: Level, text: str) -> None:
        """Errors and warnings go to stderr."""
        if level > Level.INFO:
            say(f"mlpipeline: {text}", err=True)


class PlainScreen(Screen):
    """A line for everything that happens, without colours."""

    def message(self, at: datetime, level: Level, text: str) -> None:
        """To stderr."""
        say(f"mlpipeline: {text}", err=True)

    def idle(self, why: str) -> None:
        """Say why."""
        if why:
            say(f"mlpipeline {why}")

    def started(self, launched: Launched) -> None:
        """Say so."""
        how = "resumed" if launched.run.resume else "started"
        say(f"{self.name(launched.run)} {how}")

    def adopted(self, run: Run) -> None:
        """Say so."""
        say(f"{self.name(run)} is still running: going on with it")

    def printed(self, run: Run, lines: list[str]) -> None:
        """Pass it on, in no colours."""
        say(printable("\n".join(lines)))

    def ended(self, ended: Ended) -> None:
        """Say how, how long it took and what came of it."""
        run = ended.run
        say(f"{self.name(run)} took {took(run)}: {outcome(run)}")

    def summary(self, result: Result, output: Path | None) -> None:
        """Counts, and where the results are."""
        if rows := self.summary_rows(result):
            say(plain_table(rows))
        say(closing_line(result, output))


def outcome(run: Run) -> str:
    """How a run ended, with the reason or the results."""
    detail = f": {results(run)}" if run.results and run.succeeded else ""
    return f"{run.verdict}{detail}"


def results(run: Run) -> str:
    """The run's :func:`result_line`."""
    return result_line(run.results)


def result_line(results: dict[str, Any]) -> str:
    """The result on test data (or else on what there is) in one line: ``test accuracy 0.94``."""
    told = {"test": results["test"]} if "test" in results else results
    return "; ".join(f"{data} {shown(value, digits=4)}" for data, value in told.items())


def took(run: Run) -> str:
    """How long a run took."""
    return duration(run.seconds or 0.0)


def closing_line(result: Result, output: Path | None) -> str:
    """The last line of a session."""
    parts = [f"{count} {word}" for word, count in result.counts.items()]
    if result.held:
        parts.append(f"{len(result.held)} held")
    if result.skipped:
        first = result.skipped[0]
        parts.append(f"{len(result.skipped)} skipped ({first.reason})")
    if result.broken:
        broken = len(result.broken)
        parts.append(f"{broken} model{'s' if broken > 1 else ''} can't be used")
    if result.blocked:
        first = result.blocked[0]
        name = f"{first.model.name}/{first.version.name if first.version else ''}"
        parts.append(f"{len(result.blocked)} left to other hosts ({name} {first.reason})")
    if result.left_running:
        parts.append(f"{result.left_running} left running")
    if result.stopped and not parts:
        return "stopped: nothing was running"
    if not parts:
        return "nothing to do: all is done" if result.listed else "nothing to do: nothing is listed"
    stopped = "stopped: " if result.stopped else ""
    return stopped + ", ".join(parts) + (f" · {short(output)}" if output and result.runs else "")
