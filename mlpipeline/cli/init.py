"""``mlpipeline init``: the files of a new project."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click
import msgspec

from mlpipeline.cli.options import json_option
from mlpipeline.cli.render import show_json
from mlpipeline.state.files import storage

# path in the project -> template in mlpipeline/cli/templates
TEMPLATES = {
    "mlp.config": "mlp.config",
    "models.config": "models.config",
    "models_test.config": "models_test.config",
    "models/first_model.py": "first_model.py.txt",
}
IGNORED = "models/outputs/"


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What `mlpipeline init --json` prints."""

    folder: str  # of the project
    wrote: tuple[str, ...]  # files that are new, or to which a line was added
    kept: tuple[str, ...]  # files that were there already


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
    written: dict[Path, bool] = {}  # path -> whether anything was written
    with storage(f"{folder} can't be made a project"):
        for path, template in TEMPLATES.items():
            content = files("mlpipeline.cli").joinpath("templates", template).read_text("utf-8")
            written[folder / path] = _write_new(folder / path, content)
        written[folder / ".gitignore"] = _ignore(folder / ".gitignore")
    if as_json:
        wrote = tuple(str(path) for path, is_written in written.items() if is_written)
        kept = tuple(str(path) for path, is_written in written.items() if not is_written)
        show_json(Made(folder=str(folder), wrote=wrote, kept=kept))
        return
    for file, is_written in written.items():
        line = f" ({IGNORED})" if is_written and file.name == ".gitignore" else ""
        click.echo(f"{'wrote' if is_written else 'kept '}  {file}{line}")
    where = "" if folder in (Path(), Path.cwd()) else f"cd {folder} && "
    click.echo(f"Next: {where}mlpipeline")


def _write_new(path: Path, content: str) -> bool:
    """Write ``path`` unless it is there; returns whether it was written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


def _ignore(path: Path) -> bool:
    """Add a line for the outputs to .gitignore; returns False if it is there."""
    before = path.read_text("utf-8") if path.exists() else ""
    if IGNORED in before.splitlines():
        return False
    newline = "" if not before or before.endswith("\n") else "\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{newline}{IGNORED}\n")
    return True
