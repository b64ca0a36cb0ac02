"""``stop``, ``cancel``, ``skip`` and ``retry``: what a person asks of schedulers."""

from __future__ import annotations

from pathlib import Path

import click

from mlpipeline.cli.completion import complete_runs
from mlpipeline.cli.options import json_option, project_option
from mlpipeline.cli.projects import open_project
from mlpipeline.cli.render import show_json, show_text
from mlpipeline.core.sessions import StopMode
from mlpipeline.service import steering
from mlpipeline.service.steering import Done

MANY = 20  # versions that are named in an answer


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
def stop(mode: str | None, wait: bool, project: Path, as_json: bool) -> None:
    """End the session that works on this project on this host.

    Runs are asked to stop and have `grace` seconds for it, as with Ctrl-C. With -u, they resume
    first next time.

    \b
      mlpipeline stop
      mlpipeline stop --after-current
      mlpipeline stop --detach --wait && mlpipeline start     runs go on
    """
    told = steering.stop(open_project(project), StopMode(mode or StopMode.GRACEFUL), wait=wait)
    if as_json:
        show_json(told)
    else:
        for sentence in told.said:
            show_text(sentence)


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=complete_runs)
@json_option("one object")
@project_option
def cancel(runs: tuple[str, ...], project: Path, as_json: bool) -> None:
    """End runs, and start them no more until they are retried.

    RUN is MODEL/VERSION, or what of it is enough; `*` stands for anything. What is queued is
    skipped. Runs get `grace` seconds to end; what they saved is resumed by `mlpipeline retry`.

    \b
      mlpipeline cancel digits/lr=0.1
      mlpipeline cancel 'digits/*'
    """
    _say(steering.cancel(open_project(project), runs), as_json=as_json)


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=complete_runs)
@json_option("one object")
@project_option
def skip(runs: tuple[str, ...], project: Path, as_json: bool) -> None:
    """Leave queued versions out until they are retried; the list stays as it is.

    \b
      mlpipeline skip digits/lr=0.1
    """
    _say(steering.skip(open_project(project), runs), as_json=as_json)


@click.command()
@click.argument("runs", metavar="[RUN]...", nargs=-1, shell_complete=complete_runs)
@click.option("--failed", is_flag=True, help="All listed ones that failed, or failed to rehearse.")
@click.option("--changed", is_flag=True, help="All that are done, with a script edited since.")
@click.option(
    "--lost-host",
    metavar="NAME",
    help="Take NAME for lost: what it runs may be run again, here or elsewhere.",
)
@json_option("one object")
@project_option
def retry(
    runs: tuple[str, ...],
    failed: bool,
    changed: bool,
    lost_host: str | None,
    project: Path,
    as_json: bool,
) -> None:
    """Have versions run again, whatever became of them: done, failed, cancelled or held.

    One that was cut short goes on from its checkpoints, others start afresh. Only say that a host
    is lost when it is: if it comes back, what it says of those runs does not count, and it stops
    them.

    \b
      mlpipeline retry digits/lr=0.1
      mlpipeline retry --failed
      mlpipeline retry --changed
      mlpipeline retry --lost-host gpu7
    """
    if not (runs or failed or changed or lost_host):
        raise click.UsageError("name runs, or give --failed, --changed or --lost-host NAME")
    opened = open_project(project)
    if lost_host:
        if runs or failed or changed:
            raise click.UsageError("--lost-host goes alone")
        _say(Done(said=(steering.lose_host(opened, lost_host),)), as_json=as_json)
        return
    _say(steering.retry(opened, runs, failed=failed, changed=changed), as_json=as_json)


def _say(done: Done, *, as_json: bool) -> None:
    if as_json:
        show_json(done)
        return
    more = len(done.versions) - MANY
    for name in done.versions[: MANY if more > 1 else None]:
        show_text(name)
    if more > 1:
        show_text(f"and {more} more")
    for text in done.said:
        show_text(text)
