"""What is known of scripts: kept in this process, and on disk; and whether it still holds.

Nothing is asked here. Whoever calls holds the lock of what is known.
"""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

import msgspec

from mlpipeline.execution.findings import Files, Findings, Memory, Stamp, encoded, environment
from mlpipeline.execution.opener import Opened, Question


class KeptFindings:
    """The findings of the listed scripts, by their paths in models_dir."""

    def __init__(self, models_dir: Path, memory: Memory | None, *, session: bool, most: int | None):
        """As KnownScripts has them."""
        self.known: dict[str, Findings] = {}
        self.surroundings: dict[str, dict[str, Stamp]] = {}  # of scripts that can't be used
        self._for_another_text: dict[str, Findings] = {}  # what they were before that was edited
        self._racy: set[str] = set()
        self._models_dir = models_dir
        self._memory = memory
        self._session = session
        self._most = most
        self._environment = environment()

    def put(self, path: str, findings: Findings, surroundings: dict[str, Stamp]) -> None:
        """Another has found this."""
        self.known[path] = findings
        self.surroundings[path] = surroundings

    def is_untouched(self, path: str, files: Files) -> bool:
        """Whether the files of a known script are as they were, as far as stamps tell."""
        return files.are(self.known[path].files) and path not in self._racy

    def look_at_packages(self) -> bool:
        """Whether packages have come or gone since the last time."""
        before, self._environment = self._environment, environment()
        return before != self._environment

    def forget_all_but(self, kept: Set[str]) -> None:
        """Forget what other scripts had."""
        for each in (self.known, self._for_another_text, self.surroundings):
            for path in [path for path in each if path not in kept]:
                del each[path]
        self._racy &= kept

    def turn_to_text(self, path: str, text: str, files: Files) -> bool:
        """The list says something else: whether what was known for that holds again."""
        before = self._for_another_text.get(path)
        if not (before and before.holds_for(text) and files.are(before.files)):
            return False
        self.known[path] = before
        if self._memory and self._session:  # for views, which had what the edit led to
            self._memory.keep(path, self._environment, before, encoded(before.versions))
        return True

    def renew(self, path: str, files: Files) -> None:
        """The files of a known script have the same content still, if perhaps other stamps."""
        findings = self.known[path]
        is_touched = not files.are(findings.files)
        renewed = files.renewed(findings, self._script(path))
        self._note_race(path, renewed)
        if is_touched:
            self.known[path] = renewed
        if self._memory and path not in self._racy and not findings.problem:
            self._memory.keep(path, self._environment, renewed)

    def recall(self, path: str, text: str, files: Files) -> bool:
        """Whether what is remembered of a script may be believed: then it is known."""
        findings = self._memory.recall(path, self._environment) if self._memory else None
        if findings is None or findings.problem or not findings.holds_for(text):
            return False
        if self._session and self._most is not None and findings.largest > self._most:
            return False
        is_same = files.are(findings.files) and not findings.is_racy
        if self._session or not is_same:
            if not files.have(findings):
                return False
            findings = files.renewed(findings, self._script(path))
        self.known[path] = findings
        self._note_race(path, findings)
        if self._memory and not is_same and path not in self._racy:
            self._memory.keep(path, self._environment, findings)
        return True

    def learn(self, opened: Opened, question: Question) -> bool:
        """Take in what was found; whether that is news to who waits for it."""
        path, findings = opened.path, opened.findings
        known = self.known.get(path)
        if known and not known.problem and not known.holds_for(question.text):
            self._for_another_text[path] = known
        if known and known.is_as(findings):
            is_same = (known.files, known.stamp) == (findings.files, findings.stamp)
            findings = msgspec.structs.replace(findings, versions=known.versions)
            if not is_same:
                self.known[path] = findings
            is_news = question.is_urgent
        else:
            if known and known.versions == findings.versions:
                findings = msgspec.structs.replace(findings, versions=known.versions)
            is_same, is_news = False, True
            self.known[path] = findings
        self._note_race(path, findings)
        self.surroundings[path] = question.surroundings if findings.problem else {}
        if self._memory and findings.problem:
            if not findings.passing and self._session:  # for views, as long as it is at work
                self._memory.keep(path, opened.environment, findings)
            elif not findings.passing and not self._is_remembered_as_broken(path):
                self._memory.forget(path)
        elif self._memory and not is_same:
            self._memory.keep(path, opened.environment, findings, opened.versions)
        return is_news

    def _is_remembered_as_broken(self, path: str) -> bool:
        """Whether a session has found so, too."""
        found = self._memory.recall(path) if self._memory else None
        return found is not None and bool(found.problem)

    def _note_race(self, path: str, findings: Findings) -> None:
        if findings.is_racy and findings.sources:
            self._racy.add(path)
        else:
            self._racy.discard(path)

    def _script(self, path: str) -> str:
        return f"{self._models_dir}/{path}"
