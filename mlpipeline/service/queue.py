"""The queue as it stands at one moment: the list, the history, and the session if there is one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listed import all_asks
from mlpipeline.core.planning import Policy, Situation, explain
from mlpipeline.core.runs import Run, RunId
from mlpipeline.core.slots import Host
from mlpipeline.core.standings import Standing, State, fate
from mlpipeline.errors import StorageError
from mlpipeline.execution.executors.local import is_running
from mlpipeline.execution.hardware import Hardware
from mlpipeline.execution.listing import Listed
from mlpipeline.service.project import Project, listing, policy, with_parallel
from mlpipeline.state.journals import Journals
from mlpipeline.state.layout import LIST
from mlpipeline.state.lock import holder_of
from mlpipeline.state.session import Session, read_session

ENDED_UNSEEN = "has ended while no scheduler watched; `mlpipeline -r -u` records how, and goes on"


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a project."""

    at: datetime
    list_name: str
    pid: str  # of this host's scheduler; empty when there is none
    session: Session | None  # of this host, the newest one: it goes on if there is a pid
    policy: Policy
    host: Host  # what this one has for runs
    ledger: Ledger
    listed: Listed
    standings: tuple[Standing, ...]  # of the listed versions, in the order of the queue
    warnings: tuple[str, ...]
    unseen: frozenset[RunId]  # runs of this host that have ended, and nobody has recorded it

    def state_of(self, standing: Standing) -> State:
        """The state as people see it: without a session, what has failed and will be tried again
        by the next one has failed, and what comes after it is skipped.
        """
        if self.pid or standing.state is not State.QUEUED:
            return standing.state
        if standing.has_failed:
            return State.FAILED
        return State.SKIPPED if self._has_failed_before(standing) else State.QUEUED

    def reason_of(self, standing: Standing) -> str:
        """Why it is in the state that people see."""
        state, last = self.state_of(standing), standing.last
        if state is State.FAILED and last and last.verdict:
            return str(last.verdict)
        root = self._has_failed_before(standing) if state is State.SKIPPED else None
        return fate(root, standing.version) if root else standing.reason

    def _has_failed_before(self, standing: Standing) -> Standing | None:
        """What failed, of those that it comes after."""
        root = standing.behind.root if standing.behind else None
        return root if root and root.has_failed else None

    @property
    def pid_number(self) -> int | None:
        """``pid`` as a number; None where there is no scheduler, or it does not say it."""
        return int(self.pid) if self.pid.isdigit() else None

    @property
    def only(self) -> tuple[str, ...]:
        """The models that the session is for, where there is one that is not for all."""
        return self.session.only if self.pid and self.session else ()

    @property
    def versions(self) -> list[tuple[str, str]]:
        """Model and version of all that is listed and can be used, in the order of the queue."""
        return [(s.model.name, s.version.name) for s in self.standings if s.version]

    @property
    def unlisted(self) -> list[Run]:
        """The newest runs of versions that are not listed (any more), oldest first."""
        listed: defaultdict[str, set[str]] = defaultdict(set)
        for each in self.listed.models:
            if not each.problem:
                listed[each.name].update(version.name for version in each.versions)
        newest = (
            self.ledger.attempts(model, version)[-1]
            for model, versions in self.ledger.versions.items()
            for version in versions
            if version not in listed[model]
        )
        return sorted(newest, key=lambda run: run.started_at)


