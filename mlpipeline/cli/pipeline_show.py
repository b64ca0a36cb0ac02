"""``mlpipeline pipeline show``: where the steps of a pipeline stand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlpipeline.cli import room
from mlpipeline.cli.completion import complete_model_names
from mlpipeline.cli.options import json_option, project_option
from mlpipeline.cli.render import (
    COLOURS,
    LONGEST_CELL,
    NAME,
    STATE,
    Row,
    plain_table,
    show_json,
    show_table,
    show_text,
)
from mlpipeline.cli.streams import is_terminal
from mlpipeline.core.wording import shown, width

if TYPE_CHECKING:
    from mlpipeline.service.pipeline_steps import StepState

HANG = 9  # columns in that what goes on is, below a step


@click.command()
@click.argument("model", required=False, shell_complete=complete_model_names)
@json_option("one object")
@project_option
def show(model: str | None, project: Path, as_json: bool) -> None:
    """Show where the steps of MODEL stand: what each read, from which run, and made.

    MODEL is a listed pipeline; without it, all are shown.

    \b
      mlpipeline pipeline show
      mlpipeline pipeline show flow
    """
    # A tenth of a second, which `mlpipeline pipeline compile` need not wait for.
    from mlpipeline.cli.projects import open_project
    from mlpipeline.service.pipeline_steps import pipelines
    from mlpipeline.service.queue import Onlooker

    opened = open_project(project)
    found = pipelines(opened, Onlooker(opened).look(trust=True), model or "")
    if as_json:
        show_json(found)
        return
    if not found.pipelines and not found.problems:
        click.echo("no pipeline is listed")
    for number, each in enumerate(found.pipelines):
        click.echo(("\n" if number else "") + f"{each.model} ({each.pipeline})")
        _show_steps([_row(step, each.model) for step in each.steps])
    for number, problem in enumerate(found.problems):
        click.echo("\n" * bool(number or found.pipelines) + f"broken: {problem}")


def _show_steps(rows: list[Row]) -> None:
    """A table; where that would have to be cut, what was read and made goes below each step."""
    is_whole = all(len(text) <= LONGEST_CELL for row in rows for text in row.values())
    if is_terminal():
        widest = max(map(width, plain_table(rows).splitlines()))
        is_whole = is_whole and widest <= room.columns()
    if is_whole:
        show_table(rows)
        return
    longest = max(width(row[NAME]) for row in rows)
    for row in rows:
        name, state = row[NAME], row[STATE]
        gap = " " * (longest - width(name) + room.GAP)
        click.echo(f"{name}{gap}{click.style(state, COLOURS.get(state, 'red') or None)}")
        for key in ("reads", "made"):
            if row[key]:
                show_text(f"  {key:<{HANG - 2}}{row[key]}", hang=HANG)
        if row["detail"]:
            show_text(f"  {row['detail']}", hang=HANG)


def _row(step: StepState, model: str) -> Row:
    own = f"{model}/"  # which stands above the table
    made = [f"{each.name} {_size(each.size)} {each.sha256[:8]}" for each in step.artifacts]
    made += [f"{name} {shown(value)}" for name, value in step.outputs.items()]
    return {
        "run": step.run.removeprefix(own),
        "state": step.state,
        "reads": ", ".join(f"{each.input} of {each.run.removeprefix(own)}" for each in step.reads),
        "made": ", ".join(made),
        "detail": step.reason,
    }


def _size(count: float) -> str:
    """A number of bytes in a few characters."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
