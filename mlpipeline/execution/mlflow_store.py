"""MLflow, as the pipeline uses it: the one module that imports mlflow, which takes over a second.

So it is imported in the helper process only (mlflow_helper.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from mlpipeline.core.masking import masked, without_access

T = TypeVar("T")

# What MLflow says of a thing that no other try makes right; all else is tried again.
_FOR_GOOD = (
    "INVALID_PARAMETER_VALUE",
    "BAD_REQUEST",
    "RESOURCE_DOES_NOT_EXIST",
    "RESOURCE_ALREADY_EXISTS",
    "INVALID_STATE",
    "INVALID_STATE_TRANSITION",
)

# What is in the text of an error where nobody answers.
_SILENT = ("Read timed out", "ConnectTimeoutError", "timed out")
_AWAY = ("NewConnectionError", "Connection refused", "Connection aborted", "RemoteDisconnected")
LONGEST = 300  # characters of what an error says


class Unreachable(Exception):
    """The server did not answer, or could not do it: it is to be asked again. One line."""


class Refused(Exception):
    """The server does not take this, now or later. One line."""


class Point(msgspec.Struct, frozen=True, gc=False):
    """A value of a metric."""

    name: str
    step: int
    at: int  # milliseconds since the epoch
    value: float


class Store:
    """A tracking server, or a store on the disk. Each call may raise Unreachable and Refused."""

    def __init__(self, uri: str, timeout: float):
        """``timeout``: seconds that a request may take. Raises ImportError without mlflow."""
        # Own patience, not theirs: a helper that hangs for minutes has not ended with its session.
        os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(max(1, round(timeout)))
        os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
        os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
        for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
            os.environ.pop(name, None)  # of a run that has started this session
        from mlflow import entities
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        self._entities = entities
        self._error = MlflowException
        self._uri = uri
        self._timeout = timeout
        self._make = MlflowClient
        self._client: Any = None
        self._experiments: dict[str, str] = {}

    def experiment(self, name: str) -> str:
        """The id of the experiment of that name, which is made if there is none."""
        if name not in self._experiments:
            self._experiments[name] = self._ask(lambda client: self._experiment(client, name))
        return self._experiments[name]

    def _experiment(self, client: Any, name: str) -> str:
        found = client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(client.create_experiment(name))
            except self._error:  # somebody else was quicker?
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage == "deleted":
            raise Unreachable(
                f"the experiment {name!r} has been deleted there; restore it "
                f"(mlflow experiments restore -x {found.experiment_id}), or name another one in "
                "[MLFLOW]"
            )
        return str(found.experiment_id)

    def create(self, experiment: str, name: str, started: int, tags: dict[str, str]) -> str:
        """Make a run in the experiment of that id; returns its id. ``started``: milliseconds."""

        def create(client: Any) -> str:
            run = client.create_run(experiment, start_time=started, tags=tags, run_name=name)
            return str(run.info.run_id)

        return self._ask(create)

    def find(self, experiment: str, tag: str, value: str) -> str | None:
        """The id of the first run that has such a tag."""
        found = self.search(experiment, tag, value)
        return found[0].info.run_id if found else None

    def search(self, experiment: str, tag: str, value: str) -> list[Any]:
        """All runs that have such a tag, by their start."""
        condition = f"tags.`{tag}` = '{value}'"

        def search(client: Any) -> list[Any]:
            found = client.search_runs(
                [experiment], condition, max_results=5_000, order_by=["start_time ASC"]
            )
            return list(found)

        return self._ask(search)

    def log(
        self,
        run: str,
        metrics: Iterable[Point] = (),
        parameters: dict[str, str] | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        """At most 1000 in all, and 100 parameters and tags each."""
        kinds = self._entities
        self._ask(
            lambda client: client.log_batch(
                run,
                [kinds.Metric(each.name, each.value, each.at, each.step) for each in metrics],
                [kinds.Param(*each) for each in (parameters or {}).items()],
                [kinds.RunTag(*each) for each in (tags or {}).items()],
            )
        )

    def history(self, run: str, metric: str) -> list[Point]:
        """All that is there of a metric."""
        found = self._ask(lambda client: client.get_metric_history(run, metric))
        return [Point(metric, each.step, each.timestamp, each.value) for each in found]

    def parameters(self, run: str) -> dict[str, str]:
        """Those that the run has."""
        return dict(self._ask(lambda client: client.get_run(run)).data.params)

    def is_there(self, run: str) -> bool:
        """Whether the run is there, and not deleted."""
        try:
            found = self._ask(lambda client: client.get_run(run))
        except Refused:
            return False
        return bool(found.info.lifecycle_stage == "active")

    def reopen(self, run: str) -> None:
        """Have it run again."""
        self._ask(lambda client: client.update_run(run, status="RUNNING"))

    def end(self, run: str, status: str, at: int | None = None) -> None:
        """Have it ended; ``at``: milliseconds, by default now."""
        self._ask(lambda client: client.set_terminated(run, status, at))

    def upload(self, run: str, path: str, folder: str) -> None:
        """Have the file at ``path`` in ``folder`` of the run's artifacts."""
        self._ask(lambda client: client.log_artifact(run, path, folder or None))

    def _ask(self, request: Callable[[Any], T]) -> T:
        try:
            if self._client is None:
                self._client = self._make(tracking_uri=self._uri)
            return request(self._client)
        except self._error as error:
            kind = Refused if error.error_code in _FOR_GOOD else Unreachable
            raise kind(self._why(str(error))) from error
        except Unreachable:
            raise
        except Exception as error:  # of any of its many stores
            raise Unreachable(self._why(f"{type(error).__name__}: {error}")) from error

    def _why(self, text: str) -> str:
        """What an error says, in one short line without secrets."""
        where = without_access(self._uri)
        if any(each in text for each in _SILENT):
            return f"{where} does not answer within {self._timeout:g} s"
        if any(each in text for each in _AWAY):
            return f"{where} can't be reached"
        text = masked(" ".join(text.split()))
        return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def batches(points: Sequence[Point], size: int = 1_000) -> Iterable[Sequence[Point]]:
    """As many as one request takes."""
    return (points[start : start + size] for start in range(0, len(points), size))