class Onlooker:
    """Looks at a project again and again, reading only what is new."""

    def __init__(
        self, project: Project, *, list_name: str = LIST, of_newest: bool = False, model: str = ""
    ):
        """``of_newest``: when no session goes on, look with the eyes of the last one. ``model``:
        the only one that counts, so that a session will do which is for that.
        """
        self._project = project
        self._of_newest = of_newest
        self._model = model
        self._listing = listing(project, list_name)
        self._odd: list[str] = []  # about this host
        self._hardware = Hardware(project.settings, warn=self._odd.append)
        self._ledger = Ledger()
        self._journals = Journals(project.layout, self._ledger)

    @property
    def ledger(self) -> Ledger:
        """What is known of the history: grows with each look."""
        return self._ledger

    def close(self) -> None:
        """Let go of what it holds; a command may leave that to its end."""
        self._listing.close()

    def catch_up(self) -> list[str]:
        """Look at the history alone, which is a matter of microseconds; returns warnings.

        Raises StorageError when it can't be read.
        """
        return self._journals.read()

    def look(self, *, wait: bool = True, trust: bool = False) -> Queue:
        """The queue now; raises StorageError when a history can't be read.

        ``wait``: until the scripts are inspected. ``trust``: leave that to the session that is at
        work, if there is one, and say so of what it has not come to know yet.
        """
        project = self._project
        at_work = read_session(project.layout) if _scheduler_of(project) else None
        # One that is for some models looks at their scripts only.
        is_for_us = at_work is not None and (not at_work.only or self._model in at_work.only)
        is_beside = self._listing.name == LIST and is_for_us
        since = _news_since(project) if trust and is_beside else None
        self._listing.leave_to_session(since, remember=not is_beside)
        listed = self._listing.refresh(lambda: not wait)
        # In this order, after what may take its time: where nobody is at work, nothing is recorded
        # of what ends from here on.
        pid = _scheduler_of(project)
        warnings, now = self._journals.read(), datetime.now().astimezone()
        session = read_session(project.layout)
        there = session if pid or self._of_newest else None
        decides = policy(
            with_parallel(project, str(there.parallel) if there and there.parallel else None),
            session=there.name if there else "",
            unattended=there.unattended if there else True,
            rehearse=there.rehearse if there else False,
        )
        host = self._hardware.now(all_asks(listed.models))
        standings = explain(
            Situation(listed=listed.models, ledger=self._ledger, policy=decides, now=now, host=host)
        )
        unseen = frozenset[RunId]() if pid else self._unseen()
        return Queue(
            at=now,
            list_name=self._listing.name,
            pid=pid,
            session=session,
            policy=decides,
            host=host,
            ledger=self._ledger,
            listed=listed,
            standings=tuple(
                _with_signs_of_life(
                    project,
                    listed,
                    _of_session(standings, there.only if there and pid else ()),
                    unseen,
                )
            ),
            unseen=unseen,
            warnings=(*project.settings.warnings, *self._odd, *listed.warnings, *warnings),
        )

    def _unseen(self) -> frozenset[RunId]:
        """What runs here by the history, and is gone, while nobody is at work who records it."""
        project = self._project
        gone = frozenset(
            run.id
            for run in self._ledger.active(project.layout.host)
            if not is_running(str(project.layout.run_folder(run.id).path))
        )
        is_watched = bool(gone and _scheduler_of(project))  # it came just now, and will
        return frozenset() if is_watched else gone


def _news_since(project: Project) -> float:
    """When a session that is at work had to begin to look at the scripts, at the latest: at its own
    start, or at the newest edit of the list (seconds since the epoch).
    """
    session = read_session(project.layout)
    began = session.started_at.timestamp() if session else 0.0
    try:
        return max(began, (project.layout.project / LIST).stat().st_ctime)
    except OSError:
        return began


def _scheduler_of(project: Project) -> str:
    if not project.layout.outputs.is_dir():
        return ""
    try:
        return holder_of(project.layout.lock)
    except StorageError:  # an archive that may not be written to: nobody works on it
        return ""


def _of_session(standings: Sequence[Standing], only: tuple[str, ...]) -> Sequence[Standing]:
    """Say of what is queued, where the session is not for it, that it waits for another one."""
    if not only:
        return standings
    why = f"waits for another session: this one is for {', '.join(only)} only"
    return [
        msgspec.structs.replace(standing, reason=why)
        if standing.state is State.QUEUED and standing.model.name not in only
        else standing
        for standing in standings
    ]


def _with_signs_of_life(
    project: Project, listed: Listed, standings: Sequence[Standing], unseen: frozenset[RunId]
) -> Iterable[Standing]:
    """Say what is being rehearsed or inspected; and where history calls a run of this host running,
    and its processes are gone.
    """
    layout = project.layout
    rehearsing = {path for path in layout.rehearsals.glob("*/*") if is_running(str(path))}

    def seen(standing: Standing) -> Standing:
        run, version = standing.last, standing.version
        if standing.rehearses and version:
            is_going_on = layout.rehearsal(standing.model.name, version.name) in rehearsing
            if is_going_on:
                return msgspec.structs.replace(standing, reason="is being rehearsed")
        if standing.state is State.QUEUED and standing.model.path in listed.pending:
            reason = f"waits for {standing.model.path} to be inspected"
            return msgspec.structs.replace(standing, reason=reason)
        if run and run.id in unseen and run.host == layout.host:
            return msgspec.structs.replace(standing, reason=ENDED_UNSEEN)
        return standing

    return map(seen, standings) if rehearsing or unseen or listed.pending else standings
