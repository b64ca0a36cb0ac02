"""What of this machine a command names: its program, its folder, the files that it is made of."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from mlpipeline.sources.imports import STAMPS
from mlpipeline.sources.yaml_file import FileError

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mlpipeline.sources.command import CommandModel
    from mlpipeline.sources.pipeline import PipelineModel

# Files of these kinds are what a command is made of, and not what it writes.
CODE = (
    ".py",
    ".sh",
    ".bash",
    ".R",
    ".r",
    ".jl",
    ".pl",
    ".rb",
    ".js",
    ".ts",
    ".lua",
    ".m",
    ".ipynb",
)
GONE = (0, 0)
ACTIVATED = ("VIRTUAL_ENV", "CONDA_PREFIX")  # variables that an activated environment sets


def check(model: CommandModel | PipelineModel, project: str) -> None:
    """Raise ModelError for a command that can't run here, and note the files that it is made of."""
    seen: set[tuple[str, str, str | None]] = set()
    for version in model.versions:
        argv, folder, env = version["command"], version.get("cwd", ""), version.get("env", {})
        if "{" in folder:  # it is known when there is a run
            continue
        line, cwd_line = model.lines(version)
        cwd = os.path.normpath(os.path.join(project, os.path.expanduser(folder)))
        if (folder, argv[0], env.get("PATH")) not in seen:
            seen.add((folder, argv[0], env.get("PATH")))
            if not os.path.isdir(cwd):
                STAMPS[cwd] = GONE  # so that it is looked at anew when it is there
                raise FileError(
                    f"cwd {folder} is no folder", cwd_line, f"make {cwd}, or correct it"
                )
            _check_program(argv[0], cwd, env, line)
        for path in code_of(argv, cwd):
            if path.startswith(os.path.join(project, "")) and path not in STAMPS:
                with suppress(OSError):
                    stat = os.stat(path)
                    STAMPS[path] = stat.st_mtime_ns, stat.st_size


def _check_program(name: str, cwd: str, env: Mapping[str, str], line: int) -> None:
    if "{" in name or found_program(name, cwd, env):
        return
    paths = list(candidates(name, cwd, env))
    for path in paths:
        STAMPS[path] = GONE
    there = next((path for path in paths if os.path.isfile(path)), None)
    if there:
        STAMPS.pop(there)
        problem, remedy = (
            f"{there} is not executable",
            "chmod +x, or name its interpreter before it",
        )
    elif "=" in name:
        problem = f"there is no program {name}"
        remedy = "write variables under env"
    elif os.sep in name:
        problem, remedy = f"there is no program {paths[0]}", "correct the path"
    else:
        problem = f"there is no program {name} on the PATH"
        remedy = "install it, or write its path"
    raise FileError(f"it can't run here: {problem}", line, remedy)


def code_of(argv: Sequence[str], cwd: str) -> Iterator[str]:
    """The files that may hold the command's code; they need not be there."""
    for position, word in enumerate(argv):
        if word.endswith(CODE) or (position == 0 and os.sep in word):
            yield os.path.normpath(os.path.join(cwd, word))
        elif word == "-m" and position + 1 < len(argv):
            module = os.path.join(cwd, *argv[position + 1].split("."))
            yield from (f"{module}.py", os.path.join(module, "__main__.py"))


def search_path(env: Mapping[str, str]) -> list[str]:
    """Where a command's program is looked for: as a shell does, and beside this Python.

    There first where no environment is activated, since `.venv/bin/mlpipeline` was called by its
    path then, and `python` is to be the one that has the packages.
    """
    path = env.get("PATH", os.environ.get("PATH", os.defpath))
    folders, own = list(filter(None, path.split(os.pathsep))), os.path.dirname(sys.executable)
    is_said = "PATH" in env or any(os.environ.get(name) for name in ACTIVATED)
    return [*folders, own] if is_said else [own, *folders]


def found_program(name: str, cwd: str, env: Mapping[str, str]) -> str | None:
    """The file that a command's first word means; None where there is none that can be run."""
    return next((each for each in candidates(name, cwd, env) if _can_run(each)), None)


def candidates(name: str, cwd: str, env: Mapping[str, str]) -> Iterator[str]:
    """The paths that it may be, in the order they are looked at."""
    if os.sep in name:
        yield os.path.join(cwd, name)
        return
    for folder in search_path(env):
        yield os.path.join(cwd, folder, name)


def _can_run(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)
