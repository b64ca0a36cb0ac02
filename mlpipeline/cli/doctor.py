"""``mlpipeline doctor``: what is wrong, and what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mlpipeline.cli.options import project_option
from mlpipeline.errors import short
from mlpipeline.service import care
from mlpipeline.service.project import open_project


@click.command()
@click.option("--rebuild", is_flag=True, help="Make output-<hostname> again from the run folders.")
@project_option
def doctor(rebuild: bool, project: Path) -> None:
    """Check config, lists, history, run folders, claims, disk, clock and processes.

    Prints what is wrong with its remedy; the exit code is 1 if anything is.
    """
    opened = open_project(project)
    if rebuild:
        count = care.rebuild_output(opened)
        click.echo(f"{short(opened.layout.output)} has the blocks of {count} runs")
    findings = care.check_up(opened)
    for finding in findings:
        click.echo(f"{'✗' if finding.problem else '·'} {finding.what}")
        if finding.remedy:
            click.echo(f"    {finding.remedy}")
    problems = sum(finding.problem for finding in findings)
    click.echo(f"{problems} problem{'' if problems == 1 else 's'}" if problems else "all is well")
    sys.exit(1 if problems else 0)
