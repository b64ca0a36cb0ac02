"""``mlpipeline plan``: the next starts, and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from mlpipeline.cli.options import json_option, project_option
from mlpipeline.cli.projects import open_project
from mlpipeline.cli.render import Row, show_closing, show_json, show_table, show_text
from mlpipeline.cli.room import SEPARATOR
from mlpipeline.core.wording import as_far_as_known, being_inspected, duration, moment, plural
from mlpipeline.errors import MlpipelineError
from mlpipeline.service import plan as planning
from mlpipeline.service.plan import Plan
from mlpipeline.service.queue import Onlooker

MOST_TOO_BIG = MOST_SKIPPED = 5  # versions that are named


@click.command()
@click.argument("draft", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("-n", "--count", default=20, show_default=True, help="How many starts to show.")
@json_option("one object")
@project_option
def plan(draft: Path | None, count: int, project: Path, as_json: bool) -> None:
    """Show the next starts in their order, and why; nothing is started.

    DRAFT is a list that is not in use yet, such as an edited copy of models.config: then it is also
    told what that changes. Times are guessed from how long earlier runs took.

    \b
      mlpipeline plan
      mlpipeline plan -n 100
      cp models.config draft; vi draft; mlpipeline plan draft
    """
    opened = open_project(project)
    queue = Onlooker(opened).look(trust=True)
    found = planning.plan(opened, queue, count=max(0, count), draft=draft)
    if as_json:
        show_json(found)
    else:
        for warning in found.warnings:
            click.echo(f"mlpipeline: {warning}", err=True)
        if found.changes is not None:
            click.echo(f"{found.list}: {found.changes}")
        now = queue.at
        rows: list[Row] = [
            {
                "#": str(number),
                "run": start.run,
                "priority": str(start.priority or ""),
                "starts": moment(start.starts, now)
                if start.starts and start.starts > now and not found.paused
                else "",
                "takes": duration(start.seconds) if start.seconds else "",
                "why": start.reason,
            }
            for number, start in enumerate(found.starts, start=1)
        ]
        show_table(rows, right=("#", "priority", "takes"))
        for each in found.too_big[:MOST_TOO_BIG]:
            click.echo(f"{each.version} {each.reason}")
        if (more := len(found.too_big) - MOST_TOO_BIG) > 0:
            click.echo(f"{more} more can't run here")
        for skipped in found.skipped[:MOST_SKIPPED]:
            show_text(f"{skipped.version} is skipped: {skipped.reason}", hang=2)
        if (more := len(found.skipped) - MOST_SKIPPED) > 0:
            click.echo(f"{more} more are skipped")
        show_closing(SEPARATOR.join(_closing(found, now)))
    if found.problems:
        raise MlpipelineError("\n".join(found.problems))


def _closing(found: Plan, now: datetime) -> Iterator[str]:
    if found.running:
        yield f"{plural(len(found.running), 'run')} going on"
    total = len(found.starts) + found.more
    if total or not found.inspecting:
        yield (f"{total:,} to start" if total else "nothing to start") + (
            f", {found.more:,} of them not shown" if found.more else ""
        )
    if found.inspecting:
        yield being_inspected(found.inspecting)
    if found.paused:
        yield "paused: `mlpipeline resume` goes on"
    elif found.empty_at:
        at = moment(found.empty_at, now)
        yield as_far_as_known(
            f"empty about {at}",
            f"empty at {at} at the earliest",
            unknown=found.unknown,
            count=total + len(found.running),
        )
    if not found.session and total:
        yield "no session works on it: `mlpipeline start`"
