"""The versions of a command file, each written out: those listed, those of a grid or of a sweep."""

from __future__ import annotations

import os
import re

from mlpipeline.api import listed, sweeps, words
from mlpipeline.api.names import ONLY
from mlpipeline.api.versions import Versions
from mlpipeline.errors import ModelError
from mlpipeline.sources.command_file import STANDARD, CommandFile, VersionText
from mlpipeline.sources.config_folders import config_folder
from mlpipeline.sources.yaml_file import FileError

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlpipeline.api.hydra_adapter import ConfigLoader

_GLOB = re.compile(r"=\s*(?:\w+\()*glob\(")


def version_texts(file: CommandFile) -> list[VersionText]:
    """All versions of ``file``, in their order, with the overrides that they share; raises
    FileError.
    """
    for text in file.versions:
        text.name = text.name or _name_of(text)
        text.overrides = [*file.overrides, *text.overrides]
    found = [*file.versions, *(_of_grid(file) if file.grid else ())]
    if not file.overrides:
        return found or [VersionText(file.line, ONLY)]
    if not found:
        return list(_of_sweep(file))
    for override in file.overrides:
        if _sweeps(override):
            raise FileError(
                f"{override} has several values, and there are versions as well",
                file.overrides_line,
                "leave out versions and grid, or give each version its own overrides",
            )
    return found


def _name_of(text: VersionText) -> str:
    """A name for a version without one: what it says."""
    parameters = [f"{key}={each}" for key, each in text.texts.items() if key not in STANDARD]
    return words.version_name([*parameters, *text.arguments, *text.overrides]) or ONLY


def _of_grid(file: CommandFile) -> Iterator[VersionText]:
    grid, values = Versions(), file.grid
    try:
        if any(isinstance(value, list) for value in values.values()):
            grid.add_grid(parameters=values)
        else:
            grid.add(ONLY, **values)
    except ValueError as error:
        raise FileError(str(error), file.grid_line) from None
    for version in grid:
        parameters = {key: version[key] for key in values}
        written = {key: file.grid_texts[key].get(repr(each)) for key, each in parameters.items()}
        texts = {key: each for key, each in written.items() if each is not None}
        yield VersionText(
            file.grid_line,
            version.name,
            overrides=file.overrides,
            parameters=parameters,
            texts=texts,
        )


def _of_sweep(file: CommandFile) -> Iterator[VersionText]:
    """A version for each job of the sweep, with what the list says beside the file."""
    more = listed.now.overrides(lambda: [name for _, name in _jobs(file, file.overrides)])
    for overrides, name in _jobs(file, [*file.overrides, *more]):
        yield VersionText(file.overrides_line, name, overrides=overrides)


def _jobs(file: CommandFile, overrides: list[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The jobs of a sweep, and their names; raises FileError."""
    most = listed.now.most
    if most is not None and file.max_versions is not None:
        most = file.max_versions
    try:
        from mlpipeline.api.hydra_adapter import axes  # takes 0.2 s, and needs hydra

        made = axes(overrides, _groups(file, overrides), most)
    except FileError:
        raise
    except ModelError as error:
        raise FileError(str(error), file.overrides_line) from None
    jobs = sweeps.jobs(made)
    if file.max_versions is None:
        listed.now.largest = max(listed.now.largest, len(jobs))
    return zip(jobs, sweeps.short_names(made, default=ONLY), strict=True)


def _groups(file: CommandFile, overrides: list[str]) -> ConfigLoader | None:
    """What knows the options of the app's config groups, where ``glob`` asks for them; raises
    FileError.
    """
    globs = [each for each in overrides if _GLOB.search(each)]
    if not globs:
        return None
    cwd = os.path.join(os.getcwd(), os.path.expanduser(file.cwd))
    folder = config_folder(file.command, cwd)
    if folder is None:
        raise FileError(
            f"{globs[0]} asks which configs there are, and it can't be told where they lie",
            file.overrides_line,
            "name them: model=cnn,mlp; or say --config-dir FOLDER in the command",
        )
    from mlpipeline.api.hydra_adapter import begin_app

    listed.now.note_files(folder)
    return begin_app("app", folder, None)


def _sweeps(override: str) -> bool:
    """Whether an override has several values; what can't be told without hydra has one."""
    try:
        from mlpipeline.api.hydra_adapter import axes  # takes 0.2 s, and needs hydra

        return sweeps.count(axes([override], most=None)) > 1
    except ModelError:
        return False
