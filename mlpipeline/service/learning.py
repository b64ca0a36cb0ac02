"""Learning curves: a metric over the steps of runs. Nothing is changed here."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from mlpipeline.core import curves
from mlpipeline.core.curves import Point
from mlpipeline.core.measures import lower_is_better
from mlpipeline.core.runs import Run
from mlpipeline.core.spelling import nearest
from mlpipeline.errors import MlpipelineError
from mlpipeline.service import views
from mlpipeline.service.project import Project
from mlpipeline.service.results import newest_runs, summaries
from mlpipeline.state import metrics

MOST = 8  # curves, where no run is named


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """A metric over the steps of one run, earlier attempts that it resumed included."""

    run: str  # model/version#attempt
    state: str  # "running", or its outcome
    steps: list[int]
    values: list[float | None]  # one for each of steps; null for NaN and infinite ones

    def points(self) -> list[Point]:
        """The finite values, with their steps."""
        pairs = zip(self.steps, self.values, strict=True)
        return [(step, value) for step, value in pairs if value is not None]


class LearningCurves(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of several runs."""

    metric: str
    curves: list[Curve]  # where no run was named, the best first
    more: int = 0  # runs that have the metric too, and are left out


def learning_curves(project: Project, metric: str, names: Sequence[str] = ()) -> LearningCurves:
    """``metric`` over the steps of the runs ``names`` (as :func:`views.find_run` takes them).

    Without names, of the newest run of each version that has it, the MOST best of them. Raises
    UnknownRun, and MlpipelineError with the nearest metric where no run has it.
    """
    newest = newest_runs(project)
    if not names:
        return _best(project, metric, newest)
    attempts = {(run.id.model, run.id.version): runs for run, runs in newest}
    found: list[Curve] = []
    logged: dict[str, None] = {}
    runs = views.find_runs(project, names)
    for run in {(run.id, run.host): run for run in runs}.values():
        siblings = attempts.get((run.id.model, run.id.version), [run])
        if points := _points(project, run, siblings, metric):
            found.append(_curve(run, points))
        else:
            logged |= dict.fromkeys(summaries(project.layout, run, siblings))
    if not found:
        raise _unknown(metric, list(logged), " of these")
    return LearningCurves(metric=metric, curves=found)


def _best(project: Project, metric: str, newest: Sequence[tuple[Run, list[Run]]]) -> LearningCurves:
    lower = lower_is_better(metric)
    logged: dict[str, None] = {}
    ranked: list[tuple[float, Run, list[Run]]] = []
    for run, attempts in newest:
        told = summaries(project.layout, run, attempts)
        logged |= dict.fromkeys(told)
        if metric in told:
            best = told[metric].best(lower=lower)
            loss = math.inf if best is None else best[0] if lower else -best[0]
            ranked.append((loss, run, attempts))
    if not ranked:
        raise _unknown(metric, list(logged), "")
    ranked.sort(key=lambda each: each[0])
    drawn = [(run, _points(project, run, attempts, metric)) for _, run, attempts in ranked[:MOST]]
    found = [_curve(run, points) for run, points in drawn if points]
    if not found:
        raise MlpipelineError(
            f"the points of {metric!r} are gone: the runs have no metrics.jsonl any more, only "
            f"what `mlpipeline results --sort {metric}` shows"
        )
    return LearningCurves(
        metric=metric,
        curves=found,
        more=max(0, len(ranked) - MOST),
    )


def _points(project: Project, run: Run, attempts: Sequence[Run], metric: str) -> list[Point]:
    """The whole curve of ``run``, from its first attempt on."""
    folders = [project.layout.run_folder(each.id) for each in curves.continued(run, attempts)]
    told = [{metric: metrics.points(folder, metric)} for folder in folders]
    return told[0][metric] if len(told) == 1 else curves.joined(told).get(metric, [])


def _curve(run: Run, points: Sequence[Point]) -> Curve:
    return Curve(
        run=str(run.id),
        state=run.verdict.outcome.value if run.verdict else "running",
        steps=[step for step, _ in points],
        values=[value if math.isfinite(value) else None for _, value in points],
    )


def _unknown(metric: str, logged: Sequence[str], which: str) -> MlpipelineError:
    if not logged:
        return MlpipelineError(
            f"no run{which} has logged a metric; "
            "a model script does with self.log_metrics({'loss': 0.1})"
        )
    hint = nearest(metric, logged) or f"; logged are {', '.join(logged)}"
    return MlpipelineError(f"no run{which} has logged {metric!r}{hint}")
