"""What runs came to: parameters, results, metrics. Nothing is changed here.

Made for tens of thousands of runs: of each, spec.json and exit.json are read, and metrics.jsonl and
run.yaml only where those do not tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from mlpipeline.core import curves
from mlpipeline.core.curves import Summary
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.measures import lower_is_better, told
from mlpipeline.core.runs import Run
from mlpipeline.service import views
from mlpipeline.service.project import Project
from mlpipeline.state import metrics
from mlpipeline.state.files import read_record
from mlpipeline.state.history import read_histories
from mlpipeline.state.layout import Layout, RunFolder


class MetricResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one metric came to over the steps of a run, and of the attempts that it resumed."""

    last: float | str  # "nan", "inf" or "-inf" where it is no finite number
    last_step: int
    best: float | None  # the lowest of a loss or an error, of all others the highest
    best_step: int | None
    count: int  # values that were logged


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one run came to."""

    run: str  # model/version#attempt
    model: str
    version: str
    attempt: int
    host: str
    state: str  # "running", or its outcome: "succeeded", "failed" …
    reason: str  # of an outcome that is no success
    resumed: bool  # it went on from an earlier attempt
    started: datetime
    seconds: float | None  # that it took; null while it runs
    parameters: dict[str, Any]
    results: dict[str, float | str]  # by their paths: "test.accuracy"; "nan", "inf" or "-inf"
    metrics: dict[str, MetricResult]


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """What the runs of a project came to."""

    runs: tuple[Result, ...]
    best: str | None = None  # the best run's name, where a metric to compare by was asked for


class _Parameters(msgspec.Struct):
    """As much of spec.json as is needed."""

    parameters: dict[str, Any] = {}


def results(project: Project, names: Sequence[str] = (), *, attempts: bool = False) -> Results:
    """What the newest run of each version came to, in the order they were first started.

    ``names`` are models, or runs as :func:`views.find_run` takes them; none: all there are.
    ``attempts``: all runs of these versions. Raises UnknownRun.
    """
    ledger, _ = read_histories(project.layout)
    versions = _attempts(ledger)
    found = [
        _result(project.layout, run, versions[run.id.model, run.id.version])
        for run in _chosen(project, versions, names, attempts)
    ]
    return Results(runs=tuple(found))


def newest_runs(project: Project) -> list[tuple[Run, list[Run]]]:
    """The newest run of each version, with all runs of the version, oldest first."""
    ledger, _ = read_histories(project.layout)
    return [(runs[-1], runs) for runs in _attempts(ledger).values()]


def summaries(layout: Layout, run: Run, attempts: Sequence[Run]) -> dict[str, Summary]:
    """What is kept of each metric of ``run`` and of those of ``attempts`` that it resumed."""
    folders = [layout.run_folder(each.id) for each in curves.continued(run, attempts)]
    told = [metrics.summaries(folder) for folder in folders]
    if len(told) == 1:
        return told[0]
    if curves.continues(told):
        return curves.added(told)
    whole = curves.joined([metrics.curves(folder) for folder in folders])
    return {name: curves.summarised(points) for name, points in whole.items()}


def _attempts(ledger: Ledger) -> dict[tuple[str, str], list[Run]]:
    """The runs of each version, oldest first; versions in the order they were first started."""
    return {version: ledger.attempts(*version) for version in ledger.names()}


def _chosen(
    project: Project,
    versions: dict[tuple[str, str], list[Run]],
    names: Sequence[str],
    attempts: bool,
) -> list[Run]:
    """The runs that are asked for, each once."""
    chosen: dict[tuple[Any, str], Run] = {}
    models = dict.fromkeys(model for model, _ in versions)
    for name in names or models:
        if name in models:
            keys = [key for key in versions if key[0] == name]
            runs = [run for key in keys for run in versions[key][0 if attempts else -1 :]]
        else:
            run, _ = views.find_run(project, name)
            whole = attempts and "#" not in name
            runs = versions[run.id.model, run.id.version] if whole else [run]
        chosen |= {(run.id, run.host): run for run in runs}
    return list(chosen.values())


def _result(layout: Layout, run: Run, attempts: Sequence[Run]) -> Result:
    folder = layout.run_folder(run.id)
    return Result(
        run=str(run.id),
        model=run.id.model,
        version=run.id.version,
        attempt=run.id.attempt,
        host=run.host,
        state=run.verdict.outcome.value if run.verdict else "running",
        reason=run.verdict.reason if run.verdict else "",
        resumed=run.resume,
        started=run.started_at,
        seconds=run.seconds,
        parameters=parameters(layout, run, folder),
        results=told(run.results),
        metrics={
            name: _metric(name, summary)
            for name, summary in summaries(layout, run, attempts).items()
        },
    )


def parameters(layout: Layout, run: Run, folder: RunFolder) -> dict[str, Any]:
    """The version's parameters as they were for ``run``; run.yaml tells of runs long ago."""
    spec = read_record(folder.spec, _Parameters)
    if spec and spec.parameters:
        return spec.parameters

    from mlpipeline.state.reports import run_record  # needs YAML, and few runs need it

    recorded = run_record(layout, run.id).get("parameters")
    return recorded if isinstance(recorded, dict) else {}


def _metric(name: str, summary: Summary) -> MetricResult:
    best = summary.best(lower=lower_is_better(name))
    return MetricResult(
        last=summary.last,
        last_step=summary.last_step,
        best=best[0] if best else None,
        best_step=best[1] if best else None,
        count=summary.count,
    )
