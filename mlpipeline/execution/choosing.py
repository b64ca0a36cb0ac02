"""From the entries of a list, and what is known of the scripts, to the models that are listed."""

from __future__ import annotations

import operator
import time
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

import msgspec

from mlpipeline.api.listed import split
from mlpipeline.api.sweeps import shown
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.model_files import model_name
from mlpipeline.core.narrowing import STEPS, choose_versions, no_step
from mlpipeline.core.wording import enumeration
from mlpipeline.errors import ConfigError, short
from mlpipeline.execution.findings import Findings
from mlpipeline.state.files_below import FilesBelow, model_files
from mlpipeline.state.lists import Entry, ModelList

NAMED = 20  # versions in a complaint
AWAITED = 3  # scripts that are named where there is to wait for them


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a list asks for, as far as its scripts are known."""

    models: tuple[ListedModel, ...]  # in its order
    unknown: tuple[str, ...] = ()  # versions that no model has, as model/version
    complaints: tuple[str, ...] = ()  # about them: file, line and remedy
    wrong: tuple[str, ...] = ()  # about what the list says of models, which can't be used for that
    pending: frozenset[str] = frozenset()  # scripts that are new or edited, and not inspected yet
    behind: frozenset[str] = frozenset()  # what waits for those, to keep the order of the queue
    is_sure: bool = True  # False: whether it has complaints depends on those
    is_final: bool = True  # False: it may change when all scripts have been looked at
    waits: str = ""  # for what of that, where it takes long


class _Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry of a list comes to."""

    entry: Entry
    findings: Findings
    blacklist: bool
    priority: int
    model: ListedModel | None  # None where it is to have no versions
    unknown: list[str]


class Choices:
    """Remembers what was chosen, so that what has not changed is the same objects again."""

    def __init__(self, lead: float):
        """``lead``: seconds after which there is a word about what takes so long."""
        self._lead = lead
        self._chosen: dict[str, _Chosen] = {}
        self._models: tuple[ListedModel, ...] = ()  # those of the last reading
        self._awaited: list[str] = []  # scripts that there was a word about

    def reading(
        self,
        entries: Sequence[Entry],
        models: ModelList,
        known: Mapping[str, Findings],
        *,
        pending: frozenset[str],
        behind: frozenset[str] = frozenset(),
        open_since: Mapping[str, float],
        hindrances: Sequence[str] = (),
    ) -> Reading:
        """What the ``entries`` of ``models`` ask for.

        ``pending``: scripts whose versions are not known, or not any more. ``behind``: those that
        are to start after them. ``open_since``: these,
        and those that are looked at once more, with since when (monotonic seconds).
        ``hindrances``: why some of them could not be looked at.
        """
        result: list[ListedModel] = []
        complaints: list[str] = []
        nameless: list[str] = []
        is_sure = True
        for entry in entries:
            path = entry.path
            findings = known.get(path)
            if findings is None:
                is_sure = is_sure and not entry.narrowing
                continue
            chosen = self._choose(entry, findings, models)
            if chosen.model:
                result.append(chosen.model)
            if path in pending and (
                chosen.unknown or not findings.holds_for(text_of(entry, models))
            ):
                is_sure = False
            elif chosen.unknown:
                nameless += [f"{model_name(path)}/{name}" for name in chosen.unknown]
                complaints += _complaints(models, chosen)
        if len(result) != len(self._models) or not all(map(operator.is_, result, self._models)):
            self._models = tuple(result)
        return Reading(
            models=self._models,
            unknown=tuple(nameless),
            complaints=tuple(complaints),
            pending=pending,
            behind=behind,
            wrong=tuple(
                model.problem
                for model in result
                if model.overrides and model.path not in pending
                if model.problem
            ),
            is_sure=is_sure,
            is_final=not open_since,
            waits=self._waits(open_since, hindrances),
        )

    def _waits(self, open_since: Mapping[str, float], hindrances: Sequence[str]) -> str:
        """For which scripts there is to wait, where that takes long."""
        if not open_since or time.monotonic() - min(open_since.values()) < self._lead:
            self._awaited = []
            return ""
        # Of many, as long as one of those that were named is open, it is the same wait: there is no
        # word for each that comes.
        is_same = any(path in open_since for path in self._awaited[:AWAITED])
        if not is_same or len(open_since) <= AWAITED or not open_since.keys() <= set(self._awaited):
            self._awaited = sorted(open_since, key=open_since.__getitem__)
        waits = f"reads the versions of {enumeration(self._awaited, AWAITED)}"
        return f"{waits}: {hindrances[0]}" if hindrances else waits

    def forget_all_but(self, paths: Container[str]) -> None:
        """Forget what was chosen of other scripts."""
        for path in [path for path in self._chosen if path not in paths]:
            del self._chosen[path]

    def _choose(self, entry: Entry, findings: Findings, models: ModelList) -> _Chosen:
        """What the entry comes to; the same as before, where nothing of it has changed."""
        before = self._chosen.get(entry.path)
        priority = models.priorities.get(entry.path, 0)
        if (
            before is not None
            and before.findings is findings
            and (before.entry is entry or before.entry == entry)
            and before.blacklist == models.blacklist
            and before.priority == priority
        ):
            return before
        versions, unknown = _choice(entry, findings, models.blacklist)
        model = None
        if versions or findings.problem:
            model = _model(entry, findings, versions, priority, models.path)
        chosen = self._chosen[entry.path] = _Chosen(
            entry=entry,
            findings=findings,
            blacklist=models.blacklist,
            priority=priority,
            model=before.model if before and before.model == model else model,
            unknown=unknown,
        )
        return chosen


