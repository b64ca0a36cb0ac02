"""From the list of models to models with versions: what is known of the scripts, and kept up.

What is known of a script holds as long as it and the local modules that it imports have the same
content. See docs/decisions/0016.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from threading import Condition

import msgspec

from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.errors import ConfigError
from mlpipeline.execution.findings import Files, Findings, Memory, Stamp, environment
from mlpipeline.execution.opening import Opened, Opener
from mlpipeline.state.lists import Entry, ModelList, PythonFiles, choose_versions, model_files

LEAD = 3.0  # seconds that others wait for a script, so that runs start in the order of the list
RINGS = 0.2  # seconds between two times that the session is told of news, while there are more
NAMED = 20  # versions in a complaint


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a list asks for, as far as its scripts are known."""

    models: tuple[ListedModel, ...]  # in its order
    unknown: tuple[str, ...] = ()  # versions that no model has, as model/version
    complaints: tuple[str, ...] = ()  # about them: file, line and remedy
    pending: frozenset[str] = frozenset()  # scripts that are new or edited, and not inspected yet
    is_sure: bool = True  # False: whether it has complaints depends on those
    is_final: bool = True  # False: it may change when all scripts have been looked at
    waits: str = ""  # for what of that, where it takes long


class _Question(msgspec.Struct, frozen=True, kw_only=True):
    """That a script is to be opened."""

    ticket: int
    is_urgent: bool  # nothing of it may start; else what is known is only looked at once more
    since: float  # monotonic seconds
    stamp: Stamp  # of the script
    surroundings: dict[str, Stamp]
    again: bool = False  # at normal priority, since at the lowest one there was no answer


