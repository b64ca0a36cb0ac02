"""``mlpipeline plot METRIC``: learning curves."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from mlpipeline.cli.completion import complete_metrics, complete_runs
from mlpipeline.cli.options import json_option, project_option
from mlpipeline.cli.projects import open_project
from mlpipeline.cli.render import show_json
from mlpipeline.cli.streams import has_colours, is_terminal
from mlpipeline.core.wording import plural, shortened, shown
from mlpipeline.errors import MlpipelineError, short
from mlpipeline.service.learning import Curve, LearningCurves, learning_curves

LOWEST, HIGHEST = 10, 30  # lines that a plot takes


@click.command()
@click.argument("metric", shell_complete=complete_metrics)
@click.argument("runs", metavar="[RUN]...", nargs=-1, shell_complete=complete_runs)
@click.option("--html", type=click.Path(path_type=Path), help="Write a page for a browser there.")
@json_option("one object with all points")
@project_option
def plot(
    metric: str, runs: tuple[str, ...], html: Path | None, as_json: bool, project: Path
) -> None:
    """Draw METRIC over the steps of runs, as far as they are.

    RUN is MODEL/VERSION#ATTEMPT; without #ATTEMPT, the newest one. Without RUN: the best of all
    versions that logged METRIC. A run that was resumed is drawn from its first step.

    \b
      mlpipeline plot loss
      mlpipeline plot val_accuracy digits/lr=0.1 digits/lr=0.3
      mlpipeline plot loss --html loss.html
    """
    if html and as_json:
        raise click.UsageError("--html and --json do not go together")
    found = learning_curves(open_project(project), metric, runs)
    if as_json:
        show_json(found)
        return
    if html:
        from mlpipeline.service.pages import write_page  # needs plotly

        write_page(html, found)
        click.echo(f"wrote {short(html)}")
    else:
        click.echo(_drawn(found), color=True)  # what goes elsewhere has no colours
    if found.more:
        click.echo(
            f"{plural(found.more, 'more run')}: name those to draw; "
            f"`mlpipeline results --best {metric}.best` lists all"
        )


def _drawn(found: LearningCurves) -> str:
    """The curves in the terminal's size; in a pipe 80 columns wide."""
    from mlpipeline.cli.drawing import Line, draw  # needs plotext

    size = shutil.get_terminal_size()
    longest = size.columns // 2 if is_terminal() else None
    lines = [
        Line(shortened(curve.run, longest) if longest else curve.run, points, _note(curve))
        for curve in found.curves
        if (points := curve.points())
    ]
    if not lines:
        raise MlpipelineError(f"all that was logged of {found.metric} is NaN or infinite")
    return draw(
        found.metric,
        lines,
        width=size.columns,
        height=max(LOWEST, min(HIGHEST, size.lines - len(lines) - 3)),
        colours=has_colours(),
        ascii_only="utf" not in (sys.stdout.encoding or "").lower(),
    )


def _note(curve: Curve) -> str:
    """How far it came."""
    last = curve.values[-1]
    value = "not finite" if last is None else shown(last, digits=4)
    running = ", running" if curve.state == "running" else ""
    return f"{value} at step {curve.steps[-1]}{running}"
