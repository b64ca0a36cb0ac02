"""``mlpipeline add``, ``remove``, ``move``, ``pause`` and ``resume``: editing models.config."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mlpipeline.cli.completion import complete_models, complete_versions
from mlpipeline.cli.options import F, json_option, project_option
from mlpipeline.cli.projects import open_project
from mlpipeline.cli.render import show_json, show_text
from mlpipeline.core.places import LAST, Place
from mlpipeline.service import lists
from mlpipeline.service.lists import Edit

model_argument = click.argument("model", shell_complete=complete_models)
versions_argument = click.argument(
    "versions", nargs=-1, metavar="[VERSION]...", shell_complete=complete_versions
)
test_option = click.option("--test", is_flag=True, help="Edit models_test.config instead.")


def place_options(command: F) -> F:
    """``--first``, ``--last`` and ``--before``, passed on as ``place``: at most one of them."""
    options: list[Callable[[Any], Any]] = [
        click.option("--first", is_flag=True, help="Put it first."),
        click.option("--last", is_flag=True, help="Put it last."),
        click.option(
            "--before", metavar="OTHER", help="Put it before OTHER.", shell_complete=complete_models
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


class _AddCommand(click.Command):
    """Keeps what stands behind ``--`` apart: a command line, whose options are its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta[LINE] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


LINE = "mlpipeline.line"


@click.command(cls=_AddCommand, options_metavar="[OPTIONS]")
@click.argument("model", required=False, shell_complete=complete_models)
@versions_argument
@place_options
@click.option("--name", metavar="NAME", help="With --: the model's name.")
@click.option("--cwd", type=click.Path(path_type=Path), help="With --: the folder it runs in.")
@click.option("--chain", metavar="KEY", help="With --: runs that differ in KEY come in stages.")
@click.option("--cpus", type=click.FloatRange(0), help="With --: CPUs that it asks for.")
@click.option("--memory", type=click.FloatRange(0), help="With --: GB that it asks for.")
@click.option("--gpus", type=click.FloatRange(0), help="With --: GPUs, or a share of one.")
@click.option("-y", "--yes", is_flag=True, help="With --: a sweep may have any number of jobs.")
@test_option
@json_option("one object")
@project_option
@click.pass_context
def add(
    ctx: click.Context,
    /,
    model: str | None,
    versions: tuple[str, ...],
    first: bool,
    last: bool,
    before: str | None,
    test: bool,
    as_json: bool,
    project: Path,
    **of_command: Any,
) -> None:
    """Add MODEL, or some of its versions, to models.config; or any command, behind --.

    Edits the file in place; comments and order stay. A session that runs takes it up at once. A
    model that is listed with some of its versions gets the others too.

    A command becomes a command file in the models' folder (docs/commands.md), and the same one with
    other arguments another version there. With --multirun among its arguments, or -m and
    some key=value, what is key=value is a sweep of Hydra's.

    \b
      mlpipeline add digits.py
      mlpipeline add digits lr=0.1 lr=0.01      these versions only
      mlpipeline add vision/resnet.py --first
      mlpipeline add --test digits.py           to models_test.config
      mlpipeline add -- python train.py --lr 0.1
      mlpipeline add --gpus 1 -- python app.py -m lr=0.1,0.01
    """
    place, line = _place(first, last, before), ctx.meta.get(LINE)
    given = {key: value for key, value in of_command.items() if value not in (None, False)}
    if line is None:
        if model is None:
            raise click.UsageError("name a model, or a command: mlpipeline add -- python train.py")
        if given:
            raise click.UsageError(f"--{next(iter(given))} is for a command, which goes behind --")
        _show(lists.add(open_project(project), model, versions, place=place, test=test), as_json)
        return
    if model is not None:
        raise click.UsageError("name a model, or a command behind --, not both")
    asks: dict[str, float] = {
        key: int(given[key]) if given[key].is_integer() else given[key]
        for key in ("cpus", "memory", "gpus")
        if key in given
    }
    from mlpipeline.service.adding import add_command  # needs YAML

    edit = add_command(
        open_project(project),
        line,
        name=given.get("name", ""),
        cwd=given.get("cwd"),
        chain=given.get("chain", ""),
        asks=asks,
        any_number="yes" in given,
        place=place,
        test=test,
    )
    _show(edit, as_json)


@click.command()
@model_argument
@versions_argument
@test_option
@json_option("one object")
@project_option
def remove(model: str, versions: tuple[str, ...], test: bool, as_json: bool, project: Path) -> None:
    """Take MODEL, or some of its versions, off models.config.

    What runs comes to its end. History and outputs stay.

    \b
      mlpipeline remove digits.py
      mlpipeline remove digits lr=0.1           the others stay
    """
    _show(lists.remove(open_project(project), model, versions, test=test), as_json)


@click.command()
@model_argument
@place_options
@test_option
@json_option("one object")
@project_option
def move(
    model: str,
    first: bool,
    last: bool,
    before: str | None,
    test: bool,
    as_json: bool,
    project: Path,
) -> None:
    """Put MODEL in another place in models.config.

    \b
      mlpipeline move digits.py --first
      mlpipeline move digits.py --before vision/resnet.py
    """
    place = _place(first, last, before)
    if place is None:
        raise click.UsageError("say where: --first, --last or --before OTHER")
    _show(lists.move(open_project(project), model, place, test=test), as_json)


@click.command()
@json_option("one object")
@project_option
def pause(as_json: bool, project: Path) -> None:
    """Have nothing more started until `mlpipeline resume`.

    Writes `paused = yes` into models.config, so that it holds for every session on every host. What
    runs comes to its end.

    \b
      mlpipeline pause
    """
    _show(lists.pause(open_project(project)), as_json)


@click.command()
@json_option("one object")
@project_option
def resume(as_json: bool, project: Path) -> None:
    """Have what is listed started again, after `mlpipeline pause`.

    \b
      mlpipeline resume
    """
    _show(lists.resume(open_project(project)), as_json)


def _place(first: bool, last: bool, before: str | None) -> Place | None:
    if first + last + (before is not None) > 1:
        raise click.UsageError("--first, --last and --before exclude one another")
    if first:
        return Place(first=True)
    if before is not None:
        return Place(before=before)
    return LAST if last else None


def _show(edit: Edit, as_json: bool) -> None:
    for problem in edit.problems:
        click.echo(f"mlpipeline: {problem}", err=True)
    if as_json:
        show_json(edit)
        return
    show_text(f"{edit.list}: {edit.done}", hang=4)
    if edit.changes:
        show_text(str(edit.changes), hang=4)
    if edit.changes.starts and edit.paused:
        click.echo("but it is paused: `mlpipeline resume` has it go on")