class _Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry of a list comes to."""

    entry: Entry
    findings: Findings
    blacklist: bool
    priority: int
    model: ListedModel | None  # None where it is to have no versions
    unknown: list[str]


class Inspector:
    """Knows the versions of model scripts; has each opened when it or a module of it has changed.

    Where that takes long, a session goes on with the others.
    """

    def __init__(
        self,
        models_dir: Path,
        project: Path,
        timeout: float,
        *,
        memory: Path | None = None,
        session: bool = False,
    ):
        """``timeout``: seconds that importing a script may take.

        ``memory``: a folder that keeps what is found. A ``session`` believes it where the content
        of the files is the same, and has each script opened all the same when there is time, since
        its versions may depend on more. Views believe it, and wait for what is not known.
        """
        self._models_dir = models_dir
        self._memory = Memory(memory) if memory else None
        self._session = session
        self._opener = Opener(models_dir, project, timeout, self._take)
        self._news = Condition()  # for what follows
        self._known: dict[str, Findings] = {}
        self._asked: dict[str, _Question] = {}
        self._surroundings: dict[str, dict[str, Stamp]] = {}  # of scripts that can't be used
        self._racy: set[str] = set()
        self._chosen: dict[str, _Chosen] = {}
        self._models: tuple[ListedModel, ...] = ()  # those of the last reading
        self._environment = environment()
        self._has_news = False
        self._rang_at = 0.0  # monotonic seconds
        self.wake: Callable[[], None] = lambda: None  # called where a reading would be another one

    def listed(
        self,
        models: ModelList,
        stop: Callable[[], bool] = lambda: False,
        files: PythonFiles | None = None,
    ) -> Reading:
        """The models that the list asks for; what is not known of them is found out.

        When ``stop`` turns true, what is not known yet is left out.
        """
        python_files = files or PythonFiles(self._models_dir)
        entries = _entries(models, python_files)
        paths = [entry.path for entry in entries]
        with self._news:
            self._look(paths, Files(self._models_dir, python_files))
            self._wait(set(paths), stop)
            return self._reading(entries, models)

    def hurry(self, wanted: bool) -> None:
        """Whether what nobody waits for may have the whole machine."""
        self._opener.hurry(wanted)

    def close(self) -> None:
        """Open no more scripts."""
        self._opener.close()
        if self._memory and self._session:
            self._memory.tidy(PythonFiles(self._models_dir)())

    # ---------------------------------------------------------------------- look

    def _look(self, paths: Sequence[str], files: Files) -> None:
        """Ask for what is not known, or not any more."""
        self._look_at_packages(files)
        known, asked = self._known, self._asked
        for path in paths:
            question, findings = asked.get(path), known.get(path)
            if question is not None and question.is_urgent:
                if files.stamp(self._script(path)) != question.stamp:
                    self._ask(path, files)
            elif findings is None:
                if not self._recall(path, files):
                    self._ask(path, files)
            elif findings.problem and self._surroundings[path] != files.surroundings():
                self._ask(path, files)
            elif not files.are(findings.files) or path in self._racy:
                self._look_closer(path, findings, files)

    def _look_at_packages(self, files: Files) -> None:
        now = environment()
        if now == self._environment:
            return
        self._environment = now
        for path, findings in self._known.items():
            if findings.problem or self._session:
                self._ask(path, files, is_urgent=bool(findings.problem))

    def _look_closer(self, path: str, findings: Findings, files: Files) -> None:
        """Files have other stamps, or need not have the same content: look at that."""
        is_touched = not files.are(findings.files)
        if not files.have(findings) or (is_touched and findings.problem):
            self._ask(path, files)
            return
        renewed = files.renewed(findings, self._script(path))
        self._note_race(path, renewed)
        if is_touched:
            self._known[path] = renewed
            if self._session:
                self._ask(path, files, is_urgent=False)
        if self._memory and path not in self._racy and not findings.problem:
            self._memory.keep(path, self._environment, renewed)

    def _recall(self, path: str, files: Files) -> bool:
        """Whether what is remembered of a script may be believed."""
        findings = self._memory.recall(path, self._environment) if self._memory else None
        if findings is None:
            return False
        is_same = files.are(findings.files) and not findings.is_racy
        if self._session or not is_same:
            if not files.have(findings):
                return False
            findings = files.renewed(findings, self._script(path))
        self._known[path] = findings
        self._note_race(path, findings)
        if self._memory and not is_same and path not in self._racy:
            self._memory.keep(path, self._environment, findings)
        if self._session:
            self._ask(path, files, is_urgent=False)
        return True

    def _ask(self, path: str, files: Files, *, is_urgent: bool = True) -> None:
        """Have a script opened."""
        before = self._asked.get(path)
        since = time.monotonic()
        if before:
            self._opener.drop(before.ticket)
            since = before.since if before.is_urgent else since
        self._asked[path] = _Question(
            ticket=self._opener.open(path, leisurely=not is_urgent),
            is_urgent=is_urgent,
            since=since,
            stamp=files.stamp(self._script(path)),
            surroundings=files.surroundings(),
        )

    def _note_race(self, path: str, findings: Findings) -> None:
        if findings.is_racy and findings.sources:
            self._racy.add(path)
        else:
            self._racy.discard(path)

    def _script(self, path: str) -> str:
        return f"{self._models_dir}/{path}"

    # -------------------------------------------------- take what has been found

    def _take(self, batch: Sequence[Opened]) -> float | None:
        """In the opener's thread: learn from what was opened; seconds until it is to be told."""
        with self._news:
            for opened in batch:
                question = self._asked.get(opened.path)
                if question is None or question.ticket != opened.ticket:
                    continue
                if opened.answered or question.is_urgent or question.again:
                    del self._asked[opened.path]
                    self._learn(opened, question)
                else:
                    ticket = self._opener.open(opened.path)
                    again = msgspec.structs.replace(question, ticket=ticket, again=True)
                    self._asked[opened.path] = again
            self._has_news = self._has_news or (bool(batch) and not self._asked)
            self._news.notify_all()
            pause = self._rang_at + RINGS - time.monotonic()
            if not self._has_news:
                return None
            if pause > 0 and any(each.is_urgent for each in self._asked.values()):
                return pause
            self._has_news, self._rang_at = False, time.monotonic()
        self.wake()
        return None

    def _learn(self, opened: Opened, question: _Question) -> None:
        path, findings = opened.path, opened.findings
        known = self._known.get(path)
        if known and known.is_as(findings):
            is_same = (known.files, known.stamp) == (findings.files, findings.stamp)
            findings = msgspec.structs.replace(findings, versions=known.versions)
            if not is_same:
                self._known[path] = findings
            self._has_news = self._has_news or question.is_urgent
        else:
            if known and known.versions == findings.versions:
                findings = msgspec.structs.replace(findings, versions=known.versions)
            is_same = False
            self._known[path] = findings
            self._has_news = True
        self._note_race(path, findings)
        self._surroundings[path] = question.surroundings if findings.problem else {}
        if self._memory and findings.problem:
            self._memory.forget(path)
        elif self._memory and not is_same:
            self._memory.keep(path, opened.environment, findings, opened.versions)

    def _wait(self, paths: Collection[str], stop: Callable[[], bool]) -> None:
        """Until all ``paths`` are known, or take too long for others to wait for them."""
        while not stop():
            since = [
                question.since
                for path, question in self._asked.items()
                if question.is_urgent and path in paths
            ]
            rest = max(since, default=0.0) + LEAD - time.monotonic() if self._session else LEAD
            if not since or rest <= 0:
                return
            self._news.wait(min(rest, 0.05))

    # ------------------------------------------------------------- what is listed

    def _reading(self, entries: Sequence[Entry], models: ModelList) -> Reading:
        result, complaints, nameless = [], [], []
        pending = set()
        is_sure = True
        open_since: dict[str, float] = {}
        for entry in entries:
            path = entry.path
            findings, question = self._known.get(path), self._asked.get(path)
            if question is not None:
                open_since[path] = question.since
                if question.is_urgent:
                    pending.add(path)
            if findings is None:
                is_sure = is_sure and not entry.narrowing
                continue
            chosen = self._choose(entry, findings, models)
            if chosen.model:
                result.append(chosen.model)
            if chosen.unknown and path in pending:
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
            pending=frozenset(pending),
            is_sure=is_sure,
            is_final=not open_since,
            waits=_waits(open_since),
        )

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
            model = _model(entry.path, findings, versions, priority)
        chosen = self._chosen[entry.path] = _Chosen(
            entry=entry,
            findings=findings,
            blacklist=models.blacklist,
            priority=priority,
            model=before.model if before and before.model == model else model,
            unknown=unknown,
        )
        return chosen


