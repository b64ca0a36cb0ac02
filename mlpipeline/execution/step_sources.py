"""The code and configs that a step's program is made of, as one digest: what it makes is of these.

More than what the command names: what lies beside its script, too, since that is what it imports
and configures itself with. What is looked at too much only makes a step run once more.
"""

from __future__ import annotations

import os

from mlpipeline.core.model_files import CODE
from mlpipeline.execution.trees import file_digest
from mlpipeline.sources.imports import INSTALLED
from mlpipeline.sources.local_files import code_of

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

SETTINGS = (".yaml", ".yml", ".toml", ".cfg", ".ini", ".json")
# Folders that programs write into, or that hold what is not the project's own.
LEFT_OUT = (
    *("outputs", "multirun", "mlruns", "wandb", "lightning_logs", "runs", "logs"),
    *("__pycache__", "node_modules", "venv", "env", "build", "dist"),
)
LARGEST = 1 << 20  # bytes of a file of settings; what is larger is data


def digest(
    argv: Sequence[str], cwd: str, project: str, models_dir: str, others: Collection[str]
) -> str:
    """SHA-256 over the files of the project that the program ``argv`` in ``cwd`` may be made of;
    their paths count from the folder of the program. ``others`` are programs beside it.
    """
    from hashlib import sha256  # costs a run 5 ms, and only steps are cached

    found = sha256()
    folders: dict[str, None] = {}
    for path in code_of(argv, cwd):
        is_own = path.startswith(os.path.join(project, "")) and not INSTALLED.search(path)
        if is_own and os.path.isfile(path):
            _add(found, os.path.basename(path), path)
            folders[os.path.dirname(path)] = None
            if "-m" in argv:  # which may import all that lies in cwd
                folders[cwd] = None
    for folder in folders:
        for name, path in _beside(folder, models_dir, others):
            _add(found, name, path)
    return found.hexdigest()


def _add(found: object, name: str, path: str) -> None:
    try:
        content = file_digest(path)
    except OSError:  # gone, or not for us; then it is not for the program, either
        return
    found.update(f"{name!r} {content}\n".encode())  # type: ignore[attr-defined]


def _beside(folder: str, models_dir: str, others: Collection[str]) -> Iterator[tuple[str, str]]:
    """Code and settings below ``folder``: how each is called from there, and its path; in order."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(
            each
            for each in folders
            if not each.startswith(".")
            and each not in LEFT_OUT
            and os.path.join(place, each) != models_dir  # the queue's, and a pipeline's own files
            and not INSTALLED.search(os.path.join(place, each, ""))
            and not os.path.exists(os.path.join(place, each, "pyvenv.cfg"))
        )
        for name in sorted(names):
            path = os.path.join(place, name)
            if name.startswith(".") or path in others:
                continue
            if name.endswith(CODE) or (name.endswith(SETTINGS) and _size(path) <= LARGEST):
                yield os.path.relpath(path, folder), path


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
