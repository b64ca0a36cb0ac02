"""What the subcommands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def _checked(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    """A whole number of at least 1, or ``auto``."""
    if text is None or text.lower() == "auto":
        return text and "auto"
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise click.BadParameter(
            f"{text!r} is no number of runs; write -j 4, or -j auto for one a CPU", ctx, param
        )
    return str(int(text))


def parallel_option(what: str) -> Callable[[F], F]:
    """``-j/--parallel N``; ``what`` is said of it in the help."""
    return click.option("-j", "--parallel", metavar="N", callback=_checked, help=what)


def json_option(what: str) -> Callable[[F], F]:
    """``--json``, passed on as ``as_json``; ``what`` says what is printed: "one object" …"""
    return click.option(
        "--json", "as_json", is_flag=True, help=f"Print {what} as JSON (docs/json.md)."
    )


def parse_parameters(
    ctx: click.Context, _: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    """What ``-P name=value`` says, as a callback; raises BadParameter."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is no parameter; write -P name=value", ctx)
        if name in found:
            raise click.BadParameter(f"{name} is there twice", ctx)
        found[name] = value
    return found


def project_option(command: F) -> F:
    """``-C/--project DIR``, also after a subcommand; passed on as ``project``."""
    return click.option(
        "-C",
        "--project",
        type=click.Path(path_type=Path),
        help="The project's folder, or one in it.  [default: this folder]",
        callback=lambda ctx, _, value: value or ctx.find_object(Path) or Path(),
    )(command)
