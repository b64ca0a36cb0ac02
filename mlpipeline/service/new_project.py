"""The files of a new project."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import msgspec

from mlpipeline.errors import MlpipelineError
from mlpipeline.service.project import project_above
from mlpipeline.state.files import storage

# path in the project -> template in mlpipeline/service/templates
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


def make(folder: Path) -> Made:
    """Make ``folder`` a project, as far as it is none.

    Raises StorageError when that fails, MlpipelineError within another project.
    """
    above = project_above(folder)
    if above:
        raise MlpipelineError(
            f"{folder} lies in the project {above}: a project in a project is none of its models"
        )
    written: dict[Path, bool] = {}  # path -> whether anything was written
    with storage(f"{folder} can't be made a project"):
        for path, template in TEMPLATES.items():
            content = files("mlpipeline.service").joinpath("templates", template).read_text("utf-8")
            written[folder / path] = _write_new(folder / path, content)
        written[folder / ".gitignore"] = _ignore(folder / ".gitignore")
    return Made(
        folder=str(folder),
        wrote=tuple(str(path) for path, is_written in written.items() if is_written),
        kept=tuple(str(path) for path, is_written in written.items() if not is_written),
    )


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
