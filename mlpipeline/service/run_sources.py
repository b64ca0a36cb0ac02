"""Where the project of ``mlpipeline run`` is: a folder or a worktree; and whose queue takes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from mlpipeline.core.git_addresses import Address, masked
from mlpipeline.errors import MlpipelineError, short
from mlpipeline.service import sweeps
from mlpipeline.service.adding import folder_text
from mlpipeline.service.project import Project, open_project, project_above
from mlpipeline.state.git_mirrors import checkout, top_level
from mlpipeline.state.layout import CONFIG

Say = Callable[[str], None]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where the MLproject is."""

    folder: Path
    name: str
    commit: str = ""
    said: str  # the address, without secrets
    label: str = ""  # of the commit, for names


def local_folder(address: Address) -> Path:
    """The folder that an address without a scheme names; raises MlpipelineError."""
    folder = Path(address.base).expanduser()
    if address.base.endswith(".zip"):
        raise MlpipelineError(f"{address.base}: unpack it, and name the folder")
    if not folder.exists():
        raise MlpipelineError(
            f"there is no folder {address.base}; a git address begins with https://, ssh://, "
            "git:// or file://, or is user@host:path"
        )
    if not folder.is_dir():
        raise MlpipelineError(f"{address.base} is no folder: name the one that has MLproject")
    return folder.absolute()


def nearest_queue(named: Path | None, folder: Path | None) -> Project | None:
    """The project whose queue it is for, ``named`` or near; None where there is none.

    Raises ConfigError for one that can't be used.
    """
    if named is not None:
        return open_project(named.expanduser())
    for start in (Path.cwd(), folder):
        if start is not None:
            found = start if (start / CONFIG).is_file() else project_above(start)
            if found:
                return open_project(found)
    return None


def new_queue(say: Say) -> Project:
    """The working directory, made a project; raises MlpipelineError, StorageError."""
    here = Path.cwd()
    if here in (Path.home(), Path(here.anchor)):
        raise MlpipelineError(
            f"no project's queue is here, and {here} shall not be made one: name a folder that "
            "is, or is to be: mlpipeline init DIR, then -C DIR"
        )
    made = sweeps.project_for(here)
    say(f"made {here} a project of mlpipeline, for its queue")
    return made.project


def source_of(
    project: Project, address: Address, folder: Path | None, version: str | None, say: Say
) -> Source:
    """Where the MLproject is, which is fetched first where it is in git.

    ``folder``: what the address names on this machine, if that. Raises MlpipelineError.
    """
    if folder is not None and version is None:
        whole = below(folder, address)
        return Source(folder=whole, name=whole.name, said=_said(whole, project))
    where, base, inner = folder, address.base, address.folder
    if where is not None:
        top = top_level(where)
        if top is None:
            raise MlpipelineError(
                f"{short(where)} lies in no git repository, so there is no version {version}"
            )
        real = where.resolve()
        prefix = real.relative_to(top).as_posix() if real.is_relative_to(top) else ""
        inner = "/".join(part for part in (prefix, inner) if part not in ("", "."))
        base = str(top)
    name = Address.of(base).name
    place = project.layout.git_folder(name, base)
    made = checkout(place, base, version, say, shared=project.settings.shared)
    label = version if version and len(version) < 40 else made.commit[:8]
    whole = made.folder / inner
    said = masked(base) + (f"#{inner}" if inner else "")
    if not whole.is_dir():
        raise MlpipelineError(f"{masked(base)} has no folder {inner} at {label}")
    return Source(
        folder=whole,
        name=Path(inner).name or name,
        commit=made.commit,
        said=said,
        label=label,
    )


def below(folder: Path, address: Address) -> Path:
    """The folder in ``folder`` that stands behind the #; raises MlpipelineError."""
    whole = folder / address.folder if address.folder else folder
    if not whole.is_dir():
        raise MlpipelineError(f"{short(folder)} has no folder {address.folder}")
    return whole


def _said(folder: Path, project: Project) -> str:
    return folder_text(folder, project) or "."
