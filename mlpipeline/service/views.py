"""What there is to see of a project. Nothing is changed here."""

from __future__ import annotations

from datetime import datetime

import msgspec

from mlpipeline.core.ledger import Ledger
from mlpipeline.core.planning import Standing, explain
from mlpipeline.core.runs import Run
from mlpipeline.errors import UnknownRun
from mlpipeline.execution.executors.local import is_running
from mlpipeline.service.project import Project, listing, policy
from mlpipeline.state.history import read_histories
from mlpipeline.state.ini import nearest
from mlpipeline.state.layout import LIST, RunFolder


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything stands."""

    standings: tuple[Standing, ...]  # of the listed versions, in the order of the queue
    past: tuple[Run, ...]  # newest runs of versions that are not listed (any more)
    warnings: tuple[str, ...]
    problems: tuple[str, ...]  # that keep the list from being used: then all runs are past ones


def status(project: Project) -> Status:
    """What is queued, what ran, and why the rest does not run."""
    layout, settings = project.layout, project.settings
    listed_now = listing(project, LIST, patient=False).refresh()
    ledger, warnings = read_histories(layout)
    decides = policy(project, session="", unattended=True)
    standings = explain(listed_now.models, ledger, decides, datetime.now().astimezone())
    listed = {(s.model.name, s.version.name) for s in standings if s.version}
    return Status(
        standings=tuple(_with_signs_of_life(project, standing) for standing in standings),
        past=tuple(_newest_runs(ledger, listed)),
        warnings=(*settings.warnings, *listed_now.warnings, *warnings),
        problems=listed_now.problems,
    )


def find_run(project: Project, name: str) -> tuple[Run, RunFolder]:
    """The run that ``name`` (``model/version#attempt``, or without ``#`` the newest) means.

    Raises UnknownRun, with the nearest names.
    """
    ledger, _ = read_histories(project.layout)
    runs = {str(run.id): run for run in sorted(ledger, key=lambda run: run.started_at)}
    newest = {f"{run.id.model}/{run.id.version}": run for run in runs.values()}
    run = runs.get(name) or newest.get(name)
    if run is None:
        hint = nearest(name, [*newest, *runs]) or "; `mlpipeline status` lists the runs"
        raise UnknownRun(f"no run is called {name}{hint}")
    return run, project.layout.run_folder(run.id)


def is_over(project: Project, run: Run) -> bool:
    """Whether ``run`` has ended by now, recorded or not.

    Of a run on another host, its folder tells; what was lost there, only the history.
    """
    folder = project.layout.run_folder(run.id)
    if not run.active or folder.exit.exists():
        return True
    if run.host == project.layout.host:
        return not is_running(str(folder.path))
    return not _now(project, run).active


def _with_signs_of_life(project: Project, standing: Standing) -> Standing:
    """Say so where history calls a run of this host running, and its processes are gone."""
    run = standing.last
    if run is None or not run.active or run.host != project.layout.host:
        return standing
    if is_running(str(project.layout.run_folder(run.id).path)):
        return standing
    reason = "has ended while no scheduler watched; `mlpipeline -r -u` records how, and goes on"
    return msgspec.structs.replace(standing, reason=reason)


def _now(project: Project, run: Run) -> Run:
    """``run`` as the history knows it by now."""
    ledger, _ = read_histories(project.layout)
    attempts = ledger.attempts(run.id.model, run.id.version)
    return next((each for each in attempts if each.id == run.id and each.host == run.host), run)


def _newest_runs(ledger: Ledger, listed: set[tuple[str, str]]) -> list[Run]:
    newest: dict[tuple[str, str], Run] = {}
    for run in ledger:
        key = run.id.model, run.id.version
        if key not in listed and (key not in newest or newest[key].started_at <= run.started_at):
            newest[key] = run
    return sorted(newest.values(), key=lambda run: run.started_at)
