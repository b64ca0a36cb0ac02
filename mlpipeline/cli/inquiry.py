"""``explain``, ``show`` and ``diff``: all there is to know of one run, or of two."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from mlpipeline.cli.completion import complete_runs
from mlpipeline.cli.options import json_option, project_option
from mlpipeline.cli.render import Row, show_json, show_table, show_text
from mlpipeline.core.wording import duration, moment, shown, width
from mlpipeline.errors import short
from mlpipeline.service import inquiry
from mlpipeline.service.project import open_project
from mlpipeline.service.queue import Onlooker

MOST_BEFORE = 20  # versions that one comes after
MOMENTS = ("started", "ended")  # in a record
DIFF_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.command()
@click.argument("run", shell_complete=complete_runs)
@json_option("one object")
@project_option
def explain(run: str, project: Path, as_json: bool) -> None:
    """Say why RUN is not running; or what ran, and how its script has changed since.

    RUN is MODEL/VERSION, or what of it is enough.

    \b
      mlpipeline explain digits/lr=0.1
    """
    opened = open_project(project)
    queue = Onlooker(opened).look()
    found = inquiry.explain_run(opened, queue, run)
    if as_json:
        show_json(found)
        return
    click.echo(f"{found.run}: {found.state}")
    for sentence in found.reasons:
        show_text(f"  {sentence}", hang=4)
    if found.after:
        _heading("comes after")
        show_table(
            [
                {"run": each.run, "state": each.state, "detail": each.reason}
                for each in found.after[:MOST_BEFORE]
            ]
        )
        if (more := len(found.after) - MOST_BEFORE) > 0:
            click.echo(f"… and {more} more")
    if found.attempts:
        _heading("attempts")
        rows: list[Row] = [
            {
                "run": each.run,
                "state": each.state,
                "started": moment(each.started, queue.at),
                "took": duration(each.seconds) if each.seconds is not None else "",
                "detail": "; ".join(filter(None, ["resumed" * each.resumed, each.reason])),
            }
            for each in found.attempts
        ]
        show_table(rows)
    _show_values("parameters", found.parameters)
    _show_values("git", found.git)
    _show_diff("script, since then", found.script_changes)


@click.command()
@click.argument("run", shell_complete=complete_runs)
@json_option("one object")
@project_option
def show(run: str, project: Path, as_json: bool) -> None:
    """Show the record of RUN: parameters, results, environment, where its files are.

    RUN is MODEL/VERSION#ATTEMPT; without #ATTEMPT, the newest one.

    \b
      mlpipeline show digits/lr=0.1
      mlpipeline show digits/lr=0.1#2 --json
    """
    found = inquiry.show(open_project(project), run)
    if as_json:
        show_json(found)
        return
    plain = {
        key: _local(value) if key in MOMENTS else value
        for key, value in found.record.items()
        if not isinstance(value, (dict, list))
    }
    _show_values("", {**plain, "folder": short(found.folder)})
    for key, value in found.record.items():
        if isinstance(value, dict) and key not in ("sources_sha256", "summary"):
            _show_values(key, value)
    for subject, text in (found.record.get("summary") or {}).items():
        _heading(f"{subject} summary")
        click.echo(text)
    for failure in found.record.get("failures") or []:
        _heading(f"failed in {failure.get('part', '')}")
        click.echo(str(failure.get("traceback", "")).rstrip())


@click.command()
@click.argument("left", metavar="RUN", shell_complete=complete_runs)
@click.argument("right", metavar="RUN", shell_complete=complete_runs)
@json_option("one object")
@project_option
def diff(left: str, right: str, project: Path, as_json: bool) -> None:
    """Show what differs between two runs: parameters, results, surroundings and script.

    \b
      mlpipeline diff digits/lr=0.1 digits/lr=0.3
      mlpipeline diff digits/lr=0.1#1 digits/lr=0.1#2
    """
    found = inquiry.compare(open_project(project), left, right)
    if as_json:
        show_json(found)
        return
    if not found.parameters and not found.script:
        click.echo("parameters and scripts are the same")
    else:
        click.echo(f"{found.left} and {found.right}")
    names = (found.left, found.right)
    _show_pairs("parameters", found.parameters, names)
    _show_pairs("results", found.results, names)
    _show_pairs("surroundings", found.surroundings, names)
    _show_diff("script", found.script)


def _heading(text: str) -> None:
    click.secho(f"\n{text}", bold=True)


def _local(value: Any) -> Any:
    """A record's moment as this place's clocks show it; what is none stays as it is."""
    with suppress(ValueError):
        return f"{datetime.fromisoformat(str(value)).astimezone():%Y-%m-%d %H:%M:%S}"
    return value


def _show_values(heading: str, values: Mapping[str, Any]) -> None:
    if not values:
        return
    if heading:
        _heading(heading)
    longest = max(map(width, values))
    for name, value in values.items():
        blank = " " * (longest - width(name))
        show_text(f"  {name}{blank}  {shown(value)}", hang=longest + 4)


def _show_pairs(heading: str, pairs: Mapping[str, tuple[Any, Any]], names: tuple[str, str]) -> None:
    if not pairs:
        return
    _heading(heading)
    same = names[0] == names[1]
    columns = ("left", "right") if same else names
    rows: list[Row] = [
        {
            "": name,
            columns[0]: "" if left is None else shown(left),
            columns[1]: "" if right is None else shown(right),
        }
        for name, (left, right) in pairs.items()
    ]
    show_table(rows)


def _show_diff(heading: str, text: str) -> None:
    if not text:
        return
    _heading(heading)
    for line in text.splitlines():
        colour = DIFF_COLOURS.get(line[:1]) if sys.stdout.isatty() else None
        click.secho(line, fg=colour)
