"""``mlpipeline init``: the files of a new project."""

from __future__ import annotations

from pathlib import Path

import click

from mlpipeline.cli.options import json_option
from mlpipeline.cli.render import show_json
from mlpipeline.service import new_project


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@json_option("one object")
@click.pass_obj
def init(project: Path, folder: Path | None, as_json: bool) -> None:
    """Make the files of a new project in FOLDER (by default this folder).

    Writes mlp.config, models.config, models_test.config, a commented model script, and a line in
    .gitignore. A file that is there already stays as it is.

    \b
      mlpipeline init my-project
      cd my-project && mlpipeline
    """
    folder = folder or project
    made = new_project.make(folder)
    if as_json:
        show_json(made)
        return
    for path in made.wrote:
        line = f" ({new_project.IGNORED})" if Path(path).name == ".gitignore" else ""
        click.echo(f"wrote  {path}{line}")
    for path in made.kept:
        click.echo(f"kept   {path}")
    where = "" if folder in (Path(), Path.cwd()) else f"cd {folder} && "
    click.echo(f"Next: {where}mlpipeline")
