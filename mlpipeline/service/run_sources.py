"""Where the project of ``mlpipeline run`` is: a folder or a worktree; and whose queue takes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from mlpipeline.core.git_addresses import Address, masked
from mlpipeline.core.launch import Spec
from mlpipeline.core.ledger import Ledger
from mlpipeline.errors import MlpipelineError, short
from mlpipeline.execution.executors.local import is_running
from mlpipeline.execution.git_mirrors import checkout, top_level
from mlpipeline.service.adding import folder_text
from mlpipeline.service.new_project import empty_models_dir, make_empty
from mlpipeline.service.project import Project, open_project, project_above
from mlpipeline.state.config import Settings
from mlpipeline.state.files import read_record
from mlpipeline.state.journals import Journals
from mlpipeline.state.layout import CONFIG, Layout
from mlpipeline.state.lock import making

Say = Callable[[str], None]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where the MLproject is."""

    folder: Path
    name: str
    commit: str = ""
    said: str  # the address, without secrets
    label: str = ""  # of the commit, for names


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """Whose queue takes it."""

    project: Project
    is_new: bool = False  # it is still to be made


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


@contextmanager
def home_of(named: Path | None, folder: Path | None, say: Say) -> Iterator[Home]:
    """Whose queue it is for; where there is none, the working directory is to be made a project.

    Nothing is left there unless it was made one. Raises MlpipelineError, StorageError.
    """
    found = nearest_queue(named, folder)
    if found is not None:
        yield Home(project=found)
        return
    here = Path.cwd()
    if here in (Path.home(), Path(here.anchor)):
        raise MlpipelineError(
            f"no project's queue is here, and {here} shall not be made one: name a folder that "
            "is, or is to be: mlpipeline init DIR, then -C DIR"
        )
    with making(here, lambda: say(f"waiting for another mlpipeline, which makes {here} a project")):
        found = nearest_queue(named, folder)
        if found is not None:
            yield Home(project=found)
            return
        models = empty_models_dir(here)
        planned = Project(settings=Settings(models_dir=models), layout=Layout.of(here, models))
        try:
            yield Home(project=planned, is_new=True)
        finally:
            if not (here / CONFIG).exists():
                shutil.rmtree(models, ignore_errors=True)


def made(home: Home, say: Say) -> Project:
    """The project, which is there then; raises StorageError."""
    if not home.is_new:
        return home.project
    folder = home.project.layout.project
    make_empty(folder)
    say(f"made {folder} a project of mlpipeline, for its queue")
    return open_project(folder)


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
    got = checkout(
        place,
        base,
        version,
        say,
        shared=project.settings.shared,
        is_free=lambda tree: not _runs_in(project, tree),
    )
    label = version if version and len(version) < 40 else got.commit[:8]
    whole = got.folder / inner
    said = masked(base) + (f"#{inner}" if inner else "")
    if not whole.is_dir():
        raise MlpipelineError(f"{masked(base)} has no folder {inner} at {label}")
    return Source(
        folder=whole,
        name=Path(inner).name or name,
        commit=got.commit,
        said=said,
        label=label,
    )


def below(folder: Path, address: Address) -> Path:
    """The folder in ``folder`` that stands behind the #; raises MlpipelineError."""
    whole = folder / address.folder if address.folder else folder
    if not whole.is_dir():
        raise MlpipelineError(f"{short(folder)} has no folder {address.folder}")
    return whole


def _runs_in(project: Project, tree: Path) -> bool:
    """Whether a run, of any host, works in a worktree, as far as the history knows."""
    layout, ledger = project.layout, Ledger()
    Journals(layout, ledger).read()
    for run in ledger.active():
        folder = layout.run_folder(run.id)
        if run.host == layout.host and not is_running(str(folder.path)):
            continue
        spec = read_record(folder.spec, Spec)
        if spec is None:  # nobody knows
            return True
        where = layout.project / str(spec.parameters.get("cwd", ""))
        if where.resolve().is_relative_to(tree.resolve()):
            return True
    return False


def _said(folder: Path, project: Project) -> str:
    return folder_text(folder, project) or "."
