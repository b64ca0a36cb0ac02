"""``mlpipeline start``: a session in the background."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mlpipeline.cli.options import json_option, parallel_option, project_option
from mlpipeline.cli.projects import open_project
from mlpipeline.cli.render import show_json
from mlpipeline.service import background


@click.command()
@click.option("--rehearse", is_flag=True, help="First try each new version in test mode.")
@parallel_option("So many runs at a time, or auto: one a CPU.  [default: mlp.config]")
@click.option("-n", "--no-log", is_flag=True, help="Write no log-<hostname>.")
@json_option("one object")
@project_option
def start(rehearse: bool, parallel: str | None, no_log: bool, as_json: bool, project: Path) -> None:
    """Work on the list in the background, and stay when it is empty.

    Runs `mlpipeline -r -u --watch` without a terminal, and returns as soon as that has the project.
    What the process itself says goes to outputs/daemon-<hostname>.log. When it ends at once, its
    words and its exit code are passed on; 3: another session works on this project.

    \b
      mlpipeline start
      mlpipeline start --rehearse
      mlpipeline start -j 4
      mlpipeline stop --detach     end it, and leave what runs alone
    """
    told = background.start(
        open_project(project), log=not no_log, rehearse=rehearse, parallel=parallel
    )
    if as_json:
        show_json(told)
    elif told.exit_code is None:
        click.echo(
            f"pid {told.pid} works on {told.project}; "
            "mlpipeline status shows it, mlpipeline stop ends it"
        )
    elif told.printed:
        click.echo(told.printed, err=True)
    else:
        click.echo(f"mlpipeline: pid {told.pid} ended at once and said nothing", err=True)
    sys.exit(told.exit_code or 0)
