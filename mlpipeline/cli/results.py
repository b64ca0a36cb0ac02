"""``mlpipeline results``: parameters, results and metrics of runs, side by side."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from mlpipeline.cli.completion import complete_runs_and_models, complete_values
from mlpipeline.cli.fitting import ResultTable
from mlpipeline.cli.options import json_option, project_option
from mlpipeline.cli.projects import open_project
from mlpipeline.cli.render import plain_table, show_json, show_table
from mlpipeline.cli.streams import is_terminal
from mlpipeline.core.wording import plural
from mlpipeline.service import results as service
from mlpipeline.service import selection
from mlpipeline.service.results import Results
from mlpipeline.service.selection import Column

MANY = 500  # rows; more are put into lines without rich, which takes its time


@click.command()
@click.argument(
    "names", metavar="[RUN|MODEL]...", nargs=-1, shell_complete=complete_runs_and_models
)
@click.option(
    "--sort",
    metavar="NAME",
    help="Order by a value; -NAME: the largest first.",
    shell_complete=complete_values,
)
@click.option(
    "--where",
    metavar="CONDITION",
    multiple=True,
    help="Only runs with lr<0.1, say; repeatable.",
    shell_complete=complete_values,
)
@click.option(
    "--best",
    metavar="NAME",
    help="The best first, by a result or a metric.",
    shell_complete=complete_values,
)
@click.option("--minimize", "lower", flag_value="yes", help="With --best: less is better.")
@click.option("--maximize", "lower", flag_value="no", help="With --best: more is better.")
@click.option("--all", "attempts", is_flag=True, help="All attempts, not just the newest ones.")
@click.option("--csv", "as_csv", is_flag=True, help="Print all values as CSV.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the table as Markdown.")
@json_option("one object")
@project_option
def results(
    project: Path,
    names: tuple[str, ...],
    sort: str | None,
    where: tuple[str, ...],
    best: str | None,
    lower: str | None,
    attempts: bool,
    as_csv: bool,
    as_markdown: bool,
    as_json: bool,
) -> None:
    """Show what runs came to: the parameters that differ, results and metrics.

    By default the newest run of every version; RUN is MODEL/VERSION or MODEL/VERSION#ATTEMPT.

    \b
      mlpipeline results digits --best test.accuracy
      mlpipeline results --where 'learning_rate<0.1' --where state=succeeded
      mlpipeline results --sort -seconds
      mlpipeline results --csv > results.csv

    NAME is a parameter, a result (test.accuracy), a metric (loss: its last value; loss.best: its
    best one), or model, version, attempt, state or seconds. Conditions have < <= > >= = or !=;
    numbers compare as numbers, words as words. For --best, less is better of what is called a loss,
    an error or the like; of all else, more.
    """
    if as_csv + as_markdown + as_json > 1:
        raise click.UsageError("--csv, --markdown and --json do not go together")
    if best and sort:
        raise click.UsageError("--best and --sort do not go together")
    if lower and not best:
        raise click.UsageError(f"--{'min' if lower == 'yes' else 'max'}imize goes with --best")
    found = service.results(open_project(project), names, attempts=attempts)
    known = selection.columns(found.runs)
    asked: list[Column] = []
    if found.runs:
        found, asked = _selected(found, known, where, sort, best, lower)
    if as_json:
        show_json(found)
    elif as_csv:
        click.echo(_csv(found, known).encode(), nl=False)
    elif as_markdown:
        click.echo(_markdown(ResultTable(found, known, asked)))
    else:
        _show(found, known, asked, empty="no run fits" if where else "nothing has run yet")


def _selected(
    found: Results,
    known: Sequence[Column],
    where: Sequence[str],
    sort: str | None,
    best: str | None,
    lower: str | None,
) -> tuple[Results, list[Column]]:
    """The runs that are asked for, in their order, and the columns that were named for it."""
    conditions = [selection.condition(text, known) for text in where]
    asked = [condition.column for condition in conditions]
    runs = [run for run in found.runs if all(each.holds(run) for each in conditions)]
    found = Results(runs=tuple(runs))
    if sort:
        by = selection.column(sort.removeprefix("-"), known)
        runs = selection.ordered(runs, by, descending=sort.startswith("-"))
        return Results(runs=tuple(runs)), [by, *asked]
    if best:
        by = selection.column(best, known)
        less = selection.is_lower_better(by) if lower is None else lower == "yes"
        return selection.best_first(found, by, lower=less), [by, *asked]
    return found, asked


def _show(found: Results, known: Sequence[Column], asked: Sequence[Column], empty: str) -> None:
    width = shutil.get_terminal_size().columns if is_terminal() else None
    table = ResultTable(found, known, asked, width)
    if len(table.rows) > MANY:
        click.echo(plain_table(table.rows, table.right))
    else:
        show_table(table.rows, empty=empty, right=table.right)
    if table.more:
        click.echo(f"{plural(table.more, 'more column')}: --csv has all")


def _csv(found: Results, known: Sequence[Column]) -> str:
    """All values in full precision; a list or an object as JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in known])
    writer.writerows([_plain(column.of(run)) for column in known] for run in found.runs)
    return text.getvalue()


def _plain(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if isinstance(value, (list, dict)) else value


def _markdown(table: ResultTable) -> str:
    names = [name for name in table.columns if any(row[name] for row in table.rows)]
    lines = [names, ["--:" if name in table.right else ":--" for name in names]]
    lines += [[row[name].replace("|", "\\|") for name in names] for row in table.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines if names)
