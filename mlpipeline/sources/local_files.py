"""What of this machine a command names: its program, its folder, the files that it is made of."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from mlpipeline.core.model_files import CODE
from mlpipeline.sources.imports import STAMPS
from mlpipeline.sources.python_programs import (
    has_module,
    is_python,
    is_this_python,
    main_of,
    python_path,
)
from mlpipeline.sources.read_imports import follow
from mlpipeline.sources.yaml_file import FileError

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mlpipeline.sources.command import CommandModel
    from mlpipeline.sources.pipeline import PipelineModel

GONE = (0, 0)
ACTIVATED = ("VIRTUAL_ENV", "CONDA_PREFIX")  # variables that an activated environment sets


def check(
    model: CommandModel | PipelineModel, project: str, of_steps: dict[str, set[str]] | None = None
) -> None:
    """Raise ModelError for a command that can't run here, and note the files that it is made of.

    ``of_steps`` is given those of each step, by its name.
    """
    seen: set[tuple[str, ...]] = set()
    noted: dict[tuple[str, ...], set[str]] = {}  # what came of those in seen that are files
    for version in model.versions:
        argv, folder, env = version["command"], version.get("cwd", ""), version.get("env", {})
        if "{" in folder:  # it is known when there is a run
            continue
        line, cwd_line = model.lines(version)
        cwd = os.path.normpath(os.path.join(project, os.path.expanduser(folder)))
        known = folder, argv[0], env.get("PATH", ""), env.get("PYTHONPATH", "")
        if known not in seen:
            seen.add(known)
            if not os.path.isdir(cwd):
                STAMPS[cwd] = GONE  # so that it is looked at anew when it is there
                raise FileError(
                    f"cwd {folder} is no folder", cwd_line, f"make {cwd}, or correct it"
                )
            _check_program(argv[0], cwd, env, line, model.owner(version))
        main = main_of(argv) if is_python(argv[0]) else ("", "")
        if (*known, *main) not in seen:
            seen.add((*known, *main))
            _check_main(*main, argv[0], cwd, env, line, model.owner(version))
        for path in code_of(argv, cwd):
            if (*known, path) not in seen:
                seen.add((*known, path))
                noted[(*known, path)] = _note(path, main, cwd, env, project)
            if of_steps is not None:
                of_steps.setdefault(version["step"], set()).update(noted[(*known, path)])


def _note(
    path: str, main: tuple[str, str], cwd: str, env: Mapping[str, str], project: str
) -> set[str]:
    """Note a file that a command is made of, if it is the project's, and what that imports;
    returns these.
    """
    if not path.startswith(os.path.join(project, "")):
        return set()
    files = [*_packages(path, cwd), path] if main[1] else [path]
    files = [each for each in files if os.path.isfile(each)]
    for each in files:
        if each not in STAMPS:
            with suppress(OSError):
                stat = os.stat(each)
                STAMPS[each] = stat.st_mtime_ns, stat.st_size
    own = cwd if main[1] else os.path.dirname(os.path.realpath(path))
    return follow(files, [own, *(os.path.join(cwd, each) for each in python_path(env))], project)


def _packages(path: str, cwd: str) -> Iterator[str]:
    """What is imported before a module of ``-m``: the packages that it is in."""
    folder = os.path.dirname(path)
    while folder != cwd and folder.startswith(os.path.join(cwd, "")):
        yield os.path.join(folder, "__init__.py")
        folder = os.path.dirname(folder)


def _check_main(
    script: str,
    module: str,
    program: str,
    cwd: str,
    env: Mapping[str, str],
    line: int,
    owner: tuple[str, str],
) -> None:
    """Raise FileError where what Python is to run is not there, and that can be told."""
    path = os.path.normpath(os.path.join(cwd, script or module.partition(".")[0]))
    if script and "{" not in script and not os.path.exists(path):
        STAMPS[path] = GONE
        where = "" if os.path.isabs(script) else f" in {cwd}"
        raise _not_here(owner, f"there is no {script}{where}", line, "correct the path")
    if module and "{" not in module and not any(name.startswith("PYTHON") for name in env):
        if any(map(os.path.exists, (path, f"{path}.py"))):
            return
        if is_this_python(found_program(program, cwd, env) or "") and not has_module(module):
            STAMPS[path] = STAMPS[f"{path}.py"] = GONE
            raise _not_here(
                owner,
                f"there is no module {module}",
                line,
                f"install it for {sys.executable}, or correct its name",
            )


def _not_here(owner: tuple[str, str], problem: str, line: int, remedy: str) -> FileError:
    """``owner``: what can't run, and what may be done besides the ``remedy``."""
    name, more = owner
    return FileError(
        f"{name or 'it'} can't run here: {problem}", line, f"{remedy}; {more}" if more else remedy
    )


def _check_program(
    name: str, cwd: str, env: Mapping[str, str], line: int, owner: tuple[str, str]
) -> None:
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
    raise _not_here(owner, problem, line, remedy)


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
