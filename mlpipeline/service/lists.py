"""Editing a list of models: finds what a person names, and says what an edit changes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from mlpipeline.core.changes import Changes, changes
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listed import ListedModel, all_asks
from mlpipeline.core.model_files import SUFFIXES, is_model_file, model_name
from mlpipeline.core.places import Place
from mlpipeline.core.planning import Situation, explain
from mlpipeline.core.slots import UNCOUNTED
from mlpipeline.core.spelling import nearest
from mlpipeline.core.standings import Standing
from mlpipeline.errors import MlpipelineError, short
from mlpipeline.execution.hardware import Hardware
from mlpipeline.service.project import Project, known_scripts, policy
from mlpipeline.state import list_decisions
from mlpipeline.state.files_below import FilesBelow, model_files
from mlpipeline.state.history import read_histories
from mlpipeline.state.layout import LIST, TEST_LIST
from mlpipeline.state.list_decisions import Wanted
from mlpipeline.state.list_edits import Decision
from mlpipeline.state.list_writing import Revision, revise
from mlpipeline.state.lists import Entry, ListText, ModelList, read_list


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a list, and what that changes about the queue of `mlpipeline -r -u`."""

    list: str  # its file's name
    done: str  # what was done to the list, in words
    changed: bool  # whether it is another list now
    changes: Changes = Changes()
    paused: bool = False  # nothing is started for now
    problems: tuple[str, ...] = ()  # what keeps the list, or the model, from being used


def add(
    project: Project,
    model: str,
    versions: Sequence[str] = (),
    *,
    place: Place | None = None,
    test: bool = False,
) -> Edit:
    """Have a model run, or some of its versions; ``place`` is where a model goes that is new.

    Raises MlpipelineError for names that nothing has, ConfigError for a list that can't be used,
    StorageError when it can't be written.
    """
    desk = Desk(project, test=test)
    wanted = desk.wanted(desk.path_of(model), versions)
    where = desk.place(place) if place else None
    return desk.edit(lambda models: list_decisions.add(models, wanted, where), wanted.path)


def remove(
    project: Project, model: str, versions: Sequence[str] = (), *, test: bool = False
) -> Edit:
    """Have a model run no longer, or some of its versions; raises what :func:`add` does."""
    desk = Desk(project, test=test)
    wanted = desk.wanted(desk.path_of(model, listed=True), versions)
    return desk.edit(lambda models: list_decisions.remove(models, wanted), wanted.path)


def move(project: Project, model: str, place: Place, *, test: bool = False) -> Edit:
    """Put a listed model in another place; raises what :func:`add` does."""
    desk = Desk(project, test=test)
    path, where = desk.path_of(model, listed=True), desk.place(place)
    return desk.edit(lambda models: list_decisions.move(models, path, where), path)


def pause(project: Project) -> Edit:
    """Have nothing more started on any host; raises what :func:`add` does."""
    return Desk(project).edit(lambda models: list_decisions.pause(models, True))


def resume(project: Project) -> Edit:
    """Have what is listed started again; raises what :func:`add` does."""
    return Desk(project).edit(lambda models: list_decisions.pause(models, False))


def models(project: Project) -> list[str]:
    """All model files, listed or not."""
    return model_files(FilesBelow(project.layout.models_dir)())


def versions(project: Project, model: str) -> tuple[str, ...]:
    """The versions of a model, listed or not; raises MlpipelineError for an unknown model."""
    desk = Desk(project)
    return desk.known(desk.path_of(model))


def model_of(text: str) -> str:
    """The name of the model that a person means by its name, or by its file in models_dir."""
    return model_name(os.path.normpath(text))


