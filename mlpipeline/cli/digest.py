"""``mlpipeline digest``: what happened while nobody looked."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from mlpipeline.cli.options import json_option, project_option
from mlpipeline.cli.render import show_json, show_text
from mlpipeline.core.digest import Digest, told
from mlpipeline.core.since import FORMS, moment_of
from mlpipeline.service import digests
from mlpipeline.service.project import Project, open_project
from mlpipeline.service.queue import Onlooker

ROWS = 2  # of a failure: `mlpipeline explain` has all that it said


@click.command()
@click.option("--since", metavar="WHEN", help=f"{FORMS}.  [default: since you last looked]")
@json_option("one object")
@project_option
def digest(since: str | None, project: Path, as_json: bool) -> None:
    """Tell what happened: runs that ended, failures, new bests, hours used, what is next.

    Without --since: since you last ran this, or started a session, on a terminal.

    \b
      mlpipeline digest
      mlpipeline digest --since friday
      mlpipeline digest --since 8h --json
    """
    opened = open_project(project)
    queue = Onlooker(opened).look()
    try:
        begin = moment_of(since, queue.at) if since else digests.last_look(opened, queue.at)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from None
    found = digests.digest_of(opened, queue, begin)
    if as_json:
        show_json(found)
        return
    _show(found)
    if sys.stdout.isatty():
        digests.note_look(opened, queue.at)


def greet(project: Project) -> None:
    """Tell one who returns to the terminal what has happened since, if anything has."""
    now = datetime.now().astimezone()
    found = digests.news(project, now)
    if found:
        _show(found, ahead=False, dim=True)
    digests.note_look(project, now)


def _show(found: Digest, *, ahead: bool = True, dim: bool = False) -> None:
    for line in told(found, ahead=ahead):
        most = ROWS if line.lstrip().startswith("✗") else None
        show_text(line, hang=4, most=most, dim=dim)
