"""What a list needs so that a model, or some of its versions, stand in it or no longer do.

A whitelist names what runs, a blacklist what does not: adding a model to the one is what removing
it from the other is, and the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mlpipeline.core.narrowing import STEPS, choose_versions, no_step
from mlpipeline.core.places import LAST, Place
from mlpipeline.core.spelling import nearest
from mlpipeline.errors import MlpipelineError, short
from mlpipeline.state.list_edits import (
    Add,
    Change,
    Decision,
    Move,
    Narrow,
    Pause,
    Remove,
    meant,
)
from mlpipeline.state.lists import Entry, ModelList


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is to be added or removed, or those of its versions that are named."""

    path: str
    names: tuple[str, ...] = ()  # as a person wrote them; none: the whole model
    known: tuple[str, ...] = ()  # the model's versions
    problem: str = ""  # why they are not known
    takes_overrides: bool = False  # so that the list may have such in the place of names

    def chosen(self, listed: Sequence[str] = ()) -> list[str]:
        """The versions that are named, of those ``known`` or ``listed``.

        Raises MlpipelineError for others.
        """
        if not self.names:
            return []
        if self.problem:
            raise MlpipelineError(f"the versions of {self.path} can't be told: {self.problem}")
        known = dict.fromkeys([*self.known, *listed])
        chosen: dict[str, None] = {}
        for text in self.names:
            names, unknown = choose_versions(text, known)
            if steps := [each for each in unknown if each.startswith(STEPS)]:
                problem, there = no_step(steps[0], known)
                raise MlpipelineError(f"{self.path} has {problem}; {there}")
            if unknown or not names:
                near = nearest(text, known)
                raise MlpipelineError(
                    f"{self.path} has no version {text}{near}; its versions: {', '.join(known)}"
                )
            chosen |= dict.fromkeys(names)
        return list(chosen)

    def listed_in(self, entry: Entry) -> tuple[list[str], list[str]]:
        """The versions that an entry names, and names in it that the model has no longer.

        Raises MlpipelineError where it has overrides instead.
        """
        listed, stale = choose_versions(entry.narrowing or "", self.known)
        if stale and self.takes_overrides:
            raise MlpipelineError(
                f"{self.path} is listed with the overrides {entry.narrowing!r}, which make its "
                "versions: edit that line of the list"
            )
        return listed, stale

    def narrowing(self, names: Sequence[str], stale: Sequence[str] = ()) -> str | None:
        """``names``, and ``stale`` ones that the model has no longer, as they stand in a list.

        Raises MlpipelineError where they would read otherwise: ``a, b`` may be one name, too.
        """
        text = ", ".join([*names, *stale])
        if choose_versions(text, self.known) != (list(names), list(stale)):
            raise MlpipelineError(f"{self.path} = {text} would read otherwise; rename a version")
        return text or None


def add(models: ModelList, wanted: Wanted, place: Place | None) -> Decision:
    """Have ``wanted`` run; ``place`` is where a model goes that is not listed."""
    if not models.blacklist:
        return _put(models, wanted, place)
    if place:
        raise _no_order(models)
    return _take(models, wanted)


def remove(models: ModelList, wanted: Wanted) -> Decision:
    """Have ``wanted`` run no longer."""
    return _put(models, wanted, None) if models.blacklist else _take(models, wanted)


def move(models: ModelList, path: str, place: Place) -> Decision:
    """Put a listed model in another place."""
    if models.blacklist:
        raise _no_order(models)
    if _entry(models, path) is None:
        raise _not_listed(models, path)
    _check(models, place)
    if place.before == path:
        raise MlpipelineError(f"{path} can't go before itself")
    where = f"before {place.before}" if place.before else "first" if place.first else "last"
    change = Move(path, place)
    if meant(models, change) == models:
        return Decision(None, f"{path} is {where} already")
    return Decision(change, f"moved {path} {where}")


def pause(models: ModelList, paused: bool) -> Decision:
    """Have nothing more started, or have it started again."""
    if models.paused == paused:
        return Decision(None, "is paused already" if paused else "is not paused")
    done = "paused; what runs comes to its end" if paused else "is no longer paused"
    return Decision(Pause(paused), done)


