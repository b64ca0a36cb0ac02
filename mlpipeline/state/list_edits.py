"""Changes to a list of models: what each does to its text, and what the list is to be after it.

An entry is found by its path in its normal form, however the file spells it.
"""

from __future__ import annotations

import os

import msgspec

from mlpipeline.core.places import LAST, Place
from mlpipeline.state.ini import MAIN
from mlpipeline.state.ini_text import IniText
from mlpipeline.state.lists import PAUSED, Entry, ModelList, stripped
from mlpipeline.state.priorities import PRIORITIES


class Add(msgspec.Struct, frozen=True, kw_only=True):
    """List a path that is not listed."""

    path: str
    narrowing: str | None = None
    place: Place = LAST


class Remove(msgspec.Struct, frozen=True):
    """Take an entry away."""

    path: str


class Move(msgspec.Struct, frozen=True):
    """Put an entry in another place."""

    path: str
    place: Place


class Narrow(msgspec.Struct, frozen=True):
    """Have an entry name other versions; None: all."""

    path: str
    narrowing: str | None


class Pause(msgspec.Struct, frozen=True):
    """Have nothing more started, or have it started again."""

    paused: bool


class Prioritise(msgspec.Struct, frozen=True):
    """Have a model start before others, or after them; 0: in its turn."""

    path: str
    priority: int


Change = Add | Remove | Move | Narrow | Pause | Prioritise


class Decision(msgspec.Struct, frozen=True):
    """What is to be done to a list; None: nothing."""

    change: Change | None
    done: str  # in words, as of what has been done


def edited(text: str, section: str, change: Change) -> str:
    """The text of a good list after ``change``; ``section`` is where its entries stand."""
    ini = IniText(text)
    if isinstance(change, Pause):
        _pause(ini, change.paused)
        return ini.text()
    if isinstance(change, Prioritise):
        _prioritise(ini, change)
        return ini.text()
    ini.make(section, top=False)
    spelt = {os.path.normpath(name): name for name in ini.options[section]}
    match change:
        case Add(path=path, narrowing=narrowing, place=place):
            before = place.of(list(spelt))
            ini.insert(section, path, narrowing, spelt[before] if before else None)
        case Remove(path):
            ini.remove(section, spelt[path])
        case Move(path, place):
            before = place.of([each for each in spelt if each != path])
            ini.move(section, spelt[path], spelt[before] if before else None)
        case Narrow(path, narrowing):
            ini.assign(section, spelt[path], narrowing)
    return ini.text()


def meant(models: ModelList, change: Change) -> ModelList:
    """What the list is to be after ``change``; its lines are those of before."""
    if isinstance(change, Pause):
        return msgspec.structs.replace(models, paused=change.paused)
    if isinstance(change, Prioritise):
        priorities = {**models.priorities, change.path: change.priority}
        if not change.priority:
            del priorities[change.path]
        return msgspec.structs.replace(models, priorities=priorities)
    entries = {entry.path: entry for entry in models.entries}
    match change:
        case Add(path=path, narrowing=narrowing, place=place):
            _put(entries, Entry(path=path, narrowing=stripped(narrowing or "")), place)
        case Remove(path):
            del entries[path]
        case Move(path, place):
            _put(entries, entries.pop(path), place)
        case Narrow(path, narrowing):
            entries[path] = msgspec.structs.replace(
                entries[path], narrowing=stripped(narrowing or "")
            )
    return msgspec.structs.replace(models, entries=tuple(entries.values()))


def same(one: ModelList, other: ModelList) -> bool:
    """Whether two lists ask for the same, on whatever lines."""
    return _asked(one) == _asked(other)


def _asked(models: ModelList) -> tuple[object, ...]:
    entries = [(entry.path, entry.narrowing) for entry in models.entries]
    return models.blacklist, models.paused, models.priorities, entries


def _put(entries: dict[str, Entry], entry: Entry, place: Place) -> None:
    """Put an entry that is not there in its place."""
    order = list(entries)
    before = place.of(order)
    order.insert(order.index(before) if before else len(order), entry.path)
    entries[entry.path] = entry
    for path in order:
        entries[path] = entries.pop(path)


def _prioritise(ini: IniText, change: Prioritise) -> None:
    ini.make(PRIORITIES, top=False)
    spelt = {os.path.normpath(name): name for name in ini.options[PRIORITIES]}
    name = spelt.get(change.path)
    if name and not change.priority:
        ini.remove(PRIORITIES, name)
    elif name:
        ini.assign(PRIORITIES, name, str(change.priority))
    elif change.priority:
        ini.insert(PRIORITIES, change.path, str(change.priority))


def _pause(ini: IniText, paused: bool) -> None:
    there = PAUSED in ini.options.get(MAIN, {})
    if not paused:
        if there:
            ini.remove(MAIN, PAUSED)
    elif there:
        ini.assign(MAIN, PAUSED, "yes")
    else:
        ini.make(MAIN, top=True)
        ini.insert(MAIN, PAUSED, "yes")
