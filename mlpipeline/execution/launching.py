"""From a planned start to a run that is watched: claim, record, submit."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from mlpipeline.core.launch import Spec, Tracked
from mlpipeline.core.listed import ListedVersion
from mlpipeline.core.listening import Launched
from mlpipeline.core.planning import Claimed, Policy, Start
from mlpipeline.core.runs import Claim, Finished, Outcome, Run, RunId, Starting
from mlpipeline.errors import StorageError
from mlpipeline.execution.executors.base import Executor
from mlpipeline.execution.watching import WatchedRun
from mlpipeline.state.claims import Claims
from mlpipeline.state.config import Settings
from mlpipeline.state.files import storage, write_whole
from mlpipeline.state.history import History
from mlpipeline.state.layout import Layout, RunFolder
from mlpipeline.state.sources import Sources


class Launcher:
    """Starts runs of one session.

    ``claimed`` is what it found other hosts to have, ``passed`` how many were let past a version.
    """

    def __init__(
        self,
        *,
        layout: Layout,
        settings: Settings,
        history: History,
        executor: Executor,
        policy: Policy,
        test: bool,
        now: Callable[[], datetime],
        tracking: Callable[[], Tracked | None] = lambda: None,
    ):
        """``tracking``: where a run's own calls of MLflow go to, if it starts now."""
        self._tracking = tracking
        self._layout = layout
        self._settings = settings
        self._history = history
        self._executor = executor
        self._policy = policy
        self._test = test
        self._now = now
        self._claims = Claims(layout)
        self._sources = Sources(layout, shared=settings.shared)
        self.claimed = Claimed()
        self.passed: Counter[tuple[str, str]] = Counter()  # by those that wait for more room

    def forget_claimed(self) -> None:
        """Look anew at what other hosts have."""
        self.claimed = Claimed()

    def launch(self, start: Start, git: dict[str, object] | None) -> WatchedRun | None:
        """Start a run; None when another host has the version, or uses its model_dir.

        What is recorded is on disk before a process is spawned. Raises DiskFull when there is no
        room for it (nothing is recorded then), StorageError when the run can't be started.
        """
        reserved = self._reserve(start)
        if reserved is None:
            return None
        start, folder = reserved
        spec = self._spec(start, folder)
        with storage(f"{start.run} can't be started"):
            folder.path.mkdir(parents=True, exist_ok=True)
            write_whole(folder.spec, msgspec.json.encode(spec))
            folder.console.touch()
        run = self._history.append(
            Starting(
                at=self._now(),
                run=start.run,
                session=self._policy.session,
                signature=start.version.signature,
                epochs=_epochs(start.version),
                script=start.model.digest_of(start.version),
                model_dir=start.version.model_dir,
                resume=start.resume,
                holds=start.place.holds,
            )
        )
        self._count(start)
        self._sources.keep(start.model.sources)
        try:
            handle = self._executor.submit(spec)
        except StorageError as error:
            self._record_false_start(start.run, str(error))
            raise
        launched = Launched(run=run, model=start.model, version=start.version, git=git)
        return WatchedRun(run, handle, folder, launched)

    def _reserve(self, start: Start) -> tuple[Start, RunFolder] | None:
        """``start`` with an attempt that is ours alone, and the folder for it."""
        version, run, now = start.version, start.run, self._now()
        while True:
            claim = self._claims.take(run, version.model_dir, now)
            if claim and claim.host != self._layout.host:
                self._note(versions={(run.model, run.version): claim})
                return None
            folder = self._layout.run_folder(run)
            # Where ours has begun already, a history is lost that told of it.
            if claim and not folder.processes.exists():
                break
            run = msgspec.structs.replace(run, attempt=run.attempt + 1)
        user = self._claims.take_model_dir(run, version.model_dir, now)
        if user.host != self._layout.host:
            self._note(model_dirs={version.model_dir: user})
            return None
        return msgspec.structs.replace(start, run=run), folder

    def _note(
        self,
        versions: Mapping[tuple[str, str], Claim] = {},
        model_dirs: Mapping[str, Claim] = {},
    ) -> None:
        self.claimed = Claimed(
            {**self.claimed.versions, **versions}, {**self.claimed.model_dirs, **model_dirs}
        )

    def _count(self, start: Start) -> None:
        """Who has started waits no more, and whom it was let past has waited once."""
        self.passed.pop((start.run.model, start.run.version), None)
        if start.place.passes:
            self.passed[start.place.passes] += 1

    def _record_false_start(self, run: RunId, reason: str) -> None:
        now = self._now()
        self._history.append(
            Finished(at=now, run=run, outcome=Outcome.INTERRUPTED, reason=reason, ended_at=now)
        )

    def rehearsal_folder(self, start: Start) -> Path:
        """Where a rehearsal of the version lies for as long as it goes on."""
        return self._layout.rehearsal(start.run.model, start.run.version)

    def rehearse(self, start: Start) -> WatchedRun:
        """Run a version in test mode: nothing of it is recorded, and its folder is temporary.

        Raises StorageError when it can't be started.
        """
        path = self.rehearsal_folder(start)
        shutil.rmtree(path, ignore_errors=True)
        folder = RunFolder(path)
        spec = msgspec.structs.replace(
            self._spec(start, folder), test=True, model_dir=str(path / "model_dir"), fresh=True
        )
        run = Run(
            id=start.run,
            host=self._layout.host,
            signature=start.version.signature,
            script=start.model.digest_of(start.version),
            model_dir="",
            resume=False,
            sessions=(self._policy.session,),
            started_at=self._now(),
        )
        with storage(f"the rehearsal of {start.run} can't be started"):
            path.mkdir(parents=True, exist_ok=True)
            write_whole(folder.spec, msgspec.json.encode(spec))
            folder.console.touch()
            handle = self._executor.submit(spec)
        self._count(start)
        return WatchedRun(run, handle, folder, None)

    def _spec(self, start: Start, folder: RunFolder) -> Spec:
        settings = self._settings
        model_dir = self._layout.model_dir(start.version.model_dir)
        if self._test:
            shutil.rmtree(model_dir, ignore_errors=True)
        return Spec(
            model=start.model.name,
            version=start.version.name,
            attempt=start.run.attempt,
            script=str(self._layout.models_dir / start.model.path),
            signature=start.version.signature,
            overrides=start.model.overrides,
            stamp=start.model.stamp,
            folder=str(folder.path),
            project=str(self._layout.project),
            models_dir=str(self._layout.models_dir),
            model_dir=str(model_dir),
            outputs=str(self._layout.outputs),
            anew=start.anew,
            parameters=start.version.parameters,
            test=self._test,
            fresh=not start.resume,
            threads=max(1, int(start.place.holds.cpus)) if start.place.holds.cpus else None,
            gpus=None if start.place.holds.gpus is None else tuple(start.place.holds.gpus),
            timeout=start.version.timeout or settings.timeout or None,
            stall_timeout=settings.stall_timeout or None,
            grace=settings.grace,
            stop_on_nan=settings.stop_on_nan,
            console_limit=_bytes(start.version.console_limit, settings.console_limit),
            tracking=self._tracking(),
        )


def _bytes(own: float | None, usual: float) -> int | None:
    """The limit, given in GB by the version or else by the settings, where 0 is none at all."""
    limit = usual if own is None else own
    return max(1, round(limit * 1e9)) if limit else None


def _epochs(version: ListedVersion) -> float | None:
    """How many epochs a version trains, which says how long it takes beside others."""
    epochs = version.parameters.get("epoch_count")
    return epochs if isinstance(epochs, (int, float)) and epochs > 0 else None
