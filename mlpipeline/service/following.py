"""Following the jobs of a sweep: what becomes of each, as the history and the runs tell it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import msgspec

from mlpipeline.core.runs import Run
from mlpipeline.core.standings import State
from mlpipeline.service.keeping import Keeper
from mlpipeline.service.project import Project
from mlpipeline.service.queue import Onlooker
from mlpipeline.service.sweeps import look
from mlpipeline.state.room import lack_of_room
from mlpipeline.state.session import read_session
from mlpipeline.state.tail import LineTail

POLL = 0.05  # seconds between two looks at what is new
CHECK = 0.5  # seconds between two looks for the session
LOOK = 5.0  # seconds between two looks at everything,
SHARE = 20  # and so many times as long as one takes
UNLISTED_SINCE = "is not listed any more"  # why nothing more is to come of a job


class Began(msgspec.Struct, frozen=True):
    """An attempt at a job began."""

    name: str
    run: Run


class Printed(msgspec.Struct, frozen=True):
    """Lines that a job printed: as it runs, or where several run at a time, when it has ended."""

    name: str
    lines: list[str]


class Ended(msgspec.Struct, frozen=True):
    """An attempt at a job ended."""

    name: str
    run: Run


class Settled(msgspec.Struct, frozen=True):
    """Nothing more is to come of a job."""

    name: str
    run: Run | None  # that it is done by; else its newest attempt
    state: str  # a word of State; empty for what is not listed any more
    reason: str = ""

    @property
    def is_done(self) -> bool:
        """Whether it has run well."""
        return self.state == State.DONE.value

    def __str__(self) -> str:
        if not self.state or self.reason.startswith(self.state):
            return self.reason
        return f"{self.state}: {self.reason}" if self.reason else self.state


class Said(msgspec.Struct, frozen=True):
    """Something that a person should know."""

    text: str


News = Began | Printed | Ended | Settled | Said


class Following:
    """Follows jobs of a sweep to their end, and has a session be there for them."""

    def __init__(self, project: Project, model: str, jobs: Mapping[str, str], keeper: Keeper):
        """``jobs``: the signature of each, by its name."""
        self._project = project
        self._model = model
        self._pending = dict(jobs)
        self._keeper = keeper
        self._onlooker = Onlooker(project, of_newest=True, model=model)
        self._onlooker.catch_up()
        # Attempts that were told of; what had ended before is not.
        self._began: set[tuple[str, int, str]] = set()
        self._over = {_key(run) for name in jobs for run in self._attempts(name) if not run.active}
        self._touched = set(jobs)
        self._onlooker.ledger.follow(self._note)
        self._failed: set[str] = set()  # of what is pending: jobs whose newest attempt has
        self._tails: dict[str, LineTail] = {}
        self._is_paused = self._lacks_room = False
        self._next_check = 0.0  # monotonic seconds
        self._next_look = time.monotonic() + LOOK

    @property
    def shows_output(self) -> bool:
        """Whether runs go on one at a time, so that what they print is told at once."""
        session = read_session(self._project.layout)
        return session is not None and session.parallel == 1

    @property
    def pending(self) -> list[str]:
        """The jobs of which more is to come."""
        return list(self._pending)

    def left(self) -> int:
        """How many of them have not run well by now, whatever was told of them."""
        self._onlooker.catch_up()
        return sum(
            not any(run.succeeded and run.signature == signature for run in self._attempts(name))
            for name, signature in self._pending.items()
        )

    def news(self) -> Iterator[News]:
        """What happens, until all jobs are settled; waits for it.

        Raises MlpipelineError where no session works on them any more.
        """
        while self._pending:
            has_ended = self._keeper.has_ended
            yield from self._take_in()
            if self._pending and (has_ended or self._is_time_to_look()):
                yield from self._look()
            if self._pending and (has_ended or time.monotonic() >= self._next_check):
                self._next_check = time.monotonic() + CHECK
                yield from map(Said, self._keeper.check(len(self._pending)))
                yield from map(Said, self._news_of_room())
            if self._pending:
                time.sleep(POLL)

    def _news_of_room(self) -> Iterator[str]:
        """That this host waits for room on its disk, and that it has some again."""
        project = self._project
        lack = lack_of_room(project.layout.outputs, project.settings.min_free_disk)
        if bool(lack) != self._lacks_room:
            self._lacks_room = bool(lack)
            yield lack or "there is room again"

    def _note(self, model: str, version: str, _: str) -> None:
        if model == self._model:
            self._touched.add(version)

    def _attempts(self, name: str) -> list[Run]:
        return self._onlooker.ledger.attempts(self._model, name)

    def _take_in(self) -> Iterator[News]:
        """What the history tells, and what jobs print."""
        self._onlooker.catch_up()
        touched, self._touched = self._touched, set()
        runs = [run for name in touched if name in self._pending for run in self._attempts(name)]
        for run in sorted(runs, key=lambda run: run.started_at):
            name = run.id.version
            if name in self._pending and _key(run) not in self._over:
                yield from self._told(name, run)
        for name, tail in self._tails.items() if self.shows_output else ():
            if lines := tail.read():
                yield Printed(name, lines)

    def _told(self, name: str, run: Run) -> Iterator[News]:
        layout = self._project.layout
        if _key(run) not in self._began:
            self._began.add(_key(run))
            self._failed.discard(name)
            yield Began(name, run)
            if run.host == layout.host:
                self._tails[name] = LineTail(layout.run_folder(run.id).console)
        if run.active:
            return
        self._over.add(_key(run))
        if tail := self._tails.pop(name, None):
            for lines in tail.rest():
                yield Printed(name, lines)
        yield Ended(name, run)
        if run.succeeded and run.signature == self._pending[name]:
            yield self._settled(name, run, State.DONE.value)
        else:
            self._failed.add(name)

    def _settled(self, name: str, run: Run | None, state: str, reason: str = "") -> Settled:
        del self._pending[name]
        self._failed.discard(name)
        return Settled(name, run, state, reason)

    def _is_time_to_look(self) -> bool:
        """Now and then; and when all that is left has failed, perhaps for good."""
        now = time.monotonic()
        is_at_rest = len(self._failed) == len(self._pending)
        return now >= self._next_look or (is_at_rest and now >= self._next_look - LOOK + CHECK)

    def _look(self) -> Iterator[News]:
        """Settle what the queue has given up, by whatever rule."""
        begun = time.monotonic()
        sight = look(self._project, self._model, self._onlooker, trust=True)
        taken = time.monotonic() - begun
        self._next_look = time.monotonic() + max(LOOK, SHARE * taken)
        for name in self.pending if sight.is_known else ():
            standing = sight.standings.get(name)
            if standing is None or standing.version is None:
                yield self._settled(name, None, "", UNLISTED_SINCE)
            elif standing.state not in (State.QUEUED, State.RUNNING):
                run = standing.success or standing.last
                yield self._settled(name, run, standing.state.value, standing.reason)
            else:
                self._pending[name] = standing.version.signature
        if sight.queue.listed.paused and not self._is_paused:
            yield Said("the list is paused, so nothing is started: `mlpipeline resume` goes on")
        self._is_paused = sight.queue.listed.paused


def _key(run: Run) -> tuple[str, int, str]:
    return run.id.version, run.id.attempt, run.host
