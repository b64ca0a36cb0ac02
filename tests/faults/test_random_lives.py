"""Random starts, ends, kills, edits and restarts, against a fake executor: what holds in each life.

The history, the claims and the folders are real files; only processes and time are not.
"""

import shutil
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path

from core.events import MIDNIGHT
from fakes import exited
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mlpipeline.core.launch import Failure, Report
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.planning import Policy
from mlpipeline.execution.executors.base import Gone, Running
from mlpipeline.execution.listing import Listed
from mlpipeline.scheduler import Scheduler
from mlpipeline.state.config import Settings
from mlpipeline.state.history import DiskHistory, read_histories
from mlpipeline.state.layout import Layout

NAMES = ("a", "b", "c", "d")
ENDS = {
    "success": Gone(exit=exited(), report=Report(ending="returned"), prepared=True),
    "failure": Gone(
        exit=exited(1),
        report=Report(
            ending="exception",
            failures=[Failure(part="train_model", type="ValueError", message="", traceback="")],
        ),
        prepared=True,
    ),
    "killed": Gone(exit=exited(signal=9), prepared=True),
    "lost": Gone(prepared=True),
}


class Killed(BaseException):
    """kill -9 of the scheduler."""


class World:
    """What outlives schedulers: the runs' processes, and the list."""

    name = "models.config"
    only: frozenset[str] = frozenset()

    def __init__(self):
        self.listed = NAMES
        self.processes = {}  # handle -> the version that runs in it
        self.ends = {}  # handle -> how it ended
        self.executions = Counter()
        self.dies_at_submit = False

    # --- as a listing

    def refresh(self, stop=None):
        versions = tuple(
            ListedVersion(name=name, signature=name, model_dir=f"m-{name}") for name in self.listed
        )
        return Listed(models=(ListedModel(name="m", path="m.py", versions=versions),))

    # --- as an executor

    def unready(self):
        return None

    def submit(self, spec):
        if self.dies_at_submit:
            raise Killed
        assert spec.version not in self.processes.values(), f"{spec.version} runs twice at once"
        self.processes[spec.folder] = spec.version
        Path(spec.folder, "proc.json").touch()
        return spec.folder

    def handle_of(self, folder):
        return folder

    def poll(self, handles):
        return {
            handle: Running() if handle in self.processes else self.ends.get(handle, NEVER)
            for handle in handles
        }

    def stop(self, handle, grace):
        self.end(handle, "killed")

    def wait(self, handles, timeout, wake):
        """The next step decides."""

    def end(self, handle, how):
        version = self.processes.pop(handle, None)
        if version is not None:
            self.ends[handle] = ENDS[how]
            self.executions[version] += how == "success"


NEVER = Gone(began=False)


class Lives(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.layout = Layout(
            project=self.folder, models_dir=self.folder, outputs=self.folder / "out", host="here"
        )
        self.layout.outputs.mkdir()
        self.world = World()
        self.sessions = 0
        self.seconds = 0
        self.scheduler = None

    def now(self):
        self.seconds += 1
        return MIDNIGHT + timedelta(seconds=self.seconds)

    @precondition(lambda self: self.scheduler is None)
    @rule(slots=st.integers(1, 3), retries=st.integers(0, 1))
    def start(self, slots, retries):
        self.sessions += 1
        self.history = DiskHistory(self.layout)
        self.scheduler = Scheduler(
            layout=self.layout,
            settings=Settings(models_dir=self.folder, parallel=slots, min_free_disk=0),
            listing=self.world,
            history=self.history,
            executor=self.world,
            listeners=[],
            policy=Policy(
                session=str(self.sessions),
                host="here",
                unattended=True,
                slots=slots,
                retries=retries,
                retry_delay=timedelta(seconds=3),
            ),
            test=False,
            now=self.now,
        )
        assert self.scheduler._begin()

    @precondition(lambda self: self.scheduler is not None)
    @rule()
    def step(self):
        reading = self.scheduler._reader._reading
        if reading is not None:
            reading.result()
        if self.scheduler._step():
            self.close()

    @precondition(lambda self: self.scheduler is not None)
    @rule()
    def kill_the_scheduler(self):
        self.close()

    @precondition(lambda self: self.scheduler is not None)
    @rule()
    def kill_the_scheduler_between_record_and_act(self):
        self.world.dies_at_submit = True
        try:
            self.step()
            self.close()
        except Killed:
            self.close()
        self.world.dies_at_submit = False

    @precondition(lambda self: self.world.processes)
    @rule(how=st.sampled_from(sorted(ENDS)), which=st.integers(0, 9))
    def end_a_run(self, how, which):
        running = sorted(self.world.processes)
        self.world.end(running[which % len(running)], how)

    @rule(listed=st.lists(st.sampled_from(NAMES), unique=True))
    def edit_the_list(self, listed):
        self.world.listed = tuple(listed)

    @precondition(lambda self: self.scheduler is not None)
    @rule()
    def press_ctrl_c(self):
        self.scheduler.ask_to_stop(2)

    @rule(torn=st.binary(min_size=1, max_size=9))
    @precondition(lambda self: self.scheduler is None and self.sessions)
    def tear_the_journal(self, torn):
        with self.layout.history.open("ab") as file:
            file.write(torn.replace(b"\n", b"\0"))

    def close(self):
        if self.scheduler is not None:
            self.scheduler.close()
            self.history.close()
            self.scheduler = None

    @invariant()
    def the_history_replays_to_the_same_state(self):
        if self.scheduler is not None:
            replayed, warnings = read_histories(self.layout)
            assert warnings == []
            assert list(replayed) == list(self.history.ledger)

    @invariant()
    def what_succeeded_never_runs_again(self):
        assert all(count <= 1 for count in self.world.executions.values())

    @invariant()
    def each_start_has_a_folder_of_its_own(self):
        folders = {path for path in self.layout.runs.glob("*/*/*") if (path / "proc.json").exists()}
        ledger, _ = read_histories(self.layout)
        assert folders <= {self.layout.run_folder(run.id).path for run in ledger}

    def teardown(self):
        """In the end everything that is listed comes to its success, and none is lost."""
        self.close()
        self.world.listed = NAMES
        for _ in range(60):
            if self.scheduler is None:
                self.start(slots=2, retries=0)
            for handle in list(self.world.processes):
                self.world.end(handle, "success")
            self.step()
            if all(self.world.executions[name] for name in NAMES) and self.scheduler is None:
                break
        self.close()
        try:
            assert dict(self.world.executions) == dict.fromkeys(NAMES, 1)
        finally:
            shutil.rmtree(self.folder)


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
