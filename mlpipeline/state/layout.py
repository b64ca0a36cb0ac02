"""Every path of a project: this module owns all names of files and folders."""

from __future__ import annotations

import hashlib
import os
import socket
from functools import cached_property
from pathlib import Path

import msgspec

from mlpipeline.api import reporting
from mlpipeline.core import run_files
from mlpipeline.core.hydra_jobs import HANDED_OVER, KIND
from mlpipeline.core.runs import RunId
from mlpipeline.core.safe_names import ARTIFACTS, PART, RUNS, artifacts_of, maker_of
from mlpipeline.core.safe_names import safe_name as safe_name  # noqa: PLC0414 - paths are ours

CONFIG = "mlp.config"
LIST = "models.config"
TEST_LIST = "models_test.config"
HOST_VARIABLE = "MLPIPELINE_HOST"


class RunFolder(msgspec.Struct, frozen=True):
    """The folder of one run, and the names of the files in it."""

    path: Path

    @property
    def spec(self) -> Path:
        """What the worker is to run."""
        return self.path / run_files.SPEC

    @property
    def processes(self) -> Path:
        """The run's processes, written before user code."""
        return self.path / run_files.PROCESSES

    @property
    def console(self) -> Path:
        """Everything the run printed."""
        return self.path / run_files.CONSOLE

    @property
    def messages(self) -> Path:
        """What the script said with ``log``, for ``log-<hostname>``."""
        return self.path / run_files.MESSAGES

    @property
    def progress(self) -> Path:
        """How far the run is."""
        return self.path / run_files.PROGRESS

    @property
    def metrics(self) -> Path:
        """Metrics over steps."""
        return self.path / run_files.METRICS

    @property
    def prepared(self) -> Path:
        """There as soon as the model_dir has been made ready for this run."""
        return self.path / run_files.PREPARED

    @property
    def report(self) -> Path:
        """What the worker says of the user's code."""
        return self.path / run_files.REPORT

    @property
    def step_record(self) -> Path:
        """What the run of a step was given, and what it made."""
        return self.path / run_files.ARTIFACTS

    @property
    def exit(self) -> Path:
        """How the worker process ended."""
        return self.path / run_files.EXIT

    @property
    def artifacts(self) -> Path:
        """A folder: what the script keeps with ``log_artifact``."""
        return self.path / reporting.ARTIFACTS

    @property
    def tracked(self) -> Path:
        """What of the run has been sent to MLflow."""
        return self.path / run_files.TRACKED

    @property
    def record(self) -> Path:
        """All there is to know of the run, for people."""
        return self.path / run_files.RECORD


class GitFolder(msgspec.Struct, frozen=True):
    """The folder of what is kept of one git repository."""

    folder: Path

    @property
    def mirror(self) -> Path:
        """A bare clone, with all that it has."""
        return self.folder / "mirror.git"

    @property
    def temporary(self) -> Path:
        """One that is being made."""
        return self.folder / "new.git"

    @property
    def lock(self) -> Path:
        """Held while something is changed here."""
        return self.folder / "lock"

    def tree(self, name: str) -> Path:
        """A worktree."""
        return self.folder / name

    def mark(self, name: str) -> Path:
        """There when that worktree is whole; it holds the commit."""
        return self.folder / f"{name}.commit"


