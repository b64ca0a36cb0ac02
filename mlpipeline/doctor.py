"""A check-up of a project: what is wrong with its files, this host and its runs, and what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listed import all_asks
from mlpipeline.core.runs import Run
from mlpipeline.core.wording import plural
from mlpipeline.errors import MlpipelineError, StorageError, short
from mlpipeline.execution.executors.local import is_running
from mlpipeline.execution.hardware import Hardware
from mlpipeline.execution.known_scripts import KnownScripts
from mlpipeline.execution.listing import Listing
from mlpipeline.state.claims import Claims
from mlpipeline.state.config import Settings
from mlpipeline.state.history import read_histories, torn_end
from mlpipeline.state.layout import LIST, TEST_LIST, Layout, RunFolder
from mlpipeline.state.lock import holder_of
from mlpipeline.state.mlflow_config import Mlflow
from mlpipeline.state.room import Room

CLOCK_SLACK = timedelta(minutes=1)


class Finding(msgspec.Struct, frozen=True):
    """Something to know; a ``problem`` is something to mend."""

    what: str
    remedy: str = ""
    problem: bool = True


class Doctor:
    """Looks at everything, changes no record."""

    def __init__(self, settings: Settings, layout: Layout, now: datetime):
        self._settings = settings
        self._layout = layout
        self._now = now

    def findings(self) -> Iterator[Finding]:
        """All there is to say, in the order of looking."""
        for warning in self._settings.warnings:
            yield Finding(warning, "correct the key, or remove it")
        yield from self._lists()
        if self._layout.outputs.exists() and not self._layout.outputs.is_dir():
            yield Finding(f"{short(self._layout.outputs)} is no folder", "move it away")
            return
        if not self._layout.outputs.exists():
            yield Finding("nothing has run yet", problem=False)
            return
        pid, problem = self._scheduler()
        if pid:
            yield Finding(f"a scheduler is at work (pid {pid})", problem=False)
        if problem:
            yield problem
        try:
            ledger, warnings = read_histories(self._layout, index=False)
        except StorageError as error:
            yield Finding(str(error), "make it readable")
            return
        yield from self._journals(warnings, is_at_work=bool(pid))
        yield from self._disk()
        yield from self._clock(ledger)
        yield from self._runs(ledger, is_at_work=bool(pid))
        yield from self._folders(ledger)
        yield from self._claims()
        yield from self._other_hosts(ledger)
        if self._settings.mlflow:
            yield from self._tracking(self._settings.mlflow, ledger, is_at_work=bool(pid))

    def _lists(self) -> Iterator[Finding]:
        layout = self._layout
        scripts = KnownScripts(
            layout.models_dir,
            layout.project,
            self._settings.inspect_timeout,
            most=self._settings.max_versions or None,
        )
        for name in (LIST, TEST_LIST):
            path = layout.project / name
            listed = Listing(path, layout.models_dir, scripts, patient=False).refresh()
            for problem in listed.problems:
                yield Finding(problem, f"correct {name}")
            for warning in listed.warnings:
                yield Finding(warning, f"correct {name}")
            for model in listed.models:
                if model.problem:
                    yield Finding(f"{name}: {model.problem}", "mend the script, or take it off")
            odd: list[str] = []
            Hardware(self._settings, warn=odd.append).now(all_asks(listed.models))
            if name == LIST:
                yield from (Finding(each, "correct gpus in mlp.config") for each in odd)

    def _scheduler(self) -> tuple[str, Finding | None]:
        """The pid of the scheduler that is at work, or none; and what keeps one from that."""
        outputs = self._layout.outputs
        problem = "" if os.access(outputs, os.W_OK) else f"{short(outputs)} can't be written"
        try:
            pid = holder_of(self._layout.lock)
        except StorageError as error:
            pid, problem = "", str(error)
        remedy = "the outputs need a folder that can be written and locked"
        return pid, Finding(problem, remedy) if problem else None

    def _journals(self, warnings: list[str], *, is_at_work: bool) -> Iterator[Finding]:
        for warning in warnings:
            yield Finding(warning, "delete the line while no session runs; the rest counts anyway")
        torn = torn_end(self._layout.history)
        if torn and not is_at_work:
            yield Finding(
                f"{short(self._layout.history)} ends within a record ({len(torn)} bytes)",
                "the next mlpipeline -r sets it aside",
            )
        for path in sorted(self._layout.outputs.glob("history-*.damaged-*")):
            yield Finding(
                f"{short(path)}: {path.stat().st_size} bytes that were set aside",
                "look at them, and delete the file",
                problem=False,
            )

    def _disk(self) -> Iterator[Finding]:
        room = Room(self._layout.outputs, self._layout.ballast, self._settings.min_free_disk)
        if lack := room.lack():
            yield Finding(lack, "make room, or set min_free_disk in mlp.config")

    def _clock(self, ledger: Ledger) -> Iterator[Finding]:
        for run in ledger:
            at = run.ended_at or run.started_at
            if at > self._now + CLOCK_SLACK:
                yield Finding(
                    f"{run.id} on {run.host} is dated {at.isoformat()}, which is yet to come",
                    "set the clocks of this host and of that one",
                )
                return

    def _runs(self, ledger: Ledger, *, is_at_work: bool) -> Iterator[Finding]:
        """Processes that nobody watches, and ends that nobody has recorded."""
        for run in ledger:
            if run.host != self._layout.host or (run.active and is_at_work):
                continue
            there = is_running(str(self._layout.run_folder(run.id).path))
            if run.active and there:
                what = f"{run.id} goes on without a scheduler"
                yield Finding(what, "mlpipeline -r -u goes on with it", problem=False)
            elif run.active:
                what = f"{run.id} has ended, and that is not recorded"
                yield Finding(what, "mlpipeline -r -u records it")
            elif there:
                what = f"{run.id} is over, but its processes are there"
                yield Finding(what, f"see {short(self._layout.run_folder(run.id).processes)}")

    def _folders(self, ledger: Ledger) -> Iterator[Finding]:
        known = {self._layout.run_folder(run.id).path: run for run in ledger}
        for path, run in known.items():
            if not path.is_dir():
                yield Finding(f"{run.id}: its folder is gone", "nothing: history knows its outcome")
        for path in sorted(self._layout.runs.glob("*/*/*")):
            if path not in known and RunFolder(path).processes.exists():
                yield Finding(
                    f"{short(path)} belongs to no run in any history",
                    "nothing: its number is not given again; delete it if you like",
                    problem=False,
                )

    def _claims(self) -> Iterator[Finding]:
        for path in Claims(self._layout).unreadable():
            yield Finding(
                f"{short(path)} does not say which host it is of",
                "if no host is just starting something: delete the file",
            )

    def _other_hosts(self, ledger: Ledger) -> Iterator[Finding]:
        claims = Claims(self._layout)
        heard = claims.beat_times()
        for host in sorted({run.host for run in ledger.active()} - {self._layout.host}):
            runs: list[Run] = ledger.active(host)
            at = heard.get(self._layout.beat(host).name)
            last = f"its last beat was at {at:%Y-%m-%d %H:%M}" if at else "it has given no beat"
            silent = at is None or self._now - at > timedelta(minutes=5)
            yield Finding(
                f"{host} has {len(runs)} runs, the first is {runs[0].id}; {last}",
                f"if it is gone for good: mlpipeline retry --lost-host {host}" if silent else "",
                problem=silent,
            )

    def _tracking(self, mlflow: Mlflow, ledger: Ledger, *, is_at_work: bool) -> Iterator[Finding]:
        """What keeps runs from being sent to MLflow, and how many are not."""
        from mlpipeline.execution.tracking import Unsent, lacks  # where [MLFLOW] is there

        if lack := lacks(mlflow):
            yield Finding(lack, "mend that, or remove [MLFLOW] from mlp.config")
            return
        unsent = Unsent(mlflow, self._layout, ledger).among(run for run in ledger if not run.active)
        missing = sum(each is not None for each in unsent)
        if missing:
            yield Finding(
                f"{plural(missing, 'run')} not wholly sent to MLflow",
                "the session sends what is missing" if is_at_work else "mlpipeline track",
                problem=not is_at_work,
            )


def check_up(settings: Settings, layout: Layout, now: datetime) -> list[Finding]:
    """What there is to say of a project; MlpipelineErrors become findings too."""
    findings: list[Finding] = []
    try:
        findings.extend(Doctor(settings, layout, now).findings())
    except MlpipelineError as error:
        findings.append(Finding(str(error)))
    return findings
