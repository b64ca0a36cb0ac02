"""What commands print: tables that fit their place (rich on a terminal, aligned text in a pipe),
or JSON.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

from mlpipeline.cli.streams import is_terminal

if TYPE_CHECKING:
    from rich.table import Table

LONGEST_CELL = 160  # characters
STATE = "state"  # the column that is coloured
COLOURS = {
    "running": "cyan",
    "queued": "",
    "done": "green",
    "succeeded": "green",
    "interrupted": "yellow",
    "skipped": "yellow",
    "lost": "yellow",
}
RIGHT = ("#", "took", "left")  # columns of numbers

Row = Mapping[str, str]  # text by column; a column that no row uses is not shown


def show_json(record: Any) -> None:
    """Print ``record`` (a Struct, or a list of them) as indented JSON, in UTF-8."""
    click.echo(msgspec.json.format(msgspec.json.encode(record)))


def show_table(rows: Sequence[Row], *, empty: str = "", right: Collection[str] = RIGHT) -> None:
    """Print ``rows``, or ``empty`` when there are none; ``right`` are columns of numbers."""
    if not rows:
        if empty:
            click.echo(empty)
    elif is_terminal():
        from rich.console import Console  # a pipe needs no rich

        Console(highlight=False).print(rich_table(rows, right))
    else:
        click.echo(plain_table(rows, right))


def plain_table(rows: Sequence[Row], right: Collection[str] = RIGHT) -> str:
    """``rows`` as lines of text that line up."""
    columns = _columns(rows)
    cells = [columns, *([_cell(row, name) for name in columns] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(columns))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(row, widths, columns, strict=True)
        ).rstrip()
        for row in cells
    )


def rich_table(rows: Sequence[Row], right: Collection[str] = RIGHT) -> Table:
    """``rows`` as a table for a terminal."""
    from rich.table import Table  # a pipe or JSON needs no rich
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    columns = _columns(rows)
    for name in columns:
        table.add_column(name, overflow="fold", justify="right" if name in right else "left")
    for row in rows:
        colour = COLOURS.get(row.get(STATE, ""), "red")
        table.add_row(
            *(Text(_cell(row, name), style=colour if name == STATE else "") for name in columns)
        )
    return table


def _cell(row: Row, column: str) -> str:
    """What a table shows; a long reason is cut, and run.yaml has the rest."""
    text = row.get(column, "")
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def _columns(rows: Sequence[Row]) -> list[str]:
    """All columns that some row uses, in the order of their first appearance."""
    return [
        name
        for name in dict.fromkeys(name for row in rows for name in row)
        if any(row.get(name) for row in rows)
    ]
