"""``mlpipeline init``: the files of a new project."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from mlpipeline.state.files import storage

# path in the project -> template in mlpipeline/cli/templates
TEMPLATES = {
    "mlp.config": "mlp.config",
    "models.config": "models.config",
    "models_test.config": "models_test.config",
    "models/first_model.py": "first_model.py.txt",
}
IGNORED = "models/outputs/"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.pass_obj
def init(project: Path, folder: Path | None) -> None:
    """Make the files of a new project in FOLDER (by default this folder).

    Writes mlp.config, models.config, models_test.config, a commented model script, and a line in
    .gitignore. A file that is there already stays as it is.
    """
    folder = folder or project
    with storage(f"{folder} can't be made a project"):
        for path, template in TEMPLATES.items():
            content = files("mlpipeline.cli").joinpath("templates", template).read_text("utf-8")
            _write_new(folder / path, content)
        _ignore(folder / ".gitignore")
    where = "" if folder in (Path(), Path.cwd()) else f"cd {folder} && "
    click.echo(f"Next: {where}mlpipeline")


def _write_new(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        click.echo(f"kept   {path}")
    else:
        click.echo(f"wrote  {path}")


def _ignore(path: Path) -> None:
    """Add a line for the outputs to .gitignore, unless it is there."""
    before = path.read_text("utf-8") if path.exists() else ""
    if IGNORED in before.splitlines():
        click.echo(f"kept   {path}")
        return
    newline = "" if not before or before.endswith("\n") else "\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{newline}{IGNORED}\n")
    click.echo(f"wrote  {path} ({IGNORED})")
