"""The check-up of a project, and making again what can be made again."""

from __future__ import annotations

from datetime import datetime

from mlpipeline import doctor
from mlpipeline.core.listening import Ended
from mlpipeline.core.runs import Run
from mlpipeline.doctor import Finding
from mlpipeline.execution.executors.local import read_end
from mlpipeline.service.project import Project
from mlpipeline.state import reports
from mlpipeline.state.history import rebuild_index
from mlpipeline.state.layout import Layout
from mlpipeline.state.lock import scheduler_lock


def check_up(project: Project) -> list[Finding]:
    """What there is to say of the project's health."""
    return doctor.check_up(project.settings, project.layout, datetime.now().astimezone())


def rebuild_output(project: Project) -> int:
    """Make output-<hostname> again from the history and the run folders; returns how many runs.

    So is the index of the history.

    Raises ProjectBusy while a scheduler writes it.
    """
    layout = project.layout
    with scheduler_lock(layout.lock):
        ledger = rebuild_index(layout)
        runs = [run for run in ledger if run.host == layout.host and not run.active]
        return reports.rebuild_output(
            layout, (_ended(layout, run) for run in sorted(runs, key=_end))
        )


def _end(run: Run) -> datetime:
    return run.ended_at or run.started_at


def _ended(layout: Layout, run: Run) -> Ended:
    exit, report = read_end(layout.run_folder(run.id))
    return Ended(launched=None, run=run, exit=exit, report=report)
