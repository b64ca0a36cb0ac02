"""``mlpipeline logs RUN``: what a run printed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from mlpipeline.cli.completion import complete_runs
from mlpipeline.cli.options import json_option, project_option
from mlpipeline.cli.render import show_json
from mlpipeline.errors import StorageError
from mlpipeline.service import views
from mlpipeline.service.project import open_project
from mlpipeline.state.tail import offset_of_last

POLL_INTERVAL = 0.2  # seconds between two looks at a file that is followed


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What `mlpipeline logs --json` prints."""

    run: str
    file: str  # absolute path of its console.log
    text: str  # what it printed; bytes that are not UTF-8 are replaced


@click.command()
@click.argument("run", shell_complete=complete_runs)
@click.option("-f", "--follow", is_flag=True, help="Go on as long as the run does.")
@click.option("-n", "--lines", type=click.IntRange(0), help="Only the last so many lines.")
@json_option("one object")
@project_option
def logs(run: str, follow: bool, lines: int | None, project: Path, as_json: bool) -> None:
    """Print what RUN printed.

    RUN is MODEL/VERSION#ATTEMPT; without #ATTEMPT, the newest one.

    \b
      mlpipeline logs digits/lr=0.1
      mlpipeline logs digits/lr=0.1 -n 20
      mlpipeline logs digits/lr=0.1#2 -f
    """
    if follow and as_json:
        raise click.UsageError("--json does not go with --follow")
    opened = open_project(project)
    found, folder = views.find_run(opened, run)
    try:
        with folder.console.open("rb") as console:
            if lines is not None:
                console.seek(offset_of_last(console, lines))
            if as_json:
                text = console.read().decode("utf-8", "replace")
                show_json(Log(run=str(found.id), file=str(folder.console), text=text))
            else:
                _copy(console, lambda: not follow or views.is_over(opened, found))
    except FileNotFoundError:
        raise StorageError(f"{found.id} has no {folder.console.name}: it never began") from None


def _copy(console: BinaryIO, is_over: Callable[[], bool]) -> None:
    """Print the rest of ``console``, and what is added to it until ``is_over``."""
    out = sys.stdout.buffer
    over = False
    while not over:
        over = is_over()  # before the last read
        while chunk := console.read(1 << 16):
            out.write(chunk)
        out.flush()
        if not over:
            time.sleep(POLL_INTERVAL)