class Desk:
    """Where one edit of a list is made."""

    def __init__(self, project: Project, *, test: bool = False):
        self._project = project
        self._test = test
        self._name = TEST_LIST if test else LIST
        self._scripts = known_scripts(project)

    def path_of(self, text: str, *, listed: bool = False) -> str:
        """The model file that ``text`` means, relative to models_dir.

        As in a list, or relative to the working directory; its suffix may be left out. Raises
        MlpipelineError, with the nearest model, or the nearest ``listed`` one, where none is meant.
        """
        layout = self._project.layout
        models = self._list()
        files = model_files(FilesBelow(layout.models_dir)())
        for path in _candidates(text, layout.models_dir):
            if path in files or (not models.blacklist and _is_there(layout.models_dir / path)):
                return path
        paths = files
        if listed and not models.blacklist:
            paths = [entry.path for entry in models.entries]
        near = nearest(text, paths if is_model_file(text) else map(model_name, paths))
        where = short(models.path if listed else layout.models_dir)
        raise MlpipelineError(f"there is no model {text} in {where}{near}")

    def place(self, place: Place) -> Place:
        """``place`` with the path of the model that it names."""
        if not place.before:
            return place
        return Place(before=self.path_of(place.before, listed=True))

    def wanted(self, path: str, names: Sequence[str]) -> Wanted:
        """The versions of a model that are named; they are looked up only if there are names."""
        if not names:
            return Wanted(path=path)
        models = self._whole(path)
        return Wanted(
            path=path,
            names=tuple(names),
            known=tuple(version.name for model in models for version in model.versions),
            problem="".join(model.problem for model in models),
            takes_overrides=any(model.takes_overrides for model in models),
        )

    def known(self, path: str) -> tuple[str, ...]:
        """The versions of a model."""
        return tuple(version.name for model in self._whole(path) for version in model.versions)

    def problem(self, path: str) -> str:
        """Why the versions of a model can't be told, if that is so."""
        return "".join(model.problem for model in self._whole(path))

    def _whole(self, path: str) -> Sequence[ListedModel]:
        """A model as it would be listed without narrowing."""
        whole = ModelList(path=Path(self._name), entries=(Entry(path=path),))
        return self._scripts.listed(whole).models

    def narrows(self, path: str) -> bool:
        """Whether the list has some versions of a model only."""
        return any(entry.path == path and entry.narrowing for entry in self._list().entries)

    def standings(self) -> list[Standing]:
        """Where everything stands that the list asks for as it is."""
        ledger = Ledger() if self._test else read_histories(self._project.layout)[0]
        return self._standings(self._scripts.listed(self._list()).models, ledger)

    def _list(self) -> ModelList:
        layout = self._project.layout
        return read_list(ListText.read(layout.project / self._name), layout.models_dir)

    def edit(self, decide: Callable[[ModelList], Decision], path: str = "") -> Edit:
        """Write what is decided, and see what that changes; ``path`` is the model in question."""
        if self._project.settings.shared:  # what is made in outputs/ is the group's too
            os.umask(os.umask(0o077) & ~0o070)
        revision = revise(self._project.layout, self._name, decide)
        before, after = revision.before, revision.after
        edit = Edit(
            list=self._name, done=revision.done, changed=before != after, paused=after.paused
        )
        return self._told(edit, revision, path) if edit.changed and path else edit

    def _told(self, edit: Edit, revision: Revision, path: str) -> Edit:
        """``edit`` with what the revision changes about the queue."""
        ledger = Ledger() if self._test else read_histories(self._project.layout)[0]
        read = self._scripts.listed(revision.after)
        problems = [model.problem for model in read.models if model.path == path and model.problem]
        before = self._scripts.listed(revision.before).models
        return msgspec.structs.replace(
            edit,
            changes=changes(
                self._standings(before, ledger), self._standings(read.models, ledger), read.unknown
            ),
            problems=(*problems, *read.complaints),
        )

    def _standings(self, models: Sequence[ListedModel], ledger: Ledger) -> list[Standing]:
        host = UNCOUNTED if self._test else Hardware(self._project.settings).now(all_asks(models))
        decides = policy(self._project, session="", unattended=not self._test, test=self._test)
        now = datetime.now().astimezone()
        return explain(Situation(listed=models, ledger=ledger, policy=decides, now=now, host=host))


def _candidates(text: str, models_dir: Path) -> Iterator[str]:
    """The paths in models_dir that ``text`` may mean, the likeliest first."""
    bases = [os.path.normpath(text)]
    with suppress(ValueError):  # it does not lie there
        below = Path(os.path.normpath(Path.cwd() / text)).relative_to(models_dir)
        bases.append(below.as_posix())
    for base in bases:
        if not base.startswith(("..", "/")):
            if is_model_file(base):
                yield base
            yield from (f"{base}{suffix}" for suffix in SUFFIXES)


def _is_there(path: Path) -> bool:
    """Whether a model file is there, and its name is text."""
    try:
        str(path).encode()
        return path.is_file()
    except (OSError, ValueError):
        return False