class Layout(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The paths of one project, as seen from one host."""

    project: Path
    models_dir: Path
    outputs: Path
    host: str

    @classmethod
    def of(cls, project: Path, models_dir: Path, host: str | None = None) -> Layout:
        """The layout of a project on this host.

        MLPIPELINE_HOST names the host where its own name does not stay: in a container, say.
        """
        return cls(
            project=project,
            models_dir=models_dir,
            outputs=models_dir / "outputs",
            host=host or os.environ.get(HOST_VARIABLE) or socket.gethostname(),
        )

    @cached_property
    def log(self) -> Path:
        """What this host's scheduler and its runs said."""
        return self.outputs / f"log-{safe_name(self.host)}"

    @property
    def daemon_log(self) -> Path:
        """What this host's session in the background printed."""
        return self.outputs / f"daemon-{safe_name(self.host)}.log"

    @cached_property
    def output(self) -> Path:
        """One readable block for each finished run."""
        return self.outputs / f"output-{safe_name(self.host)}"

    @cached_property
    def history(self) -> Path:
        """This host's journal of runs."""
        return self.history_of(self.host)

    def history_of(self, host: str) -> Path:
        """The journal of ``host``."""
        return self.outputs / f"history-{safe_name(host)}"

    def histories(self) -> dict[str, Path]:
        """The journals of all hosts that share the folder, by the host's name."""
        try:  # before each start: a glob takes ten times as long
            names = sorted(os.listdir(self.outputs))  # noqa: PTH208
        except OSError:
            names = []
        found = {
            name.removeprefix("history-"): self.outputs / name
            for name in names
            if name.startswith("history-") and ".damaged-" not in name
        }
        found.pop(safe_name(self.host), None)
        return {self.host: self.history, **found}

    @cached_property
    def index(self) -> Path:
        """What this host made of all journals so far, for a quick start."""
        return self.outputs / f"index-{safe_name(self.host)}"

    @cached_property
    def claims(self) -> Path:
        """Which host has which attempt."""
        return self.outputs / "claims"

    def claim(self, run: RunId) -> Path:
        """The claim on one attempt."""
        return self.claims.joinpath(*self._parts(run))

    def model_dir_claim(self, name: str) -> Path:
        """The claim on a model_dir; no model is called ``.model_dirs``."""
        return self.claims / ".model_dirs" / safe_name(name)

    def beat(self, host: str) -> Path:
        """Renewed by the scheduler of ``host`` as long as it lives."""
        return self.claims / ".beats" / safe_name(host)

    @cached_property
    def requests(self) -> Path:
        """What is asked of this host's scheduler."""
        return self.outputs / "requests" / safe_name(self.host)

    @cached_property
    def rehearsals(self) -> Path:
        """The temporary folders of this host's rehearsals."""
        return self.outputs / "rehearsals" / safe_name(self.host)

    def rehearsal(self, model: str, version: str) -> Path:
        """The temporary folder of one version's rehearsal."""
        return self.rehearsals / safe_name(model) / safe_name(version)

    def requests_to(self, host: str) -> Path:
        """What is asked of the scheduler of ``host``."""
        return self.outputs / "requests" / safe_name(host)

    @property
    def inspected(self) -> Path:
        """A folder: what was found in the scripts, which holds as long as those do not change."""
        return self.outputs / f"inspected-{safe_name(self.host)}"

    @property
    def list_in_use(self) -> Path:
        """The list that this host's newest session took last."""
        return self.outputs / f"list-{safe_name(self.host)}.config"

    @property
    def session(self) -> Path:
        """How this host's newest session was started."""
        return self.outputs / f"session-{safe_name(self.host)}.json"

    def seen(self, person: str) -> Path:
        """When ``person`` was last told what happened."""
        return self.outputs / f"seen-{safe_name(person)}"

    @cached_property
    def sources(self) -> Path:
        """Copies of the scripts that ran, by the SHA-256 of their content."""
        return self.outputs / "sources"

    def handovers(self, model: str) -> Path:
        """A folder: the configs of a sweep's jobs, until these have run."""
        return self.outputs / HANDED_OVER / safe_name(model)

    def handover(self, model: str, name: str) -> Path:
        """One of them."""
        return self.handovers(model) / f"{safe_name(name)}{KIND}"

    def git_folder(self, name: str, address: str) -> GitFolder:
        """What is kept of the repository at ``address``, which is called ``name``."""
        digest = hashlib.sha256(address.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        return GitFolder(self.outputs / "git" / f"{safe_name(name)}-{digest}")

    @cached_property
    def ballast(self) -> Path:
        """Room to give up when the disk is full."""
        return self.outputs / f"ballast-{safe_name(self.host)}"

    @property
    def tracker(self) -> Path:
        """Held by the process that sends this host's runs to MLflow."""
        return self.outputs / f"mlflow-{safe_name(self.host)}.lock"

    @property
    def tracked(self) -> Path:
        """Since when something of this host's runs is not sent yet."""
        return self.outputs / f"mlflow-{safe_name(self.host)}.json"

    @cached_property
    def lock(self) -> Path:
        """Held by this host's scheduler."""
        return self.outputs / f"scheduler-{safe_name(self.host)}.lock"

    @property
    def list_lock(self) -> Path:
        """Held by a command, of any host, while it edits a list."""
        return self.outputs / "lists.lock"

    @property
    def run_lock(self) -> Path:
        """Held by an `mlpipeline run`, of any host, while it puts versions into the queue."""
        return self.outputs / "run.lock"

    def model_dir(self, name: str) -> Path:
        """Where a model keeps its checkpoints; ``name`` is a ListedVersion's ``model_dir``."""
        return self.outputs / "model_ckpts" / safe_name(name)

    @cached_property
    def runs(self) -> Path:
        """The folders of all runs: model/version/attempt."""
        return self.outputs / RUNS

    def run_folder(self, run: RunId) -> RunFolder:
        """The folder of ``run``."""
        return RunFolder(self.outputs.joinpath(RUNS, *self._parts(run)))

    @cached_property
    def artifacts(self) -> Path:
        """What the steps of pipelines have made: model/version/attempt/output."""
        return self.outputs / ARTIFACTS

    def artifacts_of(self, run: RunId, *, half_made: bool = False) -> Path:
        """The folder of what ``run`` made; ``half_made``: of what it has not brought to its end."""
        folder = artifacts_of(str(self.outputs), run.model, run.version)
        return Path(folder) / f"{run.attempt}{PART if half_made else ''}"

    def maker(self, key: str) -> Path:
        """The file that says which run made what comes of ``key``."""
        return Path(maker_of(str(self.outputs), key))

    @staticmethod
    def _parts(run: RunId) -> tuple[str, str, str]:
        return safe_name(run.model), safe_name(run.version), str(run.attempt)
