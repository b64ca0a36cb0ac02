"""``mlpipeline new``: projects, models and steps from templates, of the package or of a team.

What a template comes to is made beside the place where it goes, and put there when it is whole;
nothing that is there is written over.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

import msgspec

from mlpipeline.core.git_addresses import Address, masked
from mlpipeline.errors import MlpipelineError, short
from mlpipeline.execution.git_mirrors import checkout
from mlpipeline.service import new_project
from mlpipeline.service.new_project import Made
from mlpipeline.service.project import nearest_project, open_project
from mlpipeline.service.template_answers import check_name, check_names, flaw_of
from mlpipeline.state.files import storage
from mlpipeline.state.layout import GitFolder
from mlpipeline.state.mlproject import read_mlproject

KINDS = ("project", "model", "step")
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*", re.ASCII)
STEPS = "src"  # the folder of a project's steps


class New(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be made."""

    kind: str  # one of KINDS
    name: str
    template: str = ""  # a folder, or a git address, with #folder in it; empty: the package's
    version: str | None = None  # of that repository
    answers: Mapping[str, str] = {}
    ask: bool = True  # for what has no answer
    into: Path | None = None  # the folder that it goes into; None: as is usual for its kind


def make(new: New, project: Path) -> Made:
    """Make what is asked for; ``project`` is the folder of the project that it is for.

    Raises MlpipelineError where it can't be made; nothing has been written then.
    """
    if not _NAME.fullmatch(new.name):
        raise MlpipelineError(
            f"no {new.kind} can be called {new.name!r}: use letters, digits and _ . + -, and begin "
            "with a letter"
        )
    into = new.into or _usual_place(new.kind, project)
    if new.kind == "project":
        target = into / new.name
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise MlpipelineError(
                f"{short(target)} is there already; `mlpipeline init {short(target)}` makes it a "
                "project"
            )
        if not new.template:  # the same as init, which needs nothing else, and asks nothing
            return new_project.make(target)
    with storage(f"{short(into)} can't be written to"), _workshop(into) as workshop:
        return _placed(new, _rendered(new, workshop), into)


def needed_parameters(step: Path) -> list[str]:
    """Those of a step's folder that have no default; none where it is no project of MLflow's."""
    try:
        parameters = read_mlproject(step).entry("main").parameters.values()
    except MlpipelineError:  # a team's template may make anything
        return []
    return [each.name for each in parameters if each.default is None]


def _usual_place(kind: str, project: Path) -> Path:
    if kind == "model":
        return open_project(nearest_project(project)).layout.models_dir
    return project / STEPS if kind == "step" else project


@contextmanager
def _workshop(into: Path) -> Iterator[Path]:
    """A temporary folder from which things can be moved there."""
    above = into
    while not above.is_dir():
        above = above.parent
    folder = Path(tempfile.mkdtemp(prefix=".mlpipeline-new-", dir=above))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rendered(new: New, workshop: Path) -> Path:
    from mlpipeline.service.cookies import render  # takes 0.3 s, and needs cookiecutter

    check_name(new.kind, new.name, new.answers)
    answers = {"name": new.name, f"{new.kind}_name": new.name, **new.answers}
    names = {"name", f"{new.kind}_name"}  # which the template need not ask
    others = {name: value for name, value in new.answers.items() if name not in names}
    if new.template:
        template = _fetched(new.template, new.version, workshop)
        check_names(Path(template), others)
        return render(template, workshop, answers, version=new.version, ask=new.ask, own=False)
    for name, value in others.items():
        if flaw := flaw_of(name, value):
            raise MlpipelineError(f"-P {name}={value}: {flaw}")
    with as_file(files("mlpipeline.service").joinpath("templates", new.kind)) as template_folder:
        check_names(template_folder, others)
        return render(str(template_folder), workshop, answers, ask=new.ask, own=True)


def _fetched(template: str, version: str | None, workshop: Path) -> str:
    """A template's folder, which is in ``workshop`` where it comes from a git address; else what
    cookiecutter may know it by.
    """
    try:
        address = Address.of(template)
    except ValueError as error:
        raise MlpipelineError(f"{masked(template)}: {error}") from None
    base = Path(address.base).expanduser()
    if address.is_git:
        place = GitFolder(workshop / "git" / "template")
        base = checkout(place, address.base, version, lambda _: None).folder
    elif not base.is_dir():
        return template
    whole = base / address.folder
    if not (whole / "cookiecutter.json").is_file():
        named = masked(template) if address.is_git else short(whole)
        raise MlpipelineError(f"{named} has no cookiecutter.json, so it is no template")
    return str(whole)


def _placed(new: New, made: Path, into: Path) -> Made:
    """Move what was made to where it goes: a model's files, or a whole folder."""
    into.mkdir(parents=True, exist_ok=True)
    if new.kind != "model":
        target = into / made.name
        _check_free(target)
        made.rename(target)
        wrote = [path for path in sorted(target.rglob("*")) if path.is_file()]
        return Made(folder=str(target), wrote=tuple(map(str, wrote)), kept=())
    found = [path for path in sorted(made.rglob("*")) if path.is_file()]
    targets = [into / path.relative_to(made) for path in found]
    for target in targets:
        _check_free(target)
    for path, target in zip(found, targets, strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    return Made(folder=str(into), wrote=tuple(map(str, targets)), kept=())


def _check_free(target: Path) -> None:
    if target.is_dir() and not any(target.iterdir()):
        return  # rename takes the place of an empty one
    if target.exists():
        raise MlpipelineError(f"{short(target)} is there already; choose another name")
