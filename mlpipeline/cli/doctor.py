"""``mlpipeline doctor``: what is wrong, and what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from mlpipeline.cli.options import json_option, project_option
from mlpipeline.cli.projects import open_project
from mlpipeline.cli.render import show_json, show_text
from mlpipeline.core.wording import plural
from mlpipeline.doctor import Finding
from mlpipeline.errors import short
from mlpipeline.service import care


class CheckUp(msgspec.Struct, frozen=True, kw_only=True):
    """What `mlpipeline doctor --json` prints."""

    problems: int  # findings that are to be mended
    findings: tuple[Finding, ...]
    rebuilt: int | None = None  # runs whose blocks are in the new output-<hostname>


@click.command()
@click.option(
    "--rebuild",
    is_flag=True,
    help="Make output-<hostname> again from the run folders, and the index of the history.",
)
@json_option("one object")
@project_option
def doctor(rebuild: bool, as_json: bool, project: Path) -> None:
    """Check config, lists, history, run folders, claims, disk, clock and processes.

    Prints what is wrong with its remedy; the exit code is 1 if anything is.

    \b
      mlpipeline doctor
      mlpipeline doctor --rebuild
    """
    opened = open_project(project)
    count = care.rebuild_output(opened) if rebuild else None
    findings = care.check_up(opened)
    problems = sum(finding.problem for finding in findings)
    if as_json:
        show_json(CheckUp(problems=problems, findings=tuple(findings), rebuilt=count))
    else:
        if count is not None:
            click.echo(f"{short(opened.layout.output)} has the blocks of {plural(count, 'run')}")
        for finding in findings:
            show_text(f"{'✗' if finding.problem else '·'} {finding.what}", hang=2)
            if finding.remedy:
                show_text(f"    {finding.remedy}", hang=4)
        click.echo(plural(problems, "problem") if problems else "all is well")
    sys.exit(1 if problems else 0)
