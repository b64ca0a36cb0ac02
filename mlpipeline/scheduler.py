"""The loop: observe, plan, act, record. Its rules are in core/planning.py, not here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from mlpipeline.core.launch import Spec, judge
from mlpipeline.core.listening import Ended, Launched, Level, Listener
from mlpipeline.core.planning import Model, Policy, Start, State, explain, plan
from mlpipeline.core.runs import Adopted, Finished, Outcome, Run, RunId, Starting, Stopping
from mlpipeline.errors import MlpipelineError, StorageError
from mlpipeline.execution.executors.base import Executor, Gone
from mlpipeline.execution.listing import Listing
from mlpipeline.execution.watching import WatchedRun
from mlpipeline.state.config import Settings
from mlpipeline.state.files import storage, write_whole
from mlpipeline.state.git import Repository
from mlpipeline.state.history import History
from mlpipeline.state.layout import Layout, RunFolder

TICK = 0.1  # seconds between two looks at what the runs print
REFRESH = timedelta(seconds=1)  # between two looks at the list while slots stay free


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a session."""

    runs: tuple[Run, ...]  # that ended, in the order of their end
    broken: tuple[Model, ...]  # listed models that can't be used
    listed: int  # versions and broken models that the list asks for
    signal: int | None  # that ended the session

    @property
    def failed(self) -> bool:
        """Whether anything went wrong that a person should look at."""
        succeeded = {(run.id.model, run.id.version) for run in self.runs if _succeeded(run)}
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
        self._listeners = list(listeners)
        self._policy = policy
        self._test = test
        self._warnings = warnings
        self._now = now
        self._git = Repository(layout.project)
        self._watched: dict[RunId, WatchedRun] = {}
        self._ended: list[Run] = []
        self._complaints: set[str] = set()
        self._signals: list[int] = []
        self._acted_on = 0  # of the signals
        self._refreshed: datetime | None = None
        self._slot_came_free = False
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._waker, False)

    def ask_to_stop(self, signal: int) -> None:
        """End the session: runs are asked to stop, at the second call killed at once.

        May be called from a signal handler.
        """
        self._signals.append(signal)
        with suppress(BlockingIOError):  # it is awake already
            os.write(self._waker, b"!")

    def run(self) -> Result:
        """Work until the queue is empty.

        Raises MlpipelineError when the list can't be used (at the start only), StorageError when
        the history can't be written; runs go on then, and the next session adopts them.
        """
        problems = self._listing.refresh(self._is_stopping)
        if problems:
            raise MlpipelineError("\n".join(problems))
        self._point_out()
        self._adopt()
        while True:
            self._observe()
            if self._is_stopping() or self._must_halt():
                self._stop()
            elif self._may_start():
                self._refresh()
                self._start_all(plan(self._listing.models, self._history.ledger, self._policy))
            if not self._watched:
                break
            self._sleep()
        standings = explain(self._listing.models, self._history.ledger, self._policy)
        return Result(
            runs=tuple(self._ended),
            listed=len(standings),
            broken=tuple(s.model for s in standings if s.state is State.BROKEN),
            signal=self._signals[0] if self._signals else None,
        )

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
            watched.run = self._history.append(
                Adopted(at=self._now(), run=run.id, session=self._policy.session)
            )
            self._watched[run.id] = watched
            self._tell(lambda listener, run=watched.run: listener.adopted(run))  # type: ignore[misc]

    def _observe(self) -> None:
        handles = [watched.handle for watched in self._watched.values()]
        observations = self._executor.poll(handles)
        for watched in list(self._watched.values()):
            observation = observations[watched.handle]
            if isinstance(observation, Gone):
                del self._watched[watched.run.id]
                self._slot_came_free = True
                self._finish(watched, observation)
            else:
                self._follow(watched)
        self._tell(lambda listener: listener.tick())

    def _follow(self, watched: WatchedRun, *, to_the_end: bool = False) -> None:
        """Pass on what the run has said since the last look."""
        run = watched.run
        if printed := watched.printed(to_the_end=to_the_end):
            self._tell(lambda listener: listener.printed(run, printed))
        if logged := watched.logged(to_the_end=to_the_end):
            self._tell(lambda listener: listener.logged(run, logged))
        if progress := watched.new_progress():
            self._tell(lambda listener: listener.progressed(run, progress))

    def _finish(self, watched: WatchedRun, gone: Gone) -> None:
        """Record how a run ended."""
        now = self._now()
        report, run = gone.report, watched.run
        verdict = judge(gone.exit, report, stopped=run.stopping)
        run = self._history.append(
            Finished(
                at=now,
                run=run.id,
                outcome=verdict.outcome,
                reason=verdict.reason,
                ended_at=gone.exit.ended_at if gone.exit else gone.last_sign or now,
                steps=report.steps if report else None,
                results=report.results if report else {},
            )
        )
        self._ended.append(run)
        self._follow(watched, to_the_end=True)
        ended = Ended(launched=watched.launched, run=run, exit=gone.exit, report=report)
        self._tell(lambda listener: listener.ended(ended))

    def _may_start(self) -> bool:
        """Whether a slot is free, and something new is to be expected of the list."""
        due = self._refreshed is None or self._now() - self._refreshed >= REFRESH
        return len(self._watched) < self._policy.slots and (due or self._slot_came_free)

    def _refresh(self) -> None:
        """Read the list and the scripts again, and say what is wrong with them."""
        self._refreshed, self._slot_came_free = self._now(), False
        for problem in self._listing.refresh(self._is_stopping):
            self._complain(f"{problem} (until then the list stays as it was)")
        self._point_out()

    def _point_out(self) -> None:
        """Say what is odd in the project, and which models can't be used."""
        for warning in (*self._warnings, *self._listing.warnings):
            self._complain(warning, Level.WARNING)
        for model in self._listing.models:
            if model.problem:
                self._complain(f"{model.problem}\n{model.traceback}".rstrip())

    # ---------------------------------------------------------------------- act

    def _start_all(self, starts: Sequence[Start]) -> None:
        for start in starts:
            if self._is_stopping():
                return
            self._start(start)

    def _start(self, start: Start) -> None:
        start = self._with_free_folder(start)
        folder = self._layout.run_folder(start.run)
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
        launched = Launched(
            run=run, model=start.model, version=start.version, git=self._git.state()
        )
        with storage(f"{run.id} can't be started"):
            folder.path.mkdir(parents=True)
            write_whole(folder.spec, msgspec.json.encode(spec))
        handle = self._executor.submit(spec)
        self._watched[run.id] = WatchedRun(run, handle, folder, launched)
        self._tell(lambda listener: listener.started(launched))

    def _with_free_folder(self, start: Start) -> Start:
        """``start`` with the next attempt whose folder is free, should a history be lost."""
        run = start.run
        while self._layout.run_folder(run).path.exists():
            run = msgspec.structs.replace(run, attempt=run.attempt + 1)
        return msgspec.structs.replace(start, run=run)

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
        )

    def _sleep(self) -> None:
        """Until a run may have ended, a signal comes, or it is time to look again."""
        handles = [watched.handle for watched in self._watched.values()]
        self._executor.wait(handles, TICK, self._wake)
        with suppress(BlockingIOError):
            os.read(self._wake, 1 << 10)

    def _is_stopping(self) -> bool:
        return bool(self._signals)

    def _must_halt(self) -> bool:
        """Test mode ends at the first thing that goes wrong."""
        return self._test and (
            any(not _succeeded(run) for run in self._ended)
            or any(model.problem for model in self._listing.models)
        )

    def _stop(self) -> None:
        """Ask the runs to stop, once for each signal; the second one kills them at once."""
        grace = self._settings.grace if len(self._signals) < 2 else 0.0
        fresh = len(self._signals) > self._acted_on
        self._acted_on = len(self._signals)
        for watched in self._watched.values():
            if not watched.run.stopping:
                watched.run = self._history.append(Stopping(at=self._now(), run=watched.run.id))
                self._executor.stop(watched.handle, grace)
            elif fresh:
                self._executor.stop(watched.handle, grace)

    # --------------------------------------------------------------------- tell

    def _complain(self, text: str, level: Level = Level.ERROR) -> None:
        """Say ``text`` once a session."""
        if text not in self._complaints:
            self._complaints.add(text)
            self._say(level, text)

    def _say(self, level: Level, text: str) -> None:
        at = self._now()
        self._tell(lambda listener: listener.message(at, level, text))

    def _tell(self, call: Callable[[Listener], None]) -> None:
        """Tell all listeners; one that the disk refuses loses this, and the others hear of it."""
        for listener in list(self._listeners):
            try:
                call(listener)
            except (OSError, StorageError) as error:
                problem = f"a record can't be written: {error}"
                if problem not in self._complaints:
                    self._complaints.add(problem)
                    for other in self._listeners:
                        if other is not listener:
                            other.message(self._now(), Level.ERROR, problem)


def _succeeded(run: Run) -> bool:
    return run.verdict is not None and run.verdict.outcome is Outcome.SUCCEEDED
