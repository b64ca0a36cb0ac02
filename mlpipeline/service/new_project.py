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
MODELS_DIRS = ("models", "mlp_models", *(f"mlp_models_{number}" for number in range(2, 100)))


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
            written[folder / path] = _write_new(folder / path, _template(template))
        written[folder / ".gitignore"] = _ignore(folder / ".gitignore", IGNORED)
    return Made(
        folder=str(folder),
        wrote=tuple(str(path) for path, is_written in written.items() if is_written),
        kept=tuple(str(path) for path, is_written in written.items() if not is_written),
    )


def empty_models_dir(folder: Path) -> Path:
    """The models' folder that ``make_empty`` makes in ``folder``: one that is not there yet, since
    a folder models may be anything, or has nothing but what it was to be made for.
    """
    return next(path for name in MODELS_DIRS if _is_ours(path := folder / name))


def _is_ours(path: Path) -> bool:
    if not path.exists():
        return True
    below = [each.relative_to(path).as_posix() for each in path.glob("*")]
    return below == ["outputs"] and [each.name for each in (path / "outputs").glob("*")] == ["git"]


def make_empty(folder: Path) -> None:
    """Make ``folder``, which is in no project, one with nothing in it.

    Raises StorageError.
    """
    models = empty_models_dir(folder).name
    with storage(f"{folder} can't be made a project"):
        (folder / models).mkdir(exist_ok=True)
        for path in ("models.config", "models_test.config"):
            _write_new(folder / path, _template(path).replace("first_model.py\n", ""))
        _ignore(folder / ".gitignore", f"{models}/outputs/")
        config = _template("mlp.config").replace("models_dir = models", f"models_dir = {models}")
        _write_new(folder / "mlp.config", config)  # last: it makes it a project


def _template(name: str) -> str:
    return files("mlpipeline.service").joinpath("templates", name).read_text("utf-8")


def _write_new(path: Path, content: str) -> bool:
    """Write ``path`` unless it is there; returns whether it was written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


def _ignore(path: Path, line: str) -> bool:
    """Add a line for the outputs to .gitignore; returns False if it is there."""
    before = path.read_text("utf-8") if path.exists() else ""
    if line in before.splitlines():
        return False
    newline = "" if not before or before.endswith("\n") else "\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{newline}{line}\n")
    return True