def entries_of(models: ModelList, files: FilesBelow) -> Sequence[Entry]:
    """The list's entries; for a blacklist all other scripts, and what is narrowed in it."""
    if not models.blacklist:
        return models.entries
    black = {entry.path: entry for entry in models.entries}
    return [
        black.get(path, Entry(path=path))
        for path in model_files(files())
        if path not in black or black[path].narrowing
    ]


def _choice(
    entry: Entry, findings: Findings, blacklist: bool
) -> tuple[tuple[ListedVersion, ...], list[str]]:
    """The versions that ``entry`` asks for, and the names in it that no version has."""
    is_sweep = findings.takes_overrides and not blacklist
    if is_sweep and (findings.overrides or findings.asked_with != (entry.narrowing or "")):
        return findings.versions, []  # which are as the list says, or will be
    if not entry.narrowing or findings.problem:
        return findings.versions, []
    by_name = {version.name: version for version in findings.versions}
    names, unknown = choose_versions(entry.narrowing, by_name)
    if not blacklist:
        return tuple(by_name[name] for name in names), unknown
    if unknown:  # what is forbidden by another name must not start
        return (), unknown
    black = set(names)
    return tuple(v for v in findings.versions if v.name not in black), unknown


def text_of(entry: Entry, models: ModelList) -> str:
    """What may be overrides behind a model file's name; in a blacklist, there are names only."""
    return "" if models.blacklist else entry.narrowing or ""


def _model(
    entry: Entry,
    findings: Findings,
    versions: tuple[ListedVersion, ...],
    priority: int,
    source: Path,
) -> ListedModel:
    path = entry.path
    chosen = {version.name for version in versions}
    before = {name for version in versions for name in version.after} - chosen
    problem = f"{path}: {findings.problem}" if findings.problem else ""
    if problem and findings.overrides:  # it may be in the script all the same
        where = f"{short(source)}:{entry.line}" if entry.line else short(source)
        text = " ".join(map(shown, split(findings.overrides)))  # without secrets
        problem = f"{where}: {path} = {text}: {findings.problem}"
    return ListedModel(
        name=model_name(path),
        path=path,
        sources=findings.sources,
        imported=findings.imported,
        others=findings.others,
        priority=priority,
        stamp=findings.stamp,
        versions=versions,
        left_out=tuple(each for each in findings.versions if each.name in before) if before else (),
        preload=findings.preload,
        problem=problem,
        traceback=findings.traceback,
        files=findings.files,
        takes_overrides=findings.takes_overrides,
        overrides=findings.overrides,
    )


def _complaints(models: ModelList, chosen: _Chosen) -> list[str]:
    entry, known = chosen.entry, [version.name for version in chosen.findings.versions]
    more = f", and {len(known) - NAMED} more" if len(known) > NAMED else ""
    remedy = f"its versions: {', '.join(known[:NAMED])}{more}"

    def said(name: str) -> tuple[str, str]:
        if not name.startswith(STEPS):
            return f"{entry.path} has no version {name}", remedy
        problem, there = no_step(name, known)
        return f"{entry.path} has {problem}", there

    return [
        str(ConfigError(models.path, problem, line=entry.line, remedy=what_to_do))
        for problem, what_to_do in map(said, chosen.unknown)
    ]
