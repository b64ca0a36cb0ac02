"""``mlpipeline logs RUN``: what a run printed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from io import RawIOBase
from pathlib import Path

import click
import msgspec

from mlpipeline.cli.completion import complete_runs
from mlpipeline.cli.options import json_option, project_option
from mlpipeline.cli.projects import open_project
from mlpipeline.cli.render import show_json
from mlpipeline.service.consoles import Console

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
    console = Console(open_project(project), run)
    with console.open(lines) as file:
        if not follow:
            file.end = file.size()  # what prints without end is not waited for
        if as_json:
            text = file.read().decode("utf-8", "replace")
            show_json(Log(run=str(console.run.id), file=str(console.path), text=text))
        else:
            _copy(file, lambda: not follow or console.is_over())


def _copy(file: RawIOBase, is_over: Callable[[], bool]) -> None:
    """Print the rest of ``file``, and what is added to it until ``is_over``."""
    out = sys.stdout.buffer
    over = False
    while not over:
        over = is_over()  # before the last read
        while chunk := file.read(1 << 16):
            out.write(chunk)
        out.flush()
        if not over:
            time.sleep(POLL_INTERVAL)
