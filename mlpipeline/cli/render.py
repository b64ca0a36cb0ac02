"""What commands print: lines and tables that fit their place (a terminal, or uncut in a pipe),
or JSON.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

from mlpipeline.cli import room
from mlpipeline.cli.streams import is_terminal
from mlpipeline.core.wording import cut, shortened, width

if TYPE_CHECKING:
    from rich.table import Table

LONGEST_CELL = 160  # characters
NAME = "run"  # the column that is to be read first
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


def show_text(text: str, *, hang: int = 0, most: int | None = None, dim: bool = False) -> None:
    """Print a line; on a terminal in ``most`` rows, broken between words, and going on ``hang``
    columns in.
    """
    rows = [text]
    if is_terminal():
        columns = room.columns()
        rows = room.wrapped(text, columns, hang)
        if most and len(rows) > most:
            rows[most - 1 :] = [cut(f"{rows[most - 1]} …", columns)]
    click.secho("\n".join(rows), dim=dim or None)


def show_closing(text: str) -> None:
    """Print the line below a table; on a terminal it is broken between its parts."""
    click.echo("\n".join(room.parted(text, room.columns())) if is_terminal() else text)


def show_table(rows: Sequence[Row], *, empty: str = "", right: Collection[str] = RIGHT) -> None:
    """Print ``rows``, or ``empty`` when there are none; ``right`` are columns of numbers."""
    if not rows:
        if empty:
            click.echo(empty)
    elif is_terminal():
        from rich.console import Console  # a pipe needs no rich

        console = Console(highlight=False)
        console.print(rich_table(rows, console.width, right))
    else:
        click.echo(plain_table(rows, right))


def plain_table(rows: Sequence[Row], right: Collection[str] = RIGHT) -> str:
    """``rows`` as lines of text that line up."""
    columns = _columns(rows)
    cells = [columns, *([_cell(row, name) for name in columns] for row in rows)]
    widths = [max(width(row[column]) for row in cells) for column in range(len(columns))]
    return "\n".join(
        "  ".join(
            _padded(cell, wide, name in right)
            for cell, wide, name in zip(row, widths, columns, strict=True)
        ).rstrip()
        for row in cells
    )


def rich_table(rows: Sequence[Row], total: int, right: Collection[str] = RIGHT) -> Table:
    """``rows`` as a table for a terminal of ``total`` columns: one line each, cut where it must."""
    from rich.table import Table  # a pipe or JSON needs no rich
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    columns = _columns(rows)
    widths = {name: max(width(text) for text in _texts(rows, name)) for name in columns}
    shares = room.shares(widths, total, NAME)
    columns = [name for name in columns if name in shares]
    for name in columns:
        table.add_column(
            Text(shortened(name, max(3, shares[name]))),
            no_wrap=True,
            justify="right" if name in right else "left",
        )
    for row in rows:
        colour = COLOURS.get(row.get(STATE, ""), "red")
        table.add_row(
            *(
                Text(_fitted(_cell(row, name), name, shares[name]), colour if name == STATE else "")
                for name in columns
            )
        )
    return table


def _fitted(text: str, column: str, longest: int) -> str:
    """Of a name, the beginning and the end tell most."""
    return shortened(text, max(3, longest)) if column == NAME else cut(text, longest)


def _padded(text: str, wide: int, is_right: bool) -> str:
    blank = " " * (wide - width(text))
    return blank + text if is_right else text + blank


def _cell(row: Row, column: str) -> str:
    """What a table shows; a long reason is cut, and run.yaml has the rest."""
    text = row.get(column, "")
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def _texts(rows: Sequence[Row], column: str) -> list[str]:
    return [column, *(_cell(row, column) for row in rows)]


def _columns(rows: Sequence[Row]) -> list[str]:
    """All columns that some row uses, in the order of their first appearance."""
    return [
        name
        for name in dict.fromkeys(name for row in rows for name in row)
        if any(row.get(name) for row in rows)
    ]
