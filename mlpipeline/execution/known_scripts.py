"""From the list of models to models with versions: what is known of the scripts, and kept up.

What is known of a script holds as long as it and the local modules that it imports have the same
content. See docs/decisions/0016.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Condition, Lock

import msgspec

from mlpipeline.core.model_files import model_name
from mlpipeline.execution.beside_session import BesideSession
from mlpipeline.execution.choosing import Choices, Reading, entries_of, text_of
from mlpipeline.execution.findings import Files, Findings, Memory, Stamp, environment
from mlpipeline.execution.lead import Lead, may_begin
from mlpipeline.execution.opener import Opened, Opener, Question
from mlpipeline.state.files_below import FilesBelow
from mlpipeline.state.lists import Entry, ModelList

LEAD = 2.0  # seconds that others wait for a script, so that runs start in the order of the list
MOMENT = 0.5  # seconds in which most scripts are read: then even the first one waits for the others
NOTICE = 0.5  # seconds after which there is a word about what a view waits for
AGAIN = 5.0  # seconds until another try where what failed was not the script
LISTS = 3  # of which what is known is kept: one that can't be used takes turns with the one before
RINGS = 0.2  # seconds between two times that the session is told of news, while there are more


class KnownScripts:
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
        awaiting: Callable[[Sequence[str]], None] = lambda _: None,
        most: int | None = None,
    ):
        """``timeout``: seconds that importing a script may take. ``awaiting`` is called with the
        scripts that a view waits for, where that takes a moment.

        ``most``: jobs that a sweep may have; None: any number.

        ``memory``: a folder that keeps what is found. A ``session`` believes it where the content
        of the files is the same, and has each script opened all the same when there is time, since
        its versions may depend on more. Views believe it, and wait for what is not known.
        """
        self._models_dir = models_dir
        self._awaiting = awaiting
        self._memory = Memory(memory, sparing=session) if memory else None
        self._session = session
        self._beside: BesideSession | None = None
        if self._memory and not session:
            self._beside = BesideSession(models_dir, self._memory, timeout)
        self._most = most
        self._opener = Opener(models_dir, project, timeout, self._take, most)
        self._news = Condition()  # for what follows
        self._known: dict[str, Findings] = {}
        self._asked: dict[str, Question] = {}
        self._texts: dict[str, str] = {}  # what the newest list has behind their names
        self._for_another_text: dict[str, Findings] = {}  # what they were before that was edited
        self._surroundings: dict[str, dict[str, Stamp]] = {}  # of scripts that can't be used
        self._racy: set[str] = set()
        self._again_at: dict[str, float] = {}  # monotonic seconds; of what is to be tried again
        self._lists: list[list[str]] = []  # the scripts of the newest ones
        self._choices = Choices(LEAD)
        self._queue = Lead(LEAD)
        self._left: set[str] = set()  # scripts that the session is looking at
        self._environment = environment()
        # Names of the models that a session is for; empty: all that are listed.
        self.only: frozenset[str] = frozenset()
        self._has_news = False
        self._rang_at = 0.0  # monotonic seconds
        self._wake: Callable[[], None] = lambda: None
        self._waking = Lock()

    @property
    def wake(self) -> Callable[[], None]:
        """Called, from a thread, where a reading would be another one; not any more once it has
        been replaced.
        """
        return self._wake

    @wake.setter
    def wake(self, call: Callable[[], None]) -> None:
        with self._waking:
            self._wake = call

    def listed(
        self,
        models: ModelList,
        stop: Callable[[], bool] = lambda: False,
        files: FilesBelow | None = None,
    ) -> Reading:
        """The models that the list asks for; what is not known of them is found out.

        When ``stop`` turns true, what is not known yet is left out. Raises what went wrong where
        scripts are opened.
        """
        files_below = files or FilesBelow(self._models_dir)
        entries = entries_of(models, files_below)
        if only := self.only:
            entries = [entry for entry in entries if model_name(entry.path) in only]
        paths = [entry.path for entry in entries]
        in_order = sorted(entries, key=lambda entry: -models.priorities.get(entry.path, 0))
        with self._news:
            self._forget_all_but(paths)
            self._texts |= {entry.path: text_of(entry, models) for entry in entries}
            files_now = Files(self._models_dir, files_below)
            self._look(self._leave_to_session(paths, files_now), files_now)
            self._wait(in_order, stop)
            asked = {path: self._asked[path] for path in paths if path in self._asked}
            pending = {path for path, each in asked.items() if each.is_urgent} | self._left
            ready = {path for path in self._known if path not in pending}
            return self._choices.reading(
                entries,
                models,
                self._known,
                pending=frozenset(pending),
                behind=self._queue.behind(
                    [entry.path for entry in in_order], pending, ready, now=time.monotonic()
                ),
                open_since={path: each.since for path, each in asked.items()},
                hindrances=[each.hindrance for each in asked.values() if each.hindrance],
            )

    def leave_to_session(self, changed_at: float | None, *, remember: bool = True) -> None:
        """A session is at work, which looks itself at what has changed since ``changed_at`` (see
        BesideSession); None: there is no such session. For views.

        Without ``remember``, what it has found stays in the memory, whatever is found here.
        """
        if self._beside and self._memory:
            self._beside.changed_at, self._memory.is_kept = changed_at, not remember

    def hurry(self, wanted: bool) -> None:
        """Whether what nobody waits for may have the whole machine."""
        self._opener.hurry(wanted)

    def close(self) -> None:
        """Open no more scripts."""
        self._opener.close()
        if self._memory and self._session:
            self._memory.tidy(FilesBelow(self._models_dir)())

    # ---------------------------------------------------------------------- look

    def _leave_to_session(self, paths: Sequence[str], files: Files) -> Sequence[str]:
        """Believe what a session that is at work has found; what is not to be left to it."""
        self._left.clear()
        if not self._beside:
            return paths
        rest = []
        for path in paths:
            known = self._known.get(path)
            seen = self._beside.look(path, known, self._texts[path], files)
            if seen is None or path in self._asked:
                rest.append(path)
                continue
            found, is_being_inspected = seen
            if is_being_inspected:
                self._left.add(path)
            if found and found is not known:
                self._known[path] = found
                self._surroundings[path] = files.surroundings() if found.problem else {}
        return rest

    def _look(self, paths: Sequence[str], files: Files) -> None:
        """Ask for what is not known, or not any more."""
        self._look_at_packages(files)
        known, asked = self._known, self._asked
        for path in paths:
            question, findings = asked.get(path), known.get(path)
            if question is not None and question.is_urgent:
                is_edited = files.stamp(self._script(path)) != question.stamp
                if is_edited or question.text != self._texts[path] or self._is_due_again(path):
                    self._ask(path, files)
            elif findings is None:
                if not self._recall(path, files):
                    self._ask(path, files)
            elif not findings.holds_for(self._texts[path]):
                self._turn_to_text(path, files)
            elif findings.problem and self._surroundings[path] != files.surroundings():
                self._ask(path, files)
            elif not files.are(findings.files) or path in self._racy:
                self._look_closer(path, findings, files)
            elif question is None and self._is_due_again(path):
                self._ask(path, files, is_urgent=bool(findings.problem))

    def _turn_to_text(self, path: str, files: Files) -> None:
        """The list says something else: what was known for that holds again, or ask."""
        before = self._for_another_text.get(path)
        if before and before.holds_for(self._texts[path]) and files.are(before.files):
            self._known[path] = before
        else:
            self._ask(path, files)

    def _is_due_again(self, path: str) -> bool:
        return time.monotonic() >= self._again_at.get(path, float("inf"))

    def _forget_all_but(self, paths: list[str]) -> None:
        """Forget what the newest lists do not have, if ``paths`` are another one."""
        if self._lists and self._lists[-1] == paths:
            return
        self._lists = [*(each for each in self._lists if each != paths), paths][-LISTS:]
        kept = {path for each in self._lists for path in each}
        for path in [path for path in self._asked if path not in kept]:
            self._opener.drop(self._asked.pop(path).ticket)
        known = self._known, self._for_another_text
        for kept_of in (*known, self._surroundings, self._again_at, self._texts):
            for path in [path for path in kept_of if path not in kept]:
                del kept_of[path]
        self._racy &= kept
        self._choices.forget_all_but(kept)

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
        if findings is None or findings.problem or not findings.holds_for(self._texts[path]):
            return False
        if self._session and self._most is not None and findings.largest > self._most:
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
        self._again_at.pop(path, None)
        before = self._asked.get(path)
        since = time.monotonic()
        if before:
            self._opener.drop(before.ticket)
            since = before.since if before.is_urgent else since
        text = self._texts[path]
        self._asked[path] = Question(
            ticket=self._opener.open(path, text, leisurely=not is_urgent),
            text=text,
            is_urgent=is_urgent,
            since=since,
            stamp=files.stamp(self._script(path)),
            surroundings=files.surroundings(),
            hindrance=before.hindrance if before else "",
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
                if opened.findings.passing and self._put_off(opened, question):
                    continue
                if opened.answered or question.is_urgent or question.again:
                    del self._asked[opened.path]
                    self._learn(opened, question)
                else:
                    ticket = self._opener.open(opened.path, question.text)
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
        with self._waking:
            self._wake()
        return None

    def _put_off(self, opened: Opened, question: Question) -> bool:
        """Try later what failed, but not for the script; whether what was known stays till then."""
        path = opened.path
        self._again_at[path] = time.monotonic() + AGAIN
        known = self._known.get(path)
        if known is None or known.problem or (question.is_urgent and not self._session):
            return False
        if question.is_urgent:  # it has been edited: nothing of it starts until it is known
            hindrance = f"{path}: {opened.findings.problem}"
            self._asked[path] = msgspec.structs.replace(question, ticket=0, hindrance=hindrance)
        else:
            del self._asked[path]
        return True

    def _learn(self, opened: Opened, question: Question) -> None:
        path, findings = opened.path, opened.findings
        known = self._known.get(path)
        if known and not known.problem and not known.holds_for(question.text):
            self._for_another_text[path] = known
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
        if not findings.passing:
            self._again_at.pop(path, None)
        if self._memory and findings.problem:
            if not findings.passing and self._session:  # for views, as long as it is at work
                self._memory.keep(path, opened.environment, findings)
            elif not findings.passing:
                self._memory.forget(path)
        elif self._memory and not is_same:
            self._memory.keep(path, opened.environment, findings, opened.versions)

    def _wait(self, in_order: Sequence[Entry], stop: Callable[[], bool]) -> None:
        """Until all that is listed is known, or takes too long for others to wait for it."""
        paths = {entry.path for entry in in_order}
        begun_at, is_told = time.monotonic(), False
        while True:
            if error := self._opener.take_error():
                self._asked.clear()  # nobody answers: to be asked anew
                raise error
            if stop():
                return
            awaited = {
                path: question.since
                for path, question in self._asked.items()
                if question.is_urgent and path in paths
            }
            rest = max(awaited.values(), default=0.0) + LEAD - time.monotonic()
            if not awaited or (self._session and rest <= 0):
                return
            is_over = self._session and rest <= LEAD - MOMENT
            if is_over and may_begin(in_order, self._known, awaited):
                return
            if not (is_told or self._session) and time.monotonic() - begun_at >= NOTICE:
                is_told = True
                self._awaiting(list(awaited))
            self._news.wait(min(rest, 0.05) if self._session else 0.05)
