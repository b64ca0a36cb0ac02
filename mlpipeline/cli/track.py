"""``mlpipeline track``: what is missing in MLflow is sent now."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mlpipeline.cli.options import json_option, project_option
from mlpipeline.cli.projects import open_project
from mlpipeline.cli.render import show_json
from mlpipeline.cli.streams import complain
from mlpipeline.service import tracking

MARKS = {"sent": "✓", "missing": "✗", "running": "·"}


@click.command()
@click.option("--all", "all_runs", is_flag=True, help="Also runs from before there was [MLFLOW].")
@json_option("one object")
@project_option
def track(all_runs: bool, as_json: bool, project: Path) -> None:
    """Send to MLflow what is missing there, and say what that was.

    Sessions do so themselves, to where the section [MLFLOW] of mlp.config says: as runs go on, and
    at their start what an earlier one has not sent. The exit code is 1 when something is missing
    afterwards. Nothing is sent twice.

    \b
      mlpipeline track
      mlpipeline track --all

    \b
      [MLFLOW]
      tracking_uri = http://tracking.example.org:5000
      experiment = team/{model}
    """
    done = tracking.track(open_project(project), all_runs=all_runs)
    if as_json:
        show_json(done)
    else:
        _show(done)
    sys.exit(1 if done.is_missing and not done.busy else 0)


def _show(done: tracking.Tracking) -> None:
    for each in done.runs:
        where = f": MLflow run {each.mlflow_run}" if each.mlflow_run else ""
        click.echo(f"{MARKS[each.state]} {each.run} {each.state}{where}")
    for text in done.left_out:
        click.echo(f"! {text}")
    if done.busy:
        click.echo("a session of this host sends them; nothing was done here")
    elif done.problem:
        complain(done.problem)
    if not done.runs:
        click.echo("nothing is missing in MLflow")
