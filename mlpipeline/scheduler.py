"""The loop: observe, plan, act, record. Its rules are in core/planning.py, not here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime, timedelta

from mlpipeline.core.launch import Tracked
from mlpipeline.core.listed import ListedModel
from mlpipeline.core.listening import Audience, Level, Listener
from mlpipeline.core.planning import Policy, Situation, explain
from mlpipeline.core.sessions import Result
from mlpipeline.core.slots import UNCOUNTED, Asks, Host
from mlpipeline.core.standings import Standing, State
from mlpipeline.errors import DiskFull, MlpipelineError
from mlpipeline.execution.alarm import Alarm
from mlpipeline.execution.bulletin import Bulletin
from mlpipeline.execution.ending import Ending
from mlpipeline.execution.errands import Errands
from mlpipeline.execution.executors.base import Executor, Handle, Observation
from mlpipeline.execution.hosts import Hosts
from mlpipeline.execution.launching import Launcher
from mlpipeline.execution.list_reader import REFRESH, ListReader
from mlpipeline.execution.listing import Listed, Listing
from mlpipeline.execution.rehearsals import Rehearsals
from mlpipeline.execution.starting import Starting
from mlpipeline.execution.watched_runs import WatchedRuns
from mlpipeline.state.config import Settings
from mlpipeline.state.git import Repository
from mlpipeline.state.history import History
from mlpipeline.state.layout import Layout
from mlpipeline.state.room import Room

POLL = 0.5  # seconds; an edit is to be heard of within one
TICK = 0.1  # seconds between two looks at what the runs print


class Scheduler:
    """One session: works off the list until nothing is left, or until it is asked to stop."""

    def __init__(
        self,
        *,
        layout: Layout,
        settings: Settings,
        listing: Listing,
        history: History,
        executor: Executor,
        listeners: Sequence[Listener],
        policy: Policy,
        test: bool,
        watch: bool = False,
        room: Room | None = None,
        host: Callable[[Set[Asks]], Host] = lambda _: UNCOUNTED,
        tracking: Callable[[], Tracked | None] = lambda: None,
        warnings: Sequence[str] = (),
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ):
        """``watch``: stay when the queue is empty, and wait for more.

        ``room``: without it, nothing is asked of the disk. ``host``: what this host has, now, for
        what is asked for. ``tracking``: as the Launcher has it.
        """
        self._layout = layout
        self._listing = listing
        self._history = history
        self._executor = executor
        self._audience = Audience(listeners, now)
        self._policy = policy
        self._test = test
        self._watch = watch
        # Seconds between two looks when nothing runs and :meth:`look` is not called.
        self.idle_pause: Callable[[], float] = lambda: POLL
        self._warnings = warnings
        self._now = now
        self._git = Repository(layout.project, layout.models_dir)
        self._launcher = Launcher(
            layout=layout,
            settings=settings,
            history=history,
            executor=executor,
            policy=policy,
            test=test,
            now=now,
            tracking=tracking,
        )
        self._rehearsals = Rehearsals(self._launcher, executor, history)
        self._hosts = Hosts(layout, history, timeout=settings.host_timeout, now=now)
        self._runs = WatchedRuns(
            layout,
            history,
            executor,
            self._audience,
            session=policy.session,
            grace=settings.grace,
            now=now,
        )
        self._ending = Ending()
        self._bulletin = Bulletin(
            self._audience, listing.name, self._explain, now, notify=settings.notify
        )
        self._errands = Errands(
            layout, history, self._audience, self._hosts, session=policy.session, now=now
        )
        self._noticed = self._went_wrong = False
        self._alarm = Alarm()
        refresh = timedelta(seconds=POLL) if watch else REFRESH
        self._reader = ListReader(self._read, self._look_around, self._alarm.ring, refresh=refresh)
        self._starting = Starting(
            reader=self._reader,
            history=history,
            executor=executor,
            launcher=self._launcher,
            rehearsals=self._rehearsals,
            runs=self._runs,
            ending=self._ending,
            bulletin=self._bulletin,
            audience=self._audience,
            git=self._git,
            room=room,
            look_at_host=host,
            situation=self._situation,
        )
        listing.wake = self.look

    def ask_to_stop(self, number: int) -> None:
        """End the session for signal ``number``: runs are asked to stop, at the second call killed
        at once (a hangup does not count).

        May be called from a signal handler.
        """
        self._ending.add_signal(number)
        self._alarm.ring()

    def look(self) -> None:
        """Something has changed on the disk. May be called from another thread."""
        self._noticed = True
        self._alarm.ring()

    def expect_more(self, more: bool) -> None:
        """Whether to stay when the queue is empty. May be called from another thread."""
        self._watch = more
        self.look()

    def close(self) -> None:
        """Let go of what the session held; call it when nothing above can be called any more."""
        self._reader.close()
        self._listing.wake = lambda: None  # scripts may still be looked at
        self._alarm.close()

    def run(self) -> Result:
        """Work until the queue is empty; or, watching it, until a person ends it.

        Raises MlpipelineError when the list can't be used (at the start only), StorageError when
        the history can't be written; runs go on then, and the next session adopts them.
        """
        if self._begin():
            while not self._step():
                self._sleep()
            self._audience.tick()
        return self._result()

    def _begin(self) -> bool:
        """Read the list and adopt what runs; whether the session is to go on."""
        while not self._reader.is_new():
            if not self._test:
                self._ending.add(self._errands.run(stops_only=True).stop)
            if self._ending.is_asked_for:
                return False
            self._audience.tick()
            self._sleep()
        if self._reader.listed.problems:
            raise MlpipelineError("\n".join(self._reader.listed.problems))
        self._reader.listed.check_has(self._listing.only, self._listing.name)
        self._audience.ready()
        self._runs.adopt()
        return True

    def _step(self) -> bool:
        """Observe, plan, act, record, once, and then tell of it; whether the session is over."""
        with self._audience.holding():
            is_over = self._turn()
            try:
                self._history.settle()  # what no start has waited for: the end of the last run
            except DiskFull as error:
                self._audience.say_once(Level.ERROR, str(error))
                return False
        self._history.keep_index()
        return is_over

    def _turn(self) -> bool:
        """What is told meanwhile is held back; whether the session is over."""
        self._observe()
        if not self._test:
            self._do_errands()
        if self._ending.is_asked_for or self._must_halt():
            self._ending.stop(self._runs, self._rehearsals)
            return not self._is_busy() or self._ending.leaves_runs
        if self._noticed:
            self._noticed = False
            self._reader.hasten()
        return self._reader.is_new() and self._start_all() and self._is_over()

    def _is_busy(self) -> bool:
        return bool(self._runs or self._rehearsals.handles)

    def _is_over(self) -> bool:
        """Whether there is nothing left to do or to wait for; says so when there is."""
        listed = self._reader.listed
        self._listing.idle = not self._is_busy()
        in_a_moment = self._bulletin.unready == "" or not (listed.final or listed.waits)
        if self._is_busy() or in_a_moment:
            self._bulletin.of_idling("", for_a_moment=not self._is_busy())
            return False
        if not self._reader.is_fresh:  # there may be more by now
            self._reader.outdate()
            return False
        waits = listed.waits or self._bulletin.why_wait(
            self._starting.agenda.outlook(self._situation(listed.ready)), self._starting.host
        )
        if not waits:
            self._bulletin.of_emptiness(self._history.ledger, listed, len(self._runs.ended))
        if waits or self._watch:
            self._bulletin.of_idling(waits or f"waits for {self._listing.name} to change")
        return not waits and not self._watch

    def _result(self) -> Result:
        standings = self._explain()
        over = self._ending.is_asked_for or self._must_halt()
        left = () if over else (State.RUNNING, State.QUEUED, State.TOO_BIG)
        return Result(
            runs=tuple(self._runs.ended),
            listed=len(standings),
            broken=tuple(s.model for s in standings if s.state is State.BROKEN),
            held=tuple(s for s in standings if s.state is State.HELD),
            skipped=tuple(s for s in standings if s.state is State.SKIPPED and s.behind),
            blocked=tuple(s for s in standings if s.state in left),
            signal=self._ending.signal,
            stopped=self._ending.mode,
            left_running=len(self._runs),
        )

    def _explain(self, models: Sequence[ListedModel] | None = None) -> list[Standing]:
        """Where everything stands that is listed, or the ``models``."""
        return explain(self._situation(models))

    def _situation(self, models: Sequence[ListedModel] | None = None) -> Situation:
        return Situation(
            listed=self._reader.listed.models if models is None else models,
            ledger=self._history.ledger,
            policy=self._policy,
            now=self._now(),
            claimed=self._launcher.claimed,
            host=self._starting.host,
            rehearsing=self._rehearsals.versions,
            passed=self._launcher.passed,
        )

    # ------------------------------------------------------------------ observe

    def _observe(self) -> None:
        observations = self._executor.poll(self._handles())
        self._observe_rehearsals(observations)
        if ended := self._runs.observe(observations):
            self._reader.ask()
            self._went_wrong = self._went_wrong or any(not run.succeeded for run in ended)
        if self._bulletin.unready is not None and self._executor.unready() is None:
            self._reader.ask()
        self._audience.tick()

    def _observe_rehearsals(self, observations: Mapping[Handle, Observation]) -> None:
        try:
            for note, traceback in self._rehearsals.observe(observations, self._now()):
                self._reader.ask()
                self._bulletin.of_rehearsal(note, traceback)
        except DiskFull as error:
            self._audience.say_once(Level.ERROR, f"{error}: a rehearsal is recorded later")

    # -------------------------------------------------------------- look around

    def _read(self) -> Listed:
        """In the reader's thread."""
        listed = self._listing.refresh(lambda: self._ending.is_asked_for)
        if not self._bulletin.idle:
            self._git.look()
        return listed

    def _look_around(self, listed: Listed) -> None:
        """Look at the other hosts, and tell what is new in the list."""
        self._launcher.forget_claimed()
        self._bulletin.warn((*self._warnings, *listed.warnings, *self._history.catch_up()))
        if not self._test:
            for message in self._hosts.look():
                self._audience.say(Level.WARNING, message)
            self._runs.end_the_fenced()
        self._bulletin.of_list(listed, in_use=bool(listed.models or self._runs))

    def _do_errands(self) -> None:
        """Do what views ask for."""
        asked = self._errands.run()
        self._ending.add(asked.stop)
        if asked.only and self._listing.only:
            self._listing.only |= asked.only
        if asked.anything:
            self._reader.outdate()
        self._rehearsals.stop({(order.model, order.version) for order in asked.ends})
        self._runs.cancel({(order.model, order.version): order.after for order in asked.ends})

    # ---------------------------------------------------------------------- act

    def _start_all(self) -> bool:
        """Fill the free slots; False where what is listed has to be read again first."""
        self._reader.use()
        if self._reader.listed.paused and not self._test:
            return True
        return self._starting.start_all()

    def _sleep(self) -> None:
        """Until a run may have ended, the list is read, a signal comes, or for a while."""
        timeout = self.idle_pause() if self._bulletin.idle and self._reader.is_at_rest else TICK
        self._executor.wait(self._handles(), timeout, self._alarm.descriptor)
        self._alarm.silence()

    def _handles(self) -> list[Handle]:
        return [*self._runs.handles, *self._rehearsals.handles]

    def _must_halt(self) -> bool:
        """Test mode ends at the first thing that goes wrong."""
        broken = (model.problem for model in self._reader.listed.models)
        return self._test and (self._went_wrong or any(broken))
