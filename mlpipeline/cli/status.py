"""``mlpipeline status``: the queue and past runs in one table."""

from __future__ import annotations

from pathlib import Path

import click

from mlpipeline.cli.options import project_option
from mlpipeline.cli.render import Row, show_json, show_table
from mlpipeline.cli.screen import results, took
from mlpipeline.core.planning import Standing, State
from mlpipeline.core.runs import Run
from mlpipeline.errors import MlpipelineError
from mlpipeline.service import views
from mlpipeline.service.project import open_project


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array of objects.")
@project_option
def status(project: Path, as_json: bool) -> None:
    """Show the queue and past runs in one table.

    The state is what `mlpipeline -r -u` would make of it. A version whose script was edited after
    it succeeded is done all the same; `mlpipeline -r`, without -u, runs it again.
    """
    found = views.status(open_project(project))
    for warning in found.warnings:
        click.echo(f"mlpipeline: {warning}", err=True)
    rows = [_row(standing) for standing in found.standings] + [_past(run) for run in found.past]
    if as_json:
        show_json(rows)
    else:
        show_table(rows, empty="nothing is listed, and nothing has run yet")
    if found.problems:
        raise MlpipelineError("\n".join(found.problems))


def _row(standing: Standing) -> Row:
    last = standing.last
    version = standing.version.name if standing.version else ""
    ended_well = standing.state is State.DONE and last is not None
    attempt = f"#{last.id.attempt}" if last else ""
    return {
        "run": f"{standing.model.name}/{version}{attempt}" if version else standing.model.path,
        "state": standing.state.value,
        "took": took(last) if last and not last.active else "",
        "detail": "; ".join(
            filter(None, [standing.reason, results(last) if ended_well and last else ""])
        ),
    }


def _past(run: Run) -> Row:
    verdict = run.verdict
    detail = (verdict.reason or results(run)) if verdict else f"on {run.host}"
    return {
        "run": str(run.id),
        "state": verdict.outcome.value if verdict else "running",
        "took": took(run) if verdict else "",
        "detail": "; ".join(filter(None, ["not listed", detail])),
    }
