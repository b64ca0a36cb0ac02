"""A tracking server in memory, which fails when a test says."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from mlpipeline.execution.mlflow_store import Failed, Refused, Unreachable


class FakeStore:
    """As mlflow_store.Store; ``fail_at`` is the request that fails: before it, or after it.

    ``trouble`` is called before each request, with its name and what it is about, and may raise.
    """

    def __init__(self):
        self.runs = {}
        self.experiments = []
        self.requests = 0
        self.asked = []
        self.trouble = lambda name, about: None
        self.fail_at = None
        self.is_done_all_the_same = False

    def _request(self, act, about=None):
        self.requests += 1
        name = act.__qualname__.split(".")[1]
        self.asked.append(name)
        self.trouble(name, about)
        fails = self.requests == self.fail_at
        if fails and not self.is_done_all_the_same:
            raise Unreachable("no answer")
        answer = act()
        if fails:
            raise Unreachable("no answer")
        return answer

    def open(self):
        """It is."""

    def probe(self):
        try:
            self._request(lambda: None)
        except (Failed, Refused) as error:
            raise Unreachable(str(error)) from error

    def experiment(self, name):
        def act():
            if name not in self.experiments:
                self.experiments.append(name)
            return str(self.experiments.index(name))

        return self._request(act, name)

    def create(self, experiment, name, started, tags):
        def act():
            run = f"run{len(self.runs)}"
            self.runs[run] = SimpleNamespace(
                info=SimpleNamespace(
                    run_id=run,
                    run_name=name,
                    status="RUNNING",
                    lifecycle_stage="active",
                    start_time=started,
                ),
                experiment=experiment,
                ended=None,
                tags=dict(tags),
                params={},
                metrics=[],
                files={},
            )
            return run

        return self._request(act, name)

    def search(self, experiment, tag, value):
        def act():
            runs = [run for run in self.runs.values() if run.info.lifecycle_stage == "active"]
            found = [r for r in runs if r.experiment == experiment and r.tags.get(tag) == value]
            return sorted(found, key=lambda run: -run.info.start_time)

        return self._request(act)

    def find(self, experiment, tag, value):
        found = self.search(experiment, tag, value)
        return found[-1].info.run_id if found else None

    def log(self, run, metrics=(), parameters=None, tags=None):
        metrics, parameters = list(metrics), parameters or {}

        def act():
            found = self._active(run)
            if len(metrics) > 1000 or len(parameters) > 100 or len(tags or {}) > 100:
                raise Refused("too much")
            if any("refused" in point.name for point in metrics):
                raise Refused("a name")
            if any("refused" in name for name in parameters):
                raise Refused("a name")
            assert not parameters.keys() & found.params.keys(), "MLflow takes each once"
            found.metrics += metrics
            found.params |= parameters
            found.tags |= tags or {}

        return self._request(act, (run, metrics, parameters))

    def history(self, run, metric):
        return self._request(lambda: [p for p in self._active(run).metrics if p.name == metric])

    def parameters(self, run):
        return self._request(lambda: dict(self._active(run).params))

    def is_there(self, run):
        return self._request(lambda: self.runs[run].info.lifecycle_stage == "active")

    def reopen(self, run):
        def act():
            self._active(run).info.status = "RUNNING"

        return self._request(act)

    def end(self, run, status, at=None):
        def act():
            self._active(run).info.status = status
            self.runs[run].ended = at

        return self._request(act, run)

    def upload(self, run, path, folder):
        def act():
            file = Path(path)
            self._active(run).files[f"{folder}/{file.name}".lstrip("/")] = file.read_bytes()

        return self._request(act, path)

    def _active(self, run):
        if self.runs[run].info.lifecycle_stage != "active":
            raise Refused("it is deleted")
        return self.runs[run]
