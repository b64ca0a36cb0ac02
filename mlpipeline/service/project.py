"""An opened project, and what all that is done with it starts from."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec

from mlpipeline.core.planning import Policy
from mlpipeline.errors import MlpipelineError
from mlpipeline.execution.known_scripts import KnownScripts
from mlpipeline.execution.listing import Listing
from mlpipeline.state.config import Settings, read_settings
from mlpipeline.state.host_config import AUTO
from mlpipeline.state.layout import CONFIG, LIST, Layout
from mlpipeline.state.machine import cpu_count

Awaiting = Callable[[Sequence[str]], None]


def nobody(scripts: Sequence[str]) -> None:
    """Is told, and does nothing."""


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """An opened project."""

    settings: Settings
    layout: Layout
    awaiting: Awaiting = nobody  # is told which scripts a view waits for


def open_project(folder: Path, awaiting: Awaiting = nobody) -> Project:
    """The project in ``folder``, or where that is none, the nearest one that it lies in.

    Raises ConfigError when mlp.config is missing or wrong.

    ``awaiting`` is called with the scripts that a view waits for, where that takes a moment.
    """
    if not folder.is_dir():
        raise MlpipelineError(f"{folder} is not a folder; name the one that holds mlp.config")
    project = nearest_project(folder.absolute())
    settings = read_settings(project)
    layout = Layout.of(project, settings.models_dir)
    return Project(settings=settings, layout=layout, awaiting=awaiting)


def with_parallel(project: Project, parallel: str | None) -> Project:
    """``project`` with so many runs at a time (a number, or ``auto``); None: as mlp.config says."""
    if parallel is None:
        return project
    slots = cpu_count() if parallel == AUTO else int(parallel)
    settings = msgspec.structs.replace(project.settings, parallel=slots)
    return msgspec.structs.replace(project, settings=settings)


def with_any_number(project: Project) -> Project:
    """``project`` where a sweep may have any number of versions."""
    settings = msgspec.structs.replace(project.settings, max_versions=0)
    return msgspec.structs.replace(project, settings=settings)


def project_above(folder: Path) -> Path | None:
    """The project in whose folders ``folder`` lies, itself not counted."""
    whole = Path(os.path.normpath(folder.absolute()))
    return next((each for each in whole.parents if (each / CONFIG).is_file()), None)


def nearest_project(folder: Path) -> Path:
    """``folder``, or where it is no project and lies in one, that."""
    # A link to nowhere is a mistake in this project, no sign that another one is meant.
    return folder if os.path.lexists(folder / CONFIG) else project_above(folder) or folder


def known_scripts(
    project: Project, *, session: bool = False, remember: bool = True
) -> KnownScripts:
    """What knows the model scripts, for a view or for a ``session``, as in KnownScripts.

    Without ``remember``, nothing counts that was found before.
    """
    layout, timeout = project.layout, project.settings.inspect_timeout
    memory = layout.inspected if remember else None
    return KnownScripts(
        layout.models_dir,
        layout.project,
        timeout,
        memory=memory,
        session=session,
        awaiting=project.awaiting,
        most=project.settings.max_versions or None,
    )


def listing(project: Project, name: str, *, session: bool = False) -> Listing:
    """The reader of the list ``name``, for a view or for a ``session``.

    A session takes no list that is being edited; test mode, whose point is to find errors, no one
    else's word for what is in a script.
    """
    layout = project.layout
    return Listing(
        layout.project / name,
        layout.models_dir,
        known_scripts(project, session=session, remember=not session or name == LIST),
        patient=session,
        memory=layout.list_in_use if name == LIST else None,
    )


def policy(
    project: Project,
    *,
    session: str,
    unattended: bool,
    test: bool = False,
    rehearse: bool = False,
) -> Policy:
    """Test mode takes one run at a time: the first failure ends it."""
    settings = project.settings
    return Policy(
        session=session,
        host=project.layout.host,
        unattended=unattended,
        retries=0 if test else settings.retries,
        retry_on=settings.retry_on,
        retry_delay=timedelta(seconds=settings.retry_delay),
        slots=1 if test else settings.parallel,
        rehearse=rehearse,
        test=test,
    )


def set_umask(shared: bool) -> None:
    """What is made from now on is as the user's umask says, and the group's only if ``shared``."""
    before = os.umask(0o077)
    os.umask(before & ~0o070 if shared else before | 0o022)