def _put(models: ModelList, wanted: Wanted, place: Place | None) -> Decision:
    """Have ``wanted`` stand in the list."""
    path, entry = wanted.path, _entry(models, wanted.path)
    if entry is None:
        _check(models, place or LAST)
        names = wanted.chosen()
        add = Add(path=path, narrowing=wanted.narrowing(names), place=place or LAST)
        return _told(models, add, path, names, put=True)
    if place:
        raise MlpipelineError(
            f"{path} is listed already: leave the place out to add versions, and use "
            "`mlpipeline move` to put it in another place"
        )
    names = wanted.chosen()
    listed, stale = wanted.listed_in(entry)
    there = set(listed)
    new = [name for name in names if name not in there]
    if entry.narrowing is None or (names and not new):
        return _nothing_to_put(models, path, names if entry.narrowing else [])
    text = wanted.narrowing([*listed, *new], stale) if names else None
    return _told(models, Narrow(path, text), path, new, put=True, widened=not names)


def _take(models: ModelList, wanted: Wanted) -> Decision:
    """Have ``wanted`` stand in the list no longer."""
    path, entry = wanted.path, _entry(models, wanted.path)
    if entry is None:
        return _nothing_to_take(models, path, [])
    listed, stale = list(wanted.known), list[str]()
    if entry.narrowing:
        listed, stale = wanted.listed_in(entry)
    names = wanted.chosen(stale)
    there, taken = {*listed, *stale}, set(names)
    missing = [name for name in names if name not in there]
    if missing:
        return _nothing_to_take(models, path, missing)
    change: Change = Remove(path)
    listed = [name for name in listed if name not in taken]
    stale = [name for name in stale if name not in taken]
    if names and (listed or stale):
        change = Narrow(path, wanted.narrowing(listed, stale))
    return _told(models, change, path, names, put=False)


def _told(
    models: ModelList,
    change: Change,
    path: str,
    names: Sequence[str],
    *,
    put: bool,
    widened: bool = False,
) -> Decision:
    what = f"all of {path}" if widened else _of(names, path)
    if not models.blacklist:
        return Decision(change, f"{'added' if put else 'removed'} {what}")
    return Decision(change, f"blacklisted {what}" if put else f"took {what} off the blacklist")


def _nothing_to_put(models: ModelList, path: str, names: Sequence[str]) -> Decision:
    """What is to be put in the list is there: in a blacklist, it is as good as removed."""
    what = ", ".join(names) or "all its versions"
    if models.blacklist:
        raise MlpipelineError(f"{path} is blacklisted already, with {what}")
    return Decision(None, f"{path} is listed already, with {what}")


def _nothing_to_take(models: ModelList, path: str, names: Sequence[str]) -> Decision:
    """What is to be taken off the list is not there: from a blacklist, it is as good as added."""
    if models.blacklist:
        return Decision(None, f"nothing: {_of(names, path)} is not blacklisted")
    if names:
        raise MlpipelineError(f"{short(models.path)} does not list {_of(names, path)}")
    raise _not_listed(models, path)


def _not_listed(models: ModelList, path: str) -> MlpipelineError:
    near = nearest(path, [entry.path for entry in models.entries])
    return MlpipelineError(f"{short(models.path)} does not list {path}{near}")


def _no_order(models: ModelList) -> MlpipelineError:
    return MlpipelineError(
        f"{short(models.path)} is a blacklist: what it does not name runs in the order of the "
        "paths; for an order of your own, list models under use_blacklist = false"
    )


def _check(models: ModelList, place: Place) -> None:
    if place.before and _entry(models, place.before) is None:
        raise _not_listed(models, place.before)


def _entry(models: ModelList, path: str) -> Entry | None:
    return next((entry for entry in models.entries if entry.path == path), None)


def _of(names: Sequence[str], path: str) -> str:
    return f"{', '.join(names)} of {path}" if names else path
