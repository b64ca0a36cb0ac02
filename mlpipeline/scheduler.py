"""The loop: observe, plan, act, record. Its rules are in core/planning.py, not here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from mlpipeline.core.judging import judge
from mlpipeline.core.launch import Spec
from mlpipeline.core.listening import Audience, Ended, Launched, Level, Listener
from mlpipeline.core.planning import ListedModel, Policy, Standing, Start, State, explain, plan
from mlpipeline.core.runs import Adopted, Finished, Run, RunId, Starting, Stopping
from mlpipeline.errors import MlpipelineError
from mlpipeline.execution.executors.base import Executor, Gone
from mlpipeline.execution.listing import Listed, Listing
from mlpipeline.execution.watching import WatchedRun
from mlpipeline.state.config import Settings
from mlpipeline.state.files import storage, write_whole
from mlpipeline.state.git import Repository
from mlpipeline.state.history import History
from mlpipeline.state.layout import Layout, RunFolder

TICK = 0.1  # seconds between two looks at what the runs print
REFRESH = timedelta(seconds=1)  # between two looks at the list while no run ends


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a session."""

    runs: tuple[Run, ...]  # that ended, in the order of their end
    broken: tuple[ListedModel, ...]  # listed models that can't be used
    blocked: tuple[Standing, ...]  # listed versions that a run on another host keeps from running
    listed: int  # versions and broken models that the list asks for
    signal: int | None  # that ended the session

    @property
    def failed(self) -> bool:
        """Whether anything went wrong that a person should look at."""
        succeeded = {(run.id.model, run.id.version) for run in self.runs if run.succeeded}
        return bool(self.broken) or any(
            (run.id.model, run.id.version) not in succeeded for run in self.runs
        )


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
        warnings: Sequence[str] = (),
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ):
        self._layout = layout
        self._settings = settings
        self._listing = listing
        self._history = history
        self._executor = executor
        self._audience = Audience(listeners, now)
        self._policy = policy
        self._test = test
        self._warnings = warnings
        self._now = now
        self._git = Repository(layout.project, layout.models_dir)
        self._watched: dict[RunId, WatchedRun] = {}
        self._ended: list[Run] = []
        self._signals: list[int] = []
        self._acted_on = 0  # of the signals
        self._listed = Listed()
        # The list and the scripts are read in a thread: importing a script may take its time.
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="list")
        self._reading: Future[Listed] | None = None
        self._read_at = now()
        self._slot_came_free = False  # since the list began to be read
        self._is_fresh = False  # the list: what it asks for is still to be started
        self._is_at_work = False
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._waker, False)

    def ask_to_stop(self, signal: int) -> None:
        """End the session: runs are asked to stop, at the second call killed at once.

        May be called from a signal handler.
        """
        self._signals.append(signal)
        self._wake_up()

    def close(self) -> None:
        """Let go of what the session held; call it when :meth:`ask_to_stop` can't be called."""
        self._reader.shutdown()
        os.close(self._wake)
        os.close(self._waker)

    def run(self) -> Result:
        """Work until the queue is empty.

        Raises MlpipelineError when the list can't be used (at the start only), StorageError when
        the history can't be written; runs go on then, and the next session adopts them.
        """
        self._read_list()
        while not self._take_list():
            self._audience.tell(lambda listener: listener.tick())
            self._sleep()
        if self._listed.problems:
            raise MlpipelineError("\n".join(self._listed.problems))
        self._is_at_work = True
        self._adopt()
        while True:
            self._observe()
            if self._is_stopping() or self._must_halt():
                self._stop()
                if not self._watched:
                    break
            elif self._has_fresh_list():
                self._start_all()
                if not self._watched and not self._is_waiting():
                    break
            self._sleep()
        return self._result()

    def _result(self) -> Result:
        standings = self._explain()
        over = self._is_stopping() or self._must_halt()
        left = () if over else (State.RUNNING, State.QUEUED)
        return Result(
            runs=tuple(self._ended),
            listed=len(standings),
            broken=tuple(s.model for s in standings if s.state is State.BROKEN),
            blocked=tuple(s for s in standings if s.state in left),
            signal=self._signals[0] if self._signals else None,
        )

    def _explain(self) -> list[Standing]:
        ledger, policy = self._history.ledger, self._policy
        return explain(self._listed.models, ledger, policy, self._now())

    def _is_waiting(self) -> bool:
        """Whether something is to be started that only has to wait."""
        return any(standing.not_before for standing in self._explain())

    # ------------------------------------------------------------------ observe

    def _adopt(self) -> None:
        """Go on with the runs of this host's earlier sessions, or find out how they ended."""
        for run in self._history.ledger.active(self._policy.host):
            folder = self._layout.run_folder(run.id)
            handle = self._executor.handle_of(str(folder.path))
            watched = WatchedRun(run, handle, folder, None)
            observation = self._executor.poll([handle])[handle]
            if isinstance(observation, Gone):
                self._finish(watched, observation)
                continue
            adopted = self._history.append(
                Adopted(at=self._now(), run=run.id, session=self._policy.session)
            )
            watched.run = adopted
            self._watched[run.id] = watched
            self._audience.tell(lambda listener, run=adopted: listener.adopted(run))  # type: ignore[misc]

    def _observe(self) -> None:
        handles = [watched.handle for watched in self._watched.values()]
        observations = self._executor.poll(handles)
        for watched in list(self._watched.values()):
            observation = observations[watched.handle]
            if isinstance(observation, Gone):
                del self._watched[watched.run.id]
                self._slot_came_free, self._is_fresh = True, False
                self._finish(watched, observation)
            else:
                self._follow(watched)
        self._audience.tell(lambda listener: listener.tick())

    def _follow(self, watched: WatchedRun, *, to_the_end: bool = False) -> None:
        """Pass on what the run has said since the last look."""
        run, tell = watched.run, self._audience.tell
        if self._audience.shows_output:
            for printed in filter(None, watched.printed(to_the_end=to_the_end)):
                tell(lambda listener, lines=printed: listener.printed(run, lines))  # type: ignore[misc]
        for logged in filter(None, watched.logged(to_the_end=to_the_end)):
            tell(lambda listener, lines=logged: listener.logged(run, lines))  # type: ignore[misc]
        if progress := watched.new_progress():
            tell(lambda listener: listener.progressed(run, progress))

    def _finish(self, watched: WatchedRun, gone: Gone) -> None:
        """Record how a run ended."""
        now = self._now()
        report, run = gone.report, watched.run
        verdict = judge(gone.exit, report, stopping_at=run.stopping_at)
        run = self._history.append(
            Finished(
                at=now,
                run=run.id,
                outcome=verdict.outcome,
                reason=verdict.reason,
                ended_at=gone.exit.ended_at if gone.exit else gone.last_sign or now,
                prepared=gone.prepared,
                steps=report.steps if report else None,
                results=report.results if report else {},
            )
        )
        self._ended.append(run)
        self._follow(watched, to_the_end=True)
        ended = Ended(launched=watched.launched, run=run, exit=gone.exit, report=report)
        self._audience.tell(lambda listener: listener.ended(ended))

    # ----------------------------------------------------------------- the list

    def _has_fresh_list(self) -> bool:
        """Whether the list has been read since the last run ended; if not, it is being read."""
        self._take_list()
        due = self._slot_came_free or self._now() - self._read_at >= REFRESH
        if due and self._reading is None and not self._is_fresh:
            self._read_list()
        return self._is_fresh

    def _read_list(self) -> None:
        self._slot_came_free, self._read_at = False, self._now()
        self._reading = self._reader.submit(self._read)
        self._reading.add_done_callback(lambda _: self._wake_up())

    def _read(self) -> Listed:
        listed = self._listing.refresh(self._is_stopping)
        self._git.look()
        return listed

    def _take_list(self) -> bool:
        """Go on with what was read, if it has been by now, and say what is wrong with it."""
        if self._reading is None or not self._reading.done():
            return False
        self._listed, self._reading = self._reading.result(), None
        self._is_fresh = not self._slot_came_free
        for problem in self._listed.problems if self._is_at_work else ():
            self._complain(f"{problem} (until then the list stays as it was)")
        for warning in (*self._warnings, *self._listed.warnings, *self._history.catch_up()):
            self._complain(warning, Level.WARNING)
        for model in self._listed.models:
            if model.problem:
                self._complain(f"{model.problem}\n{model.traceback}".rstrip())
        return True

    def _complain(self, text: str, level: Level = Level.ERROR) -> None:
        self._audience.say_once(level, text)

    # ---------------------------------------------------------------------- act

    def _start_all(self) -> None:
        ledger, policy = self._history.ledger, self._policy
        for start in plan(self._listed.models, ledger, policy, self._now()):
            if self._is_stopping():
                return
            self._start(start)
        self._is_fresh = False

    def _start(self, start: Start) -> None:
        start, folder = self._with_own_folder(start)
        spec = self._spec(start, folder)
        run = self._history.append(
            Starting(
                at=self._now(),
                run=start.run,
                session=self._policy.session,
                signature=start.version.signature,
                script=start.model.digest,
                model_dir=start.version.model_dir,
                resume=start.resume,
            )
        )
        launched = Launched(run=run, model=start.model, version=start.version, git=self._git.state)
        with storage(f"{run.id} can't be started"):
            write_whole(folder.spec, msgspec.json.encode(spec))
        handle = self._executor.submit(spec)
        self._watched[run.id] = WatchedRun(run, handle, folder, launched)
        self._audience.tell(lambda listener: listener.started(launched))

    def _with_own_folder(self, start: Start) -> tuple[Start, RunFolder]:
        """``start`` with the next attempt whose folder nobody has, on any host, and that folder."""
        run = start.run
        while True:
            folder = self._layout.run_folder(run)
            with storage(f"{run} can't be started"):
                try:
                    folder.path.mkdir(parents=True)
                except FileExistsError:
                    run = msgspec.structs.replace(run, attempt=run.attempt + 1)
                else:
                    return msgspec.structs.replace(start, run=run), folder

    def _spec(self, start: Start, folder: RunFolder) -> Spec:
        model_dir = self._layout.model_dir(start.version.model_dir)
        if self._test:
            shutil.rmtree(model_dir, ignore_errors=True)
        return Spec(
            model=start.model.name,
            version=start.version.name,
            attempt=start.run.attempt,
            script=str(self._layout.models_dir / start.model.path),
            signature=start.version.signature,
            stamp=start.model.stamp,
            folder=str(folder.path),
            project=str(self._layout.project),
            models_dir=str(self._layout.models_dir),
            model_dir=str(model_dir),
            test=self._test,
            fresh=not start.resume,
            timeout=start.version.timeout or self._settings.timeout or None,
            stall_timeout=self._settings.stall_timeout or None,
            grace=self._settings.grace,
            stop_on_nan=self._settings.stop_on_nan,
        )

    def _sleep(self) -> None:
        """Until a run may have ended, the list is read, a signal comes, or for a TICK."""
        handles = [watched.handle for watched in self._watched.values()]
        self._executor.wait(handles, TICK, self._wake)
        with suppress(BlockingIOError):
            os.read(self._wake, 1 << 10)

    def _wake_up(self) -> None:
        with suppress(BlockingIOError):  # it is awake already
            os.write(self._waker, b"!")

    def _is_stopping(self) -> bool:
        return bool(self._signals)

    def _must_halt(self) -> bool:
        """Test mode ends at the first thing that goes wrong."""
        return self._test and (
            any(not run.succeeded for run in self._ended)
            or any(model.problem for model in self._listed.models)
        )

    def _stop(self) -> None:
        """Ask the runs to stop, once for each signal; the second one kills them at once."""
        grace = self._settings.grace if len(self._signals) < 2 else 0.0
        fresh = len(self._signals) > self._acted_on
        self._acted_on = len(self._signals)
        for watched in self._watched.values():
            if watched.run.stopping_at is None:
                watched.run = self._history.append(Stopping(at=self._now(), run=watched.run.id))
                self._executor.stop(watched.handle, grace)
            elif fresh:
                self._executor.stop(watched.handle, grace)
