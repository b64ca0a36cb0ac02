"""Sweeps of other programs: put into the queue as a model, and followed to their end.

The one door for whoever launches jobs, such as Hydra's launcher. The queue does the rest: what is
done is not done again, and what was cut short goes on, whoever was killed meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from mlpipeline.api.sweeps import MOST
from mlpipeline.core.standings import Standing, State
from mlpipeline.errors import MlpipelineError, short
from mlpipeline.service import steering
from mlpipeline.service.naming import Named
from mlpipeline.service.new_project import make_empty
from mlpipeline.service.project import Project, nearest_project, open_project, set_umask
from mlpipeline.service.queue import Onlooker, Queue
from mlpipeline.service.sweep_files import SUFFIX, Sweep, SweptJob, earlier_jobs, text_of
from mlpipeline.state.files import storage, write_whole
from mlpipeline.state.layout import CONFIG, LIST
from mlpipeline.state.list_edits import Add, Decision, Prioritise
from mlpipeline.state.list_writing import revise
from mlpipeline.state.lists import ModelList
from mlpipeline.state.lock import making

RERUNS = ("missing", "changed", "all")  # what may be asked to run of a sweep that has run before


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """The project that a sweep belongs to."""

    project: Project
    is_new: bool = False  # it was made just now


def nearest(folder: Path, named: str | None = None) -> Project | None:
    """The project ``named``; else the nearest at or above ``folder``, if there is one.

    Raises MlpipelineError.
    """
    if named:
        return open_project(Path(named).expanduser())
    found = nearest_project(folder)
    return open_project(found) if os.path.lexists(found / CONFIG) else None


def project_for(folder: Path, named: str | None = None) -> Made:
    """As ``nearest``, but where there is none, one made in ``folder``; raises MlpipelineError."""
    found = nearest(folder, named)
    if found:
        return Made(project=found)
    with making(folder):
        if not os.path.lexists(folder / CONFIG):  # of another, who came first
            make_empty(folder)
        return Made(project=open_project(folder), is_new=True)


def check_count(project: Project | None, count: int | None) -> None:
    """Raise MlpipelineError where a sweep has more jobs than the project's models may have.

    ``project``: None where it is still to be made; ``count``: None where there is no end of them.
    """
    most = project.settings.max_versions if project else MOST
    if count is None or (most and count > most):
        config = short(project.layout.project / CONFIG) if project else CONFIG
        jobs = "more jobs than can be counted" if count is None else f"{count:,} jobs"
        limit = f", and max_versions is {most:,}" if most else ""
        remedy = f"if that is meant, raise max_versions in {config}; " if count else ""
        raise MlpipelineError(f"this sweep has {jobs}{limit}: {remedy}nothing was listed")


def earlier(project: Project, model: str) -> dict[str, SweptJob]:
    """The jobs of the sweep as it was launched before, by name."""
    return earlier_jobs(_path(project, model))


def put(
    project: Project, sweep: Sweep, files: Mapping[str, bytes], *, priority: int | None = None
) -> None:
    """Write the model file of ``sweep``, hand over ``files``, and list it, last, if it is not.

    ``priority``: among other models; None leaves it as it is.
    Raises ConfigError for a list that can't be used, StorageError when something can't be written;
    nothing is listed then.
    """
    layout, path = project.layout, _path(project, sweep.model)
    set_umask(project.settings.shared)
    _hand_over(project, sweep.model, files)
    with storage(f"{short(path)} can't be written"):
        is_private = sweep.has_secrets and not project.settings.shared
        _write(path, text_of(sweep).encode(), mode=0o600 if is_private else None)
    name = sweep.model + SUFFIX
    before = revise(layout, LIST, lambda models: _listing(models, name)).before
    if priority is not None and before.priorities.get(name, 0) != priority:
        change = Prioritise(name, priority)
        revise(layout, LIST, lambda _: Decision(change, f"{name} has priority {priority}"))


def _path(project: Project, model: str) -> Path:
    return project.layout.models_dir / (model + SUFFIX)


def _listing(models: ModelList, path: str) -> Decision:
    entry = next((entry for entry in models.entries if entry.path == path), None)
    if models.blacklist:
        if entry:
            raise MlpipelineError(
                f"{short(models.path)} blacklists {path}: take it off with `mlpipeline add {path}`"
            )
        return Decision(None, f"{path} runs as all that is not blacklisted")
    return Decision(None if entry else Add(path=path), f"added {path}")


def _hand_over(project: Project, model: str, files: Mapping[str, bytes]) -> None:
    """Put down what runs are to find, for nobody else's eyes: configs may hold secrets."""
    layout = project.layout
    folder = layout.handovers(model)
    with storage(f"{short(folder)} can't be written to"):
        layout.outputs.mkdir(exist_ok=True)
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            path = layout.handover(model, name)
            if not path.exists() or path.stat().st_size != len(content):
                _write(path, content, mode=0o600)
    kept = {layout.handover(model, name).name for name in files}
    with suppress(OSError):  # what is left there harms nobody
        for old in folder.iterdir():
            if old.name not in kept:
                old.unlink()


def _write(path: Path, content: bytes, mode: int | None = None) -> None:
    """Put ``content`` at ``path`` for good, unless it is there; raises OSError."""
    with suppress(OSError):
        if path.read_bytes() == content:
            return
    write_whole(path, content, lasting=True, mode=mode)


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """Where the jobs of a sweep stand at one moment, by name."""

    standings: Mapping[str, Standing]  # of those that are listed
    queue: Queue
    is_known: bool = True  # else the session is only looking what there is

    def done(self, names: Sequence[str]) -> list[str]:
        """Those that have run."""
        return [name for name in names if self._state(name) is State.DONE]

    def outdated(self, names: Sequence[str]) -> list[str]:
        """Those that have run with a script that was edited since."""
        known = self.standings
        return [name for name in names if name in known and known[name].is_outdated]

    def failed(self, names: Sequence[str]) -> list[str]:
        """Those that the session which is there has given up."""
        return [name for name in names if self._state(name) is State.FAILED]

    def _state(self, name: str) -> State | None:
        standing = self.standings.get(name)
        return standing.state if standing else None


def look(project: Project, model: str, onlooker: Onlooker, *, trust: bool = False) -> Sight:
    """Where the jobs of a sweep stand; ``trust``: as the session sees it that works on them.

    Raises MlpipelineError where the list, or the sweep's model file, can't be used.
    """
    queue = onlooker.look(trust=trust)
    if model + SUFFIX in queue.listed.pending:
        return Sight(standings={}, queue=queue, is_known=False)
    standings = {}
    for standing in queue.standings:
        if standing.model.name != model:
            continue
        if standing.version is None:
            raise MlpipelineError(standing.reason)
        standings[standing.version.name] = standing
    if queue.listed.problems and not standings:  # else it is being edited, and stays in use
        raise MlpipelineError("\n".join(queue.listed.problems))
    return Sight(standings=standings, queue=queue)


def run_again(project: Project, model: str, names: Sequence[str]) -> None:
    """Have jobs run again, whatever became of them; raises MlpipelineError for one that runs."""
    if names:
        steering.retry(project, [Named(model=model, version=name) for name in names])
