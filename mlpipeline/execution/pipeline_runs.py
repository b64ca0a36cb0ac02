"""What the runs of a pipeline's steps are the children of: one MLflow run for each pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlpipeline.core import tracking
from mlpipeline.execution.mlflow_store import Store


class PipelineRuns:
    """One for each model and each definition of its pipeline; each call may raise as a Store's."""

    def __init__(self, store: Store, project: str):
        self._store = store
        self._project = project
        self._known: dict[tuple[str, str], str] = {}

    def of(self, experiment: str, model: str, record: Mapping[str, Any], started: int) -> str:
        """The id of the parent of a step's run, whose run.yaml is ``record``; empty for no step.

        ``started``: when the step's run has, in milliseconds; the parent has then, if it is new.
        """
        pipeline = tracking.pipeline_of(record)
        if not pipeline:
            return ""
        name = f"{self._project}/{model}@{pipeline}"
        key = (experiment, name)
        if key not in self._known:
            found = self._store.find(experiment, tracking.PIPELINE, name)
            if not found:
                tags = {tracking.PIPELINE: name, "mlpipeline.model": model}
                self._store.create(experiment, f"{model} {pipeline}", started, tags)
                # Two hosts may have made one each: both take the first, and one stays empty.
                found = self._store.find(experiment, tracking.PIPELINE, name)
            self._known[key] = found or ""
        return self._known[key]

    def settle(self, experiment: str, parent: str) -> None:
        """Have the parent's state be that of its children: of each, the newest attempt."""
        newest: dict[str, str] = {}
        for child in self._store.search(experiment, tracking.PARENT, parent):
            newest[child.info.run_name] = child.info.status
        states = set(newest.values())
        if "RUNNING" in states:
            self._store.reopen(parent)
        else:
            bad = [state for state in (tracking.FAILED, tracking.KILLED) if state in states]
            self._store.end(parent, bad[0] if bad else tracking.FINISHED)
