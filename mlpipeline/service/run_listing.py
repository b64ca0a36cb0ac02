"""Listing the versions that ``mlpipeline run`` asks for, and no others of their model.

What else the model's file has was asked for at other times: it stays listed while it is neither
done nor failed, and else is left to the next time that somebody asks.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from mlpipeline.core.narrowing import choose_versions
from mlpipeline.core.standings import State
from mlpipeline.errors import ConfigError, MlpipelineError, short
from mlpipeline.service.project import Project
from mlpipeline.service.queue import Onlooker
from mlpipeline.state.layout import LIST
from mlpipeline.state.list_edits import Add, Decision, Narrow
from mlpipeline.state.list_writing import revise
from mlpipeline.state.lists import ModelList


def list_versions(
    project: Project, path: str, names: Sequence[str], there: Sequence[str], ended: Set[str]
) -> None:
    """Have the versions ``names`` of the model file ``path`` listed; ``there`` are all it has.

    Of the others, those that are listed stay so, but for the ``ended`` ones. Raises
    MlpipelineError, ConfigError for a list that can't be used, and StorageError.
    """

    def decide(models: ModelList, *, narrows: bool = True) -> Decision:
        entry = next((entry for entry in models.entries if entry.path == path), None)
        wanted = {*names, *(_listed(entry.narrowing, there) - ended if entry else ())}
        kept = [name for name in there if name in wanted]
        return _listing(models, path, _narrowing(kept, there) if narrows else None)

    try:
        revise(project.layout, LIST, decide)
    except ConfigError:
        # A name may have what divides a line of the list: all versions are listed, then.
        revise(project.layout, LIST, lambda models: decide(models, narrows=False))


def ended(path: str, onlooker: Onlooker) -> set[str]:
    """The listed versions of a model file that are done, or have failed and are not to go on."""
    queue = onlooker.look()
    return {
        standing.version.name
        for standing in queue.standings
        if standing.model.path == path
        and standing.version
        and queue.state_of(standing) in (State.DONE, State.FAILED, State.HELD)
    }


def _listed(narrowing: str | None, there: Sequence[str]) -> set[str]:
    return set(choose_versions(narrowing, there)[0] if narrowing else there)


def _narrowing(names: Sequence[str], there: Sequence[str]) -> str | None:
    """What the list says to have these versions only; None where it is not to narrow them."""
    if set(names) == set(there):
        return None
    text = ", ".join(names)
    return text if choose_versions(text, there) == (list(names), []) else None


def _listing(models: ModelList, path: str, narrowing: str | None) -> Decision:
    entry = next((entry for entry in models.entries if entry.path == path), None)
    if models.blacklist:
        if entry:
            raise MlpipelineError(
                f"{short(models.path)} blacklists {path}: take it off with `mlpipeline add {path}`"
            )
        return Decision(None, f"{path} runs as all that is not blacklisted")
    if entry is None:
        return Decision(Add(path=path, narrowing=narrowing), f"added {path}")
    if entry.narrowing == narrowing:
        return Decision(None, f"{path} is listed already")
    return Decision(Narrow(path, narrowing), f"narrowed {path}")
