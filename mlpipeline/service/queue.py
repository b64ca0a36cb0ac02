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

    def __init__(self, project: Project, *, list_name: str = LIST, of_newest: bool = False):
        """``of_newest``: when no session goes on, look with the eyes of the last one."""
        self._project = project
        self._of_newest = of_newest
        self._listing = listing(project, list_name)
        self._hardware = Hardware(project.settings)
        self._ledger = Ledger()
        self._journals = Journals(project.layout, self._ledger)

    @property
    def ledger(self) -> Ledger:
        """What is known of the history: grows with each look."""
        return self._ledger

    def catch_up(self) -> list[str]:
        """Look at the history alone, which is a matter of microseconds; returns warnings.

        Raises StorageError when it can't be read.
        """
        return self._journals.read()

    def look(self) -> Queue:
        """The queue now; raises StorageError when a history can't be read."""
        project, now = self._project, datetime.now().astimezone()
        warnings = self._journals.read()
        listed = self._listing.refresh()
        session = read_session(project.layout)
        pid = _scheduler_of(project)
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
        unseen = frozenset(
            run.id
            for run in self._ledger.active(project.layout.host)
            if not is_running(str(project.layout.run_folder(run.id).path))
        )
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
                    project, _of_session(standings, there.only if there and pid else ()), unseen
                )
            ),
            unseen=unseen,
            warnings=(*project.settings.warnings, *listed.warnings, *warnings),
        )


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
    project: Project, standings: Sequence[Standing], unseen: frozenset[RunId]
) -> Iterable[Standing]:
    """Say what is being rehearsed; and where history calls a run of this host running, and its
    processes are gone.
    """
    layout = project.layout
    rehearsing = {path for path in layout.rehearsals.glob("*/*") if is_running(str(path))}

    def seen(standing: Standing) -> Standing:
        run, version = standing.last, standing.version
        if standing.rehearses and version:
            if layout.rehearsal(standing.model.name, version.name) in rehearsing:
                return msgspec.structs.replace(standing, reason="is being rehearsed")
        elif run and run.id in unseen and run.host == layout.host:
            return msgspec.structs.replace(standing, reason=ENDED_UNSEEN)
        return standing

    return map(seen, standings) if rehearsing or unseen else standings
