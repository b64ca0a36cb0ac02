"""What the runs of a pipeline's steps are the children of: one MLflow run for each pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlpipeline.core import tracking
from mlpipeline.execution.mlflow_store import Failed, Refused, Store, Unreachable


class PipelineRuns:
    """One for each model and each definition of its pipeline; each call may raise as a Store's."""

    def __init__(self, store: Store, project: str):
        self._store = store
        self._project = project
        self._known: dict[tuple[str, str], str] = {}
        self._unsettled: dict[str, str] = {}  # parents, and the experiments they are in

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
            digest = tracking.digest_of(name)  # which can be asked for, whatever is in a name
            found = self._store.find(experiment, tracking.PIPELINE, digest)
            if not found:
                shown = tracking.shortened(name, tracking.LONGEST_TAG)
                tags = {tracking.PIPELINE: digest, "mlpipeline.pipeline_name": shown}
                tags["mlpipeline.model"] = model
                self._store.create(experiment, f"{model} {pipeline}", started, tags)
                # Two hosts may have made one each: both take the first, and one stays empty.
                found = self._store.find(experiment, tracking.PIPELINE, digest)
            self._known[key] = found or ""
        return self._known[key]

    def join(self, experiment: str, model: str, record: Mapping[str, Any], started: int) -> str:
        """The same, for a step that has started: the parent runs, then."""
        parent = self.of(experiment, model, record, started)
        if not parent:
            return ""
        try:
            self._store.reopen(parent)
        except Refused:  # deleted there, since it was found
            self._forget(parent)
            parent = self.of(experiment, model, record, started)
            self._store.reopen(parent)
        return parent

    def unsettle(self, experiment: str, parent: str) -> None:
        """A child has ended, so :meth:`settle` has to look at the parent."""
        self._unsettled[parent] = experiment

    def is_settled(self, parent: str) -> bool:
        """Whether the parent's state is what its children's ends make it."""
        return parent not in self._unsettled

    def settle(self) -> None:
        """Have the state of parents be that of their children, once for all that have ended.

        Raises Failed or Unreachable when all have been tried; those it is about are unsettled.
        """
        problem: Failed | Unreachable | None = None
        for parent, experiment in list(self._unsettled.items()):
            try:
                self._settle(experiment, parent)
            except Refused:  # deleted there: the next step makes another one
                self._forget(parent)
            except (Failed, Unreachable) as error:
                problem = error
                continue
            del self._unsettled[parent]
        if problem is not None:
            raise problem

    def _settle(self, experiment: str, parent: str) -> None:
        newest: dict[str, str] = {}  # attempt's state, of each step
        for child in self._store.search(experiment, tracking.PARENT, parent):
            newest.setdefault(child.info.run_name, child.info.status)
        states = set(newest.values())
        if "RUNNING" in states:
            self._store.reopen(parent)
        else:
            bad = [state for state in (tracking.FAILED, tracking.KILLED) if state in states]
            self._store.end(parent, bad[0] if bad else tracking.FINISHED)

    def _forget(self, parent: str) -> None:
        self._known = {key: run for key, run in self._known.items() if run != parent}
