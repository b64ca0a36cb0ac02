"""Tables, in the form that fits: rich on a terminal, aligned text in a pipe, or JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec

if TYPE_CHECKING:
    from rich.table import Table

LONGEST_CELL = 160  # characters
COLOURS = {
    "running": "cyan",
    "queued": "",
    "done": "green",
    "succeeded": "green",
    "interrupted": "yellow",
    "lost": "yellow",
}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the status table; a column that no row uses is not shown."""

    run: str
    state: str
    took: str = ""
    detail: str = ""


def show_table(rows: Sequence[Row], *, as_json: bool, empty: str) -> None:
    """Print ``rows``, or ``empty`` when there are none."""
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
    elif not rows:
        click.echo(empty)
    elif sys.stdout.isatty():
        from rich.console import Console  # a pipe or JSON needs no rich

        Console(highlight=False).print(rich_table(rows))
    else:
        click.echo(plain_table(rows))


def _cell(row: Row, column: str) -> str:
    """What a table shows; a long reason is cut, and run.yaml has the rest."""
    text: str = getattr(row, column)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def _columns(rows: Sequence[Row]) -> list[str]:
    return [name for name in Row.__struct_fields__ if any(getattr(row, name) for row in rows)]


def plain_table(rows: Sequence[Row]) -> str:
    """``rows`` as lines of text that line up."""
    columns = _columns(rows)
    cells = [columns, *([_cell(row, name) for name in columns] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def rich_table(rows: Sequence[Row]) -> Table:
    """``rows`` as a table for a terminal."""
    from rich.table import Table  # a pipe or JSON needs no rich
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    columns = _columns(rows)
    for name in columns:
        table.add_column(name, overflow="fold", justify="right" if name == "took" else "left")
    for row in rows:
        table.add_row(
            *(
                Text(
                    _cell(row, name),
                    style=COLOURS.get(row.state, "red") if name == "state" else "",
                )
                for name in columns
            )
        )
    return table