def model_name(path: str) -> str:
    """The model's name: its path in models_dir without ``.py``."""
    return path.removesuffix(".py")


def _entries(models: ModelList, files: PythonFiles) -> Sequence[Entry]:
    """The list's entries; for a blacklist all other scripts, and what is narrowed in it."""
    if not models.blacklist:
        return models.entries
    black = {entry.path: entry for entry in models.entries}
    return [
        black.get(path, Entry(path=path))
        for path in model_files(Path(), files)
        if path not in black or black[path].narrowing
    ]


def _choice(
    entry: Entry, findings: Findings, blacklist: bool
) -> tuple[tuple[ListedVersion, ...], list[str]]:
    """The versions that ``entry`` asks for, and the names in it that no version has."""
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


def _model(
    path: str, findings: Findings, versions: tuple[ListedVersion, ...], priority: int
) -> ListedModel:
    return ListedModel(
        name=model_name(path),
        path=path,
        sources=findings.sources,
        priority=priority,
        stamp=findings.stamp,
        versions=versions,
        problem=f"{path}: {findings.problem}" if findings.problem else "",
        traceback=findings.traceback,
    )


def _complaints(models: ModelList, chosen: _Chosen) -> list[str]:
    entry, known = chosen.entry, [version.name for version in chosen.findings.versions]
    more = f", and {len(known) - NAMED} more" if len(known) > NAMED else ""
    remedy = f"its versions: {', '.join(known[:NAMED])}{more}"
    return [
        str(
            ConfigError(
                models.path, f"{entry.path} has no version {name}", line=entry.line, remedy=remedy
            )
        )
        for name in chosen.unknown
    ]


def _waits(open_since: dict[str, float]) -> str:
    """For which scripts there is to wait, where that takes long."""
    if not open_since or time.monotonic() - min(open_since.values()) < LEAD:
        return ""
    what = next(iter(open_since)) if len(open_since) == 1 else "scripts"
    return f"waits for {what} to be inspected"
