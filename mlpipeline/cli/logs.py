"""``mlpipeline logs RUN``: what a run printed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from mlpipeline.cli.options import project_option
from mlpipeline.errors import StorageError
from mlpipeline.service import views
from mlpipeline.service.project import open_project

POLL_INTERVAL = 0.2  # seconds between two looks at a file that is followed


@click.command()
@click.argument("run")
@click.option("-f", "--follow", is_flag=True, help="Go on as long as the run does.")
@project_option
def logs(run: str, follow: bool, project: Path) -> None:
    """Print what RUN printed.

    RUN is MODEL/VERSION#ATTEMPT; without #ATTEMPT, the newest one.

    \b
      mlpipeline logs digits/lr=0.1
      mlpipeline logs digits/lr=0.1#2 -f
    """
    opened = open_project(project)
    found, folder = views.find_run(opened, run)
    out = sys.stdout.buffer
    try:
        with folder.console.open("rb") as console:
            over = False
            while not over:
                over = not follow or views.is_over(opened, found)  # before the last read
                while chunk := console.read(1 << 16):
                    out.write(chunk)
                out.flush()
                if not over:
                    time.sleep(POLL_INTERVAL)
    except FileNotFoundError:
        raise StorageError(f"{found.id} has no {folder.console.name}: it never began") from None
