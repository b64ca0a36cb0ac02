"""``mlpipeline status``: the queue and past runs in one table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from mlpipeline.cli.completion import complete_model_names
from mlpipeline.cli.options import json_option, project_option
from mlpipeline.cli.projects import open_project
from mlpipeline.cli.render import Row as TableRow
from mlpipeline.cli.render import rich_table, show_closing, show_json, show_table
from mlpipeline.cli.room import SEPARATOR, parted, wrapped
from mlpipeline.cli.screen import result_line
from mlpipeline.cli.streams import is_terminal
from mlpipeline.core.runs import Outcome
from mlpipeline.core.standings import State
from mlpipeline.core.wording import (
    as_far_as_known,
    being_inspected,
    duration,
    moment,
    shown,
)
from mlpipeline.errors import MlpipelineError
from mlpipeline.service import views
from mlpipeline.service.queue import Onlooker
from mlpipeline.service.views import Row, Sight, Status

INTERVAL = 1.0  # seconds between two looks of --watch
MANY = 20  # versions that are shown of a state that many may have
OF_MANY = (State.QUEUED.value, State.SKIPPED.value)
FEW = 10  # done versions that are shown where there is nothing else to see
# Of what is listed, and of what is listed no more.
STATES = list(dict.fromkeys(each.value for each in (*State, *Outcome)))


@click.command()
@click.option(
    "-a", "--all", "show_all", is_flag=True, help="Show what is done and not listed, too."
)
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    help="Only these models.",
    shell_complete=complete_model_names,
)
@click.option(
    "-s",
    "--state",
    "states",
    metavar="STATE",
    multiple=True,
    type=click.Choice(STATES),
    help=f"Only these: {', '.join(STATES)}.",
)
@click.option("-w", "--watch", is_flag=True, help="Go on showing it, until Ctrl-C.")
@json_option("one object")
@project_option
def status(
    project: Path,
    show_all: bool,
    models: tuple[str, ...],
    states: tuple[str, ...],
    watch: bool,
    as_json: bool,
) -> None:
    """Show what runs, what is queued and what has failed; what is done is counted.

    Where no session goes on, it shows what `mlpipeline -r -u` would find.

    \b
      mlpipeline status
      mlpipeline status --all --model digits
      mlpipeline status --state failed --json
      mlpipeline status --watch
    """
    opened = open_project(project)
    onlooker = Onlooker(opened)

    def look(*, wait: bool = True) -> tuple[Status, list[Row]]:
        queue = onlooker.look(wait=wait, trust=True)
        seen = views.sights(queue)
        views.check_models(queue, seen, models)
        chosen = views.chosen(seen, models, states)
        hidden: Mapping[str, int] = {}
        if not (as_json or show_all or states):
            chosen, hidden = _worth_seeing(chosen)
        found = views.status(opened, queue, seen, chosen)
        return found, _with_the_rest(found.rows, hidden)

    found, rows = look()
    if watch and not as_json:
        _watch(partial(look, wait=False))
        return
    if as_json:
        show_json(found)
    else:
        for warning in found.warnings:
            click.echo(f"mlpipeline: {warning}", err=True)
        show_table([_line(row, found.at) for row in rows])
        show_closing(closing(found))
    if found.problems:
        raise MlpipelineError("\n".join(found.problems))


def _forecast(found: Status, empty_at: datetime) -> str:
    """When it will be over, or how long it takes once there is a session."""
    if found.session:
        at = moment(empty_at, found.at)
        texts = f"empty about {at}", f"empty at {at} at the earliest"
    else:
        needs = duration((empty_at - found.at).total_seconds())
        texts = f"needs about {needs}", f"needs at least {needs}"
    count = sum(found.counts.get(each.value, 0) for each in (State.RUNNING, State.QUEUED))
    return as_far_as_known(*texts, unknown=found.unknown, count=count)


def closing(found: Status) -> str:
    """The line below the table: who works on it, counts, and when it will be over."""
    counts = [f"{count:,} {state}" for state, count in found.counts.items()]
    if found.unlisted:
        counts.append(f"{found.unlisted:,} not listed")
    if not counts and not found.inspecting:
        return "nothing is listed, and nothing has run yet"
    parts = [", ".join(counts)] if counts else []
    if found.inspecting:
        parts.append(being_inspected(found.inspecting))
    if found.paused:
        parts.append("paused: `mlpipeline resume` goes on")
    elif found.empty_at:
        parts.append(_forecast(found, found.empty_at))
    if found.session:
        who = f"pid {found.pid}" if found.pid else "a session"
        which = f" on {', '.join(found.only)} only" if found.only else ""
        parts.append(f"{who} {'watches' if found.watching else 'works'}{which}")
    elif {each.value for each in (State.RUNNING, State.QUEUED, State.FAILED)} & found.counts.keys():
        again = ", which tries again what failed" * bool(found.counts.get(State.FAILED.value))
        parts.append(f"no session works on it: `mlpipeline start`{again}")
    return SEPARATOR.join(parts)


def _worth_seeing(seen: Sequence[Sight]) -> tuple[Sequence[Sight], Mapping[str, int]]:
    """All but what is done and what is not listed; the newest of that, where there is no more.

    And how many are left out of a state that many have.
    """
    done = State.DONE.value
    rest = [sight for sight in seen if sight.state != done]
    shown = [sight for sight in rest if sight.listed or sight.state == State.RUNNING.value]
    hidden = {}
    for state in OF_MANY:
        places = [place for place, sight in enumerate(shown) if sight.state == state]
        if len(places) > MANY + 1:
            hidden[state] = len(places) - MANY
            del shown[places[MANY] : places[-1] + 1]
    shown += [sight for sight in seen if sight.state == done and sight.reason]
    return shown or seen[-FEW:], hidden


def _with_the_rest(rows: Sequence[Row], hidden: Mapping[str, int]) -> list[Row]:
    """``rows``, with one for those of each state that are left out."""
    whole = list(rows)
    for state, count in hidden.items():
        rest = Row(run=f"… {count} more", model="", state=state, reason="`--all` shows them")
        last = max(place for place, row in enumerate(whole) if row.state == state and row.listed)
        whole.insert(last + 1, rest)
    return whole


def _line(row: Row, now: datetime) -> TableRow:
    seconds = row.seconds
    if row.state == State.RUNNING.value and row.started:
        seconds = max(0.0, (now - row.started).total_seconds())  # so far
    return {
        "run": row.run,
        "state": row.state,
        "took": duration(seconds) if seconds is not None else "",
        "left": duration(row.left) if row.left is not None else "",
        "detail": "; ".join(_details(row, now)),
    }


def _details(row: Row, now: datetime) -> Iterator[str]:
    """What else there is to say of a row, the most important first: the end may be cut."""
    if not row.listed:
        yield "not listed"
    if row.progress and row.state == State.RUNNING.value:
        progress = row.progress
        steps = f" {progress.step}/{progress.total}" if progress.total else ""
        yield f"{progress.part}{steps}".strip() or "starts"
        if progress.metrics:
            yield shown(progress.metrics, digits=3)
    if row.state == State.QUEUED.value and row.starts and row.starts > now:
        yield f"starts about {moment(row.starts, now)}"
    if row.reason:
        yield row.reason.removeprefix("failed: ").removeprefix(f"{row.run}: ")
    if row.last_line and row.last_line not in row.reason:
        yield f"last line: {row.last_line}"
    if row.results and row.state in (State.DONE.value, "succeeded"):
        yield result_line(row.results)


def _watch(look: Callable[[], tuple[Status, list[Row]]]) -> None:
    """Draw it again and again, in place."""
    if not is_terminal():
        raise click.UsageError("--watch draws on a terminal; in a pipe, call status again instead")
    from rich.console import Console, Group  # a single look needs less
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            found, rows = look()
            problems = [f"mlpipeline: {text}" for text in found.problems]
            above = [row for text in problems for row in wrapped(text, console.width)]
            below = parted(closing(found), console.width)
            fitting = console.height - len(above) - len(below) - 1  # below the header
            if len(rows) > fitting:
                fitting = max(1, fitting - 1)
                below.insert(0, f"{len(rows) - fitting} more")
            table = rich_table([_line(row, found.at) for row in rows[:fitting]], console.width)
            drawn = [Text(row, "red") for row in above], [Text(row, "dim") for row in below]
            live.update(Group(*drawn[0], table, *drawn[1]), refresh=True)
            time.sleep(INTERVAL)
