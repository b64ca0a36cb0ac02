"""What is sent of one attempt, and in which order; at any point it can be cut off and taken up.

First comes the MLflow run (so that a script can log to it), then parameters, metrics as they are
written, what run.yaml says, and at the end results and state. Files go in between. What has been
sent is noted after each step. Where a step may have been done without a note, as after a kill or a
request without an answer, MLflow is asked what it has, so that nothing is there twice.
"""

from __future__ import annotations

import getpass
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mlpipeline.core import tracking
from mlpipeline.core.launch import Spec
from mlpipeline.core.masking import without_access
from mlpipeline.core.measures import beyond_floats
from mlpipeline.core.measures import told as numbers
from mlpipeline.core.tracking import Told, entity_name, milliseconds
from mlpipeline.execution.metric_points import BEYOND, Doubts, Points
from mlpipeline.execution.mlflow_store import MOST, Point, Refused, Store, batches
from mlpipeline.execution.pipeline_runs import PipelineRuns
from mlpipeline.state.files import read_record
from mlpipeline.state.layout import RunFolder
from mlpipeline.state.mlflow_config import Mlflow
from mlpipeline.state.reports import read_run_record
from mlpipeline.state.tracked import Sent, read_sent, write_sent

NOTE_INTERVAL = 1.0  # seconds between two notes of files, which may be sent twice without harm
DELETED = "its MLflow run has been deleted"


