"""MLflow, as the pipeline uses it: the one module that imports mlflow, which takes over a second.

So it is imported in the helper process only (mlflow_helper.py).
"""

from __future__ import annotations

import os
import re
import socket
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
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

# What classes of errors are called that say of a request that nobody has answered it, or somebody.
_NO_ANSWER = {"ConnectionError", "Timeout", "TimeoutError"}
_ANSWERED = {"RestException", "HTTPError", "RetryError"}
_STATUS = re.compile(r"too many (\d+) error responses")
_TOO_LARGE = ("failed with error code 413", "413 Client Error")

# What is in the text of an error where nobody answers.
_SILENT = ("Read timed out", "ConnectTimeoutError", "timed out")
_AWAY = ("NewConnectionError", "Connection refused", "Connection aborted", "RemoteDisconnected")
KNOCK = 1.0  # seconds that the server has to take a connection, before MLflow is asked
LONGEST = 300  # characters of what an error says
MOST = 1_000  # points in one request
PAGE = 1_000  # runs in one answer


class Unreachable(Exception):
    """Nobody answers, whatever is asked. One line."""


class Failed(Exception):
    """The server says that it could not do this; it is to be asked again. One line."""


class Refused(Exception):
    """The server does not take this, now or later. One line."""


class Point(msgspec.Struct, frozen=True, gc=False):
    """A value of a metric."""

    name: str
    step: int
    at: int  # milliseconds since the epoch
    value: float


class Store:
    """A tracking server, or a store on the disk. Calls raise Unreachable, Failed, Refused."""

    def __init__(self, uri: str, timeout: float):
        """``timeout``: seconds that a request may take."""
        # Own patience, not theirs: a helper that hangs for minutes has not ended with its session.
        os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(max(1, round(timeout)))
        os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # a folder, where one is named
        os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
        for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
            os.environ.pop(name, None)  # of a run that has started this session
        self._uri = uri
        self._timeout = timeout
        self._entities: Any = None  # of mlflow, when it is open
        self._error: Any = None
        self._make: Any = None
        self._client: Any = None
        self._experiments: dict[str, str] = {}

    def open(self) -> None:
        """Import mlflow, if that is still to be done and somebody listens at the address.

        Raises Unreachable where nobody does, which is known before mlflow is imported, and
        ImportError without mlflow.
        """
        if self._make is not None:
            return
        if refuses(self._uri):
            raise Unreachable(self._silence(_AWAY[0]))
        from mlflow import entities
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        self._entities, self._error, self._make = entities, MlflowException, MlflowClient

    def probe(self) -> None:
        """Ask for what any server can say; raises Unreachable where this one does not say it."""
        try:
            self._ask(lambda client: client.search_experiments(max_results=1))
        except (Failed, Refused) as error:
            raise Unreachable(str(error)) from error

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
            raise Failed(
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
        """The id of the first run that has such a tag; ``value`` is without quotes."""
        found = self._page(experiment, f"tags.`{tag}` = '{value}'", "ASC", 1)
        return found[0].info.run_id if found else None

    def search(self, experiment: str, tag: str, value: str) -> list[Any]:
        """All runs that have such a tag, the newest first; ``value`` is without quotes."""
        condition = f"tags.`{tag}` = '{value}'"
        page = self._page(experiment, condition, "DESC", PAGE)
        found = list(page)
        while page.token:
            page = self._page(experiment, condition, "DESC", PAGE, page.token)
            found += page
        return found

    def _page(
        self, experiment: str, condition: str, order: str, size: int, token: str | None = None
    ) -> Any:
        order_by = [f"start_time {order}"]
        return self._ask(
            lambda client: client.search_runs(
                [experiment], condition, max_results=size, order_by=order_by, page_token=token
            )
        )

    def log(
        self,
        run: str,
        metrics: Iterable[Point] = (),
        parameters: dict[str, str] | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        """At most 1000 in all, and 100 parameters and tags each."""
        self.open()
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
        self.open()
        try:
            if self._client is None:
                self._client = self._make(tracking_uri=self._uri)
            return request(self._client)
        except Failed:
            raise
        except Exception as error:  # of any of its many stores
            code = error.error_code if isinstance(error, self._error) else ""
            text = str(error) if code else f"{type(error).__name__}: {error}"
            if code in _FOR_GOOD:
                raise Refused(self._why(text)) from error
            if any(each in text for each in _TOO_LARGE):
                raise Refused("it is too large for the server, or for a proxy before it") from error
            if _is_unanswered(error, text):
                raise Unreachable(self._silence(text)) from error
            raise Failed(self._why(text)) from error

    def _silence(self, text: str) -> str:
        where = without_access(self._uri)
        if any(each in text for each in _SILENT):
            return f"{where} does not answer within {self._timeout:g} s"
        if any(each in text for each in _AWAY):
            return f"{where} can't be reached"
        return self._why(text)

    def _why(self, text: str) -> str:
        """What an error says, in one short line without secrets."""
        if status := _STATUS.search(text):
            return f"{without_access(self._uri)} answers with HTTP status {status[1]}"
        text = masked(" ".join(text.split()))
        return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def refuses(uri: str) -> bool:
    """Whether a connection to the server is refused; False also where that can't be known soon."""
    try:
        parts = urllib.parse.urlsplit(uri)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:  # MLflow says what is wrong with it
        return False
    if port is None or not parts.hostname or parts.scheme not in ("http", "https"):
        return False
    proxies = urllib.request.getproxies()
    if (proxies.get(parts.scheme) or proxies.get("all")) and not urllib.request.proxy_bypass(
        parts.hostname
    ):
        return False  # it is not connected to directly
    try:
        socket.create_connection((parts.hostname, port), timeout=KNOCK).close()
    except ConnectionRefusedError:
        return True
    except (OSError, ValueError):
        return False
    return False


def _is_unanswered(error: BaseException, text: str) -> bool:
    causes = list(_causes(error))
    if "failed with error code" in text or any(type(each).__name__ in _ANSWERED for each in causes):
        return False
    names = {kind.__name__ for each in causes for kind in type(each).__mro__}
    # The errors of databases have it in their text.
    return bool(names & _NO_ANSWER) or any(each in text for each in (*_SILENT, *_AWAY))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def batches(things: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    """As many as one request takes."""
    return (things[start : start + size] for start in range(0, len(things), size))
