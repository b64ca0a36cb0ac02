"""``mlpipeline stop`` and ``mlpipeline retry``: steering the scheduler of this host."""

from __future__ import annotations

from pathlib import Path

import click

from mlpipeline.cli.options import json_option, project_option
from mlpipeline.cli.render import show_json
from mlpipeline.core.sessions import StopMode
from mlpipeline.service import steering
from mlpipeline.service.project import open_project


@click.command()
@click.option(
    "--after-current",
    "mode",
    flag_value=StopMode.AFTER_CURRENT.value,
    help="Let what runs run to its end, and start nothing more.",
)
@click.option("--now", "mode", flag_value=StopMode.NOW.value, help="Kill what runs.")
@click.option(
    "--detach",
    "mode",
    flag_value=StopMode.DETACH.value,
    help="Leave what runs alone; the next mlpipeline -r adopts it.",
)
@click.option("--wait", is_flag=True, help="Return when the session has ended.")
@json_option("one object")
@project_option
def stop(mode: str | None, wait: bool, as_json: bool, project: Path) -> None:
    """End the session that works on this project on this host.

    Runs are asked to stop and have `grace` seconds for it, as with Ctrl-C. With -u, they resume
    first next time.

    \b
      mlpipeline stop
      mlpipeline stop --detach --wait && mlpipeline start     what runs goes on meanwhile
    """
    told = steering.stop(open_project(project), StopMode(mode or StopMode.GRACEFUL), wait=wait)
    if as_json:
        show_json(told)
    else:
        click.echo(told.text)


@click.command()
@click.option(
    "--lost-host",
    metavar="NAME",
    required=True,
    help="Take NAME for lost: what it runs may be run again, here or elsewhere.",
)
@project_option
def retry(lost_host: str, project: Path) -> None:
    """Have runs tried again.

    Only say that a host is lost when it is: if it comes back, what it says of those runs does not
    count, and it stops them.
    """
    click.echo(steering.lose_host(open_project(project), lost_host))