class Sending:
    """One attempt. ``left_out`` is told of what MLflow does not take."""

    def __init__(
        self,
        told: Told,
        settings: Mlflow,
        store: Store,
        pipelines: PipelineRuns,
        project: str,
        left_out: Callable[[str], None],
    ):
        self.told = told
        self._folder = RunFolder(Path(told.folder))
        self._settings = settings
        self._store = store
        self._pipelines = pipelines
        self._project = project
        self._left_out = left_out
        self._lock = threading.Lock()  # files are sent by another thread
        self._noted = 0.0  # monotonic seconds of the last note
        uri = without_access(settings.uri)
        sent = read_sent(self._folder)
        # Another server has nothing of it.
        self.sent = sent if sent is not None and sent.uri == uri else Sent(uri=uri)
        self._points = Points(self._folder.metrics, self._leave_out)
        self._is_unsure = not told.is_new
        self._doubts = Doubts(self._history)
        self._doubtful = self._points.size() if self._is_unsure else 0  # up to this byte
        self._share = 1  # of what a request takes: 1/4 after one that failed, and so on
        self._at_once = 0  # things in the request under way
        self._parent: str | None = None  # that waits for this end to count; None: not yet known

    @property
    def is_ended(self) -> bool:
        """Whether MLflow knows its end."""
        return bool(self.sent.status or self.sent.gone)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to send."""
        return self.sent.done

    def doubt(self) -> None:
        """The last request may have been carried out, or not."""
        self._is_unsure = True
        self._doubts = Doubts(self._history)
        self._doubtful = self._points.size()

    def lessen(self) -> bool:
        """Send less at once, where many things were in a request that failed; whether so."""
        many, self._at_once = self._at_once > 1, 0
        if many:
            self._share *= 4
        return many

    # --------------------------------------------------------------------- begin

    def begin(self) -> None:
        """Have an MLflow run; raises as a Store does, and StorageError."""
        if self.sent.run or self.sent.gone:
            return
        before = read_sent(RunFolder(Path(self.told.resumed))) if self.told.resumed else None
        if before is not None and before.run and before.uri == self.sent.uri and not before.gone:
            self.sent.run, self.sent.experiment = before.run, before.experiment
            self._is_unsure, self._doubtful = True, self._points.size()
        else:
            self._create()
        self._note()

    def let_go(self) -> None:
        """Have the run go on without an MLflow run; raises StorageError."""
        if not self.sent.run and not self.sent.missed:
            self.sent.missed = True
            self._note()

    def _create(self) -> None:
        experiment_name = self._settings.experiment_of(self.told.model, self._project)
        experiment = self._store.experiment(experiment_name[: tracking.LONGEST_EXPERIMENT])
        found = None
        if self._is_unsure:
            found = self._store.find(experiment, tracking.ID, self.told.id)
        if not found:
            is_own = "{model}" in self._settings.experiment
            name = self.told.version if is_own else f"{self.told.model}/{self.told.version}"
            found = self._store.create(
                experiment,
                name[: tracking.LONGEST_RUN_NAME],
                milliseconds(self.told.started),
                self._first_tags(),
            )
        self.sent.experiment, self.sent.run = experiment, found

    def _first_tags(self) -> dict[str, str]:
        spec = read_record(self._folder.spec, Spec)
        tags = tracking.first_tags(self.told, spec.signature if spec else "")
        with suppress(KeyError, OSError):  # a user that has no name
            tags["mlflow.user"] = getpass.getuser()
        return tags

    # ------------------------------------------------------------------- advance

    def advance(self) -> bool:
        """Send the next thing that there is; whether there may be more to send at once.

        Raises Unreachable, Failed, Refused (of this attempt as a whole), StorageError; it is to be
        called again then, after :meth:`doubt`.
        """
        if self.is_done:
            return False
        try:
            self.begin()
            return (
                self._send_parameters()
                or self._send_metrics()
                or self._send_record()
                or self._send_end()
                or self._finish()
            )
        except Refused:
            if not self.sent.run or self._is_there():
                raise
            self._leave_out(f"{DELETED}; nothing more of it is sent")
            self.sent.gone, self.sent.done = DELETED, True
            self._note()
            return False

    def _send_parameters(self) -> bool:
        if self.sent.is_named:
            return False
        spec = read_record(self._folder.spec, Spec)
        given = tracking.parameters(spec.parameters) if spec else {}
        if self._is_unsure:  # MLflow takes each once
            there = self._store.parameters(self.sent.run)
            given = {name: value for name, value in given.items() if name not in there}
        for batch in self._parts(given):
            self._log_each(parameters=batch)
        if self.told.resumed:
            first = self._first_tags()
            self._store.log(
                self.sent.run, tags={n: v for n, v in first.items() if n != tracking.ID}
            )
            self._store.reopen(self.sent.run)
        self.sent.is_named = True
        self._note()
        return True

    def _send_metrics(self) -> bool:
        if self._points.size() <= self.sent.offset:
            return False
        points, end = self._points.after(self.sent.offset)
        if end == self.sent.offset:  # half a line
            return False
        if self.sent.offset < self._doubtful:
            points = self._doubts.missing(points)
        self._log_points(points)
        self._share = max(1, self._share // 2)
        self.sent.offset = end
        self._note()
        return True

    def _send_record(self) -> bool:
        """What run.yaml says, as soon as it is there."""
        record = None if self.sent.is_told else read_run_record(self._folder)
        if record is None:
            return False
        tags = tracking.record_tags(record)
        started = milliseconds(self.told.started)
        parent = self._pipelines.join(self.sent.experiment, self.told.model, record, started)
        if parent:
            tags[tracking.PARENT] = parent
        self._store.log(self.sent.run, tags=tags)
        self.sent.is_told = True
        self._note()
        return True

    def _send_end(self) -> bool:
        over = self.told.over
        if over is None or self.sent.status:
            return False
        record = read_run_record(self._folder) or {}
        at = milliseconds(over.at)
        for name in beyond_floats(over.results):
            self._leave_out(f"the result {name} is left out, since {BEYOND}")
        results = [
            Point(entity_name(name), over.steps or 0, at, float(value))
            for name, value in numbers(over.results).items()
        ]
        self._log_points(self._doubts.missing(results) if self._is_unsure else results)
        tags = {**tracking.record_tags(record), **tracking.last_tags(over)}
        for batch in self._parts(tags):
            self._log_each(tags=batch)
        self._store.end(self.sent.run, tracking.status(over.outcome), at)
        self.sent.status = tracking.status(over.outcome)
        self._note()
        return True

    def _finish(self) -> bool:
        if self.told.over is None:
            return False
        if self._parent is None:
            record = read_run_record(self._folder) or {}
            at = milliseconds(self.told.over.at)
            self._parent = self._pipelines.of(self.sent.experiment, self.told.model, record, at)
            if self._parent:
                self._pipelines.unsettle(self.sent.experiment, self._parent)
                return True
        if self._pipelines.is_settled(self._parent) and not any(self.files()):
            self.sent.done = True
            self._note()
        return False

    # --------------------------------------------------------------------- files

    def files(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Artifacts that have not been sent: their names, with size and mtime (ns)."""
        top = self._folder.artifacts
        for folder, _, names in os.walk(top):
            for name in names:
                path = Path(folder, name)
                try:
                    stat = path.stat()
                except OSError:
                    continue
                stamp = (stat.st_size, stat.st_mtime_ns)
                inside = str(path.relative_to(top))
                if self.sent.artifacts.get(inside) != stamp:
                    yield inside, stamp

    def upload(self, name: str, stamp: tuple[int, int]) -> None:
        """Send one of them; raises Unreachable, Failed, StorageError. For another thread."""
        try:
            folder = str(Path(name).parent)
            path = str(self._folder.artifacts / name)
            self._store.upload(self.sent.run, path, "" if folder == "." else folder)
        except Refused as refused:
            self._leave_out(f"the artifact {name} is left out: {refused}")
        with self._lock:
            self.sent.artifacts[name] = stamp
        if time.monotonic() > self._noted + NOTE_INTERVAL:
            self._note()

    # -------------------------------------------------------------------- basics

    def _leave_out(self, what: str) -> None:
        self._left_out(f"{self.told.run}: {what}")

    def _log_points(self, points: Sequence[Point]) -> None:
        for batch in batches(points, max(1, MOST // self._share)):
            self._log_some(batch)

    def _log_some(self, points: Sequence[Point]) -> None:
        """Send them; those that MLflow refuses are found by halves, and left out."""
        try:
            self._at_once = len(points)
            self._store.log(self.sent.run, points)
            self._at_once = 0
        except Refused as refused:
            if not self._is_there():
                raise
            if len(points) > 1:
                middle = len(points) // 2
                self._log_some(points[:middle])
                self._log_some(points[middle:])
            else:
                self._leave_out(f"the metric {points[0].name} is left out: {refused}")

    def _log_each(
        self, parameters: Mapping[str, str] | None = None, tags: Mapping[str, str] | None = None
    ) -> None:
        """Send them; if MLflow refuses one, each by itself."""
        parameters, tags = dict(parameters or {}), dict(tags or {})
        try:
            self._at_once = len(parameters) + len(tags)
            self._store.log(self.sent.run, parameters=parameters, tags=tags)
            self._at_once = 0
        except Refused as refused:
            if not self._is_there():
                raise
            if len(parameters) + len(tags) == 1:
                name = next(iter((*parameters, *tags)))
                self._leave_out(f"{name} is left out: {refused}")
                return
            for name, value in parameters.items():
                self._log_each(parameters={name: value})
            for name, value in tags.items():
                self._log_each(tags={name: value})

    def _is_there(self) -> bool:
        return self._store.is_there(self.sent.run)

    def _history(self, metric: str) -> list[Point]:
        return self._store.history(self.sent.run, metric)

    def _note(self) -> None:
        with self._lock:
            write_sent(self._folder, self.sent)
        self._noted = time.monotonic()

    def _parts(self, given: Mapping[str, str]) -> Iterator[dict[str, str]]:
        """As many as one request takes."""
        for batch in batches(list(given.items()), max(1, tracking.AT_ONCE // self._share)):
            yield dict(batch)
