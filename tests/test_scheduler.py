"""The loop, with a fake executor in place of processes."""

from __future__ import annotations

import signal
import threading
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from core.events import clock, finished, starting
from fakes import FAILURE, SUCCESS, FakeExecutor, Recording

from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.listening import Listener
from mlpipeline.core.planning import Policy
from mlpipeline.core.runs import Finished, RunId
from mlpipeline.errors import DiskFull, MlpipelineError, StorageError
from mlpipeline.execution.listing import Listed, Look
from mlpipeline.scheduler import Scheduler
from mlpipeline.state.claims import Claims
from mlpipeline.state.config import Settings
from mlpipeline.state.history import DiskHistory, History
from mlpipeline.state.layout import Layout


class FixedListing:
    """A list of one model that never changes."""

    name = "models.config"
    only: frozenset[str] = frozenset()

    def __init__(self, *versions: str, problems: tuple[str, ...] = (), broken: str = ""):
        made = tuple(
            ListedVersion(name=name, signature=name, model_dir=f"model-{name}") for name in versions
        )
        self.models = [ListedModel(name="m", path="m.py", versions=made)]
        if broken:
            self.models.append(ListedModel(name="broken", path="broken.py", problem=broken))
        self._problems = list(problems)

    def refresh(self, stop=None):
        return Listed(models=tuple(self.models), problems=tuple(self._problems))


LATE = ListedModel(
    name="n",
    path="n.py",
    versions=(ListedVersion(name="late", signature="late", model_dir="n"),),
)


@pytest.fixture
def make(tmp_path):
    """Builds a scheduler whose outputs lie in tmp_path."""
    layout = Layout(project=tmp_path, models_dir=tmp_path, outputs=tmp_path / "out", host="here")
    layout.outputs.mkdir()

    def build(
        listing,
        executor,
        *,
        history=None,
        listeners=(),
        slots=1,
        test=False,
        session="s",
        room=None,
    ):
        return Scheduler(
            layout=layout,
            settings=Settings(models_dir=tmp_path, parallel=slots, grace=7.0, min_free_disk=0),
            listing=listing,
            history=history or History("here"),
            executor=executor,
            listeners=listeners,
            policy=Policy(session=session, host="here", unattended=True, slots=slots),
            test=test,
            room=room,
        )

    build.layout = layout
    return build


def test_all_versions_run_in_order(make):
    executor = FakeExecutor({"a": SUCCESS, "b": FAILURE, "c": SUCCESS})

    result = make(FixedListing("a", "b", "c"), executor).run()

    assert [spec.version for spec in executor.submitted] == ["a", "b", "c"]
    assert [str(run.verdict) for run in result.runs] == [
        "succeeded",
        "failed: ValueError: no",
        "succeeded",
    ]
    assert result.failed


def test_no_more_runs_at_once_than_slots(make):
    executor = FakeExecutor(dict.fromkeys("abcdef", SUCCESS))

    make(FixedListing(*"abcdef"), executor, slots=3).run()

    assert executor.most_at_once == 3
    assert len(executor.submitted) == 6


def test_test_mode_halts_at_the_first_failure(make):
    executor = FakeExecutor({"a": FAILURE, "b": SUCCESS})

    make(FixedListing("a", "b"), executor, test=True).run()

    assert [spec.version for spec in executor.submitted] == ["a"]


def test_test_mode_halts_at_a_broken_model_before_anything_runs(make):
    executor = FakeExecutor({"a": SUCCESS})

    result = make(FixedListing("a", broken="broken.py: no"), executor, test=True).run()

    assert executor.submitted == []
    assert [model.name for model in result.broken] == ["broken"]


def test_a_signal_stops_the_runs_with_their_grace_and_starts_no_more(make):
    executor = FakeExecutor()

    class Interrupt(Recording):
        def started(self, launched):
            scheduler.ask_to_stop(signal.SIGINT)

    scheduler = make(FixedListing("a", "b"), executor, listeners=[Interrupt()])
    result = scheduler.run()

    assert [grace for _, grace in executor.stopped] == [7.0]
    assert [str(run.verdict) for run in result.runs] == ["interrupted: asked to stop"]
    assert result.signal == signal.SIGINT


def test_an_unusable_list_at_the_start_is_an_error(make):
    with pytest.raises(MlpipelineError, match="line 3"):
        make(FixedListing("a", problems=("line 3 is wrong",)), FakeExecutor()).run()


def test_starting_is_recorded_before_the_executor_hears_of_the_run(make):
    history = DiskHistory(make.layout)

    class Looking(FakeExecutor):
        def submit(self, spec):
            self.seen = make.layout.history.read_text()
            return super().submit(spec)

    executor = Looking({"a": SUCCESS})
    make(FixedListing("a"), executor, history=history).run()
    history.close()

    assert '"event":"starting"' in executor.seen


def test_what_an_earlier_session_left_running_and_is_gone_is_lost_and_resumed(make):
    class Dying(FakeExecutor):
        def wait(self, handles, timeout, wake):
            if handles:
                raise KeyboardInterrupt  # the first session ends here

    history = DiskHistory(make.layout)
    with pytest.raises(KeyboardInterrupt):
        make(FixedListing("a"), Dying(), history=history, session="1").run()
    history.close()
    history = DiskHistory(make.layout)
    executor = FakeExecutor({"a": SUCCESS})

    result = make(FixedListing("a"), executor, history=history, session="2").run()

    history.close()
    assert [run.verdict.outcome for run in result.runs] == ["lost", "succeeded"]
    assert [spec.attempt for spec in executor.submitted] == [2]
    assert not executor.submitted[0].fresh


def test_a_listener_that_the_disk_refuses_does_not_stop_the_queue(make):
    class Full(Recording):
        def started(self, launched):
            raise OSError(28, "No space left on device")

    others = Recording()

    result = make(FixedListing("a"), FakeExecutor({"a": SUCCESS}), listeners=[Full(), others]).run()

    assert not result.failed
    assert any("No space left on device" in event for event in others.events)


def test_a_history_that_cannot_be_written_stops_before_anything_starts(make):
    class Full(History):
        def _store(self, event, *, settle=True):
            raise StorageError("no room")

    executor = FakeExecutor({"a": SUCCESS})

    with pytest.raises(StorageError):
        make(FixedListing("a"), executor, history=Full("here")).run()

    assert executor.submitted == []


def test_what_another_host_records_meanwhile_is_not_run_here(make):
    elsewhere = msgspec.structs.replace(make.layout, host="there")

    class OtherHost(Recording):
        def started(self, launched):
            run = RunId("m", "b", 1)
            with closing(DiskHistory(elsewhere)) as history:
                history.append(starting("b", signature="b", session="theirs"))
                history.append(finished("b"))
            self.events.append(f"{run} elsewhere")

    executor = FakeExecutor({"a": SUCCESS, "b": SUCCESS})
    with closing(DiskHistory(make.layout)) as history:
        result = make(
            FixedListing("a", "b"), executor, history=history, listeners=[OtherHost()]
        ).run()

    assert [spec.version for spec in executor.submitted] == ["a"]
    assert result.blocked == ()


def test_a_version_that_another_host_runs_is_left_to_it_and_told_at_the_end(make):
    elsewhere = msgspec.structs.replace(make.layout, host="there")
    with closing(DiskHistory(elsewhere)) as history:
        history.append(starting("b", signature="b"))
    executor = FakeExecutor({"a": SUCCESS})

    with closing(DiskHistory(make.layout)) as history:
        result = make(FixedListing("a", "b"), executor, history=history).run()

    assert [spec.version for spec in executor.submitted] == ["a"]
    assert [(each.version.name, each.reason) for each in result.blocked] == [("b", "on there")]


def test_what_another_host_has_claimed_is_left_to_it_before_its_history_tells(make):
    elsewhere = Claims(msgspec.structs.replace(make.layout, host="there"))
    elsewhere.take(RunId("m", "a", 1), "model-a", clock(0))
    executor = FakeExecutor({"a": SUCCESS, "b": SUCCESS})

    result = make(FixedListing("a", "b"), executor).run()

    assert [spec.version for spec in executor.submitted] == ["b"]
    assert [each.reason for each in result.blocked] == ["on there"]


def test_a_model_dir_that_another_host_uses_is_waited_for(make):
    elsewhere = Claims(msgspec.structs.replace(make.layout, host="there"))
    elsewhere.take_model_dir(RunId("m", "x", 1), "model-a", clock(0))
    executor = FakeExecutor({"a": SUCCESS, "b": SUCCESS})

    result = make(FixedListing("a", "b"), executor).run()

    assert [spec.version for spec in executor.submitted] == ["b"]
    assert ["waits for m/x#1 on there" in each.reason for each in result.blocked] == [True]


def test_an_attempt_that_was_claimed_but_never_recorded_is_taken_up_again(make):
    Claims(make.layout).take(RunId("m", "a", 1), "model-a", clock(0))  # and then came kill -9
    Claims(make.layout).take_model_dir(RunId("m", "a", 1), "model-a", clock(0))
    executor = FakeExecutor({"a": SUCCESS})

    make(FixedListing("a"), executor).run()

    assert [spec.attempt for spec in executor.submitted] == [1]


def test_a_run_that_can_not_be_started_is_recorded_as_such(make):
    class Refusing(FakeExecutor):
        def submit(self, spec):
            raise StorageError("no process to be had")

    with closing(DiskHistory(make.layout)) as history:
        with pytest.raises(StorageError, match="no process"):
            make(FixedListing("a"), Refusing(), history=history).run()

        (run,) = history.ledger
        assert str(run.verdict) == "interrupted: no process to be had"


def test_without_room_nothing_is_started_until_there_is_some(make):
    class Scarce:
        looks = 0

        def lack(self):
            self.looks += 1
            return "too little" if self.looks < 3 else ""

    executor, listener = FakeExecutor({"a": SUCCESS}), Recording()
    room = Scarce()

    make(FixedListing("a"), executor, listeners=[listener], room=room).run()

    assert room.looks >= 3
    assert listener.events[:3] == [
        "WARNING: too little",
        "WARNING: there is room again: going on",
        "started m/a#1",
    ]


def test_an_end_that_finds_no_room_is_recorded_when_there_is_some(make):
    class Full(History):
        refused = 0

        def _store(self, event, *, settle=True):
            if isinstance(event, Finished) and self.refused < 3:
                self.refused += 1
                raise DiskFull("no room")

    history, listener = Full("here"), Recording()

    result = make(
        FixedListing("a"), FakeExecutor({"a": SUCCESS}), history=history, listeners=[listener]
    ).run()

    assert [str(run.verdict) for run in result.runs] == ["succeeded"]
    assert history.refused == 3
    assert sum("no room" in event for event in listener.events) == 1


def test_runs_are_watched_while_a_script_is_slow_to_import(make):
    b_ended = threading.Event()
    in_time = []

    class Slow(FixedListing):
        def refresh(self, stop=None):
            if executor.submitted:
                executor.endings["b"] = SUCCESS
                in_time.append(b_ended.wait(20))
            return super().refresh(stop)

    class Watching(Listener):
        def ended(self, ended):
            if ended.run.id.version == "b":
                b_ended.set()

    executor = FakeExecutor({"a": SUCCESS})

    make(Slow("a", "b"), executor, listeners=[Watching()], slots=2).run()

    assert in_time[0]


def test_between_runs_a_list_that_nobody_has_touched_is_not_read(make, tmp_path):
    path = tmp_path / "models.config"
    path.touch()

    class Untouched(FixedListing):
        readings = 0

        def refresh(self, stop=None):
            self.readings += 1
            return msgspec.structs.replace(super().refresh(stop), look=Look.at(path))

    names = [f"v{number}" for number in range(100)]
    listing, executor = Untouched(*names), FakeExecutor(dict.fromkeys(names, SUCCESS))

    make(listing, executor).run()

    assert [spec.version for spec in executor.submitted] == names
    assert listing.readings < 50  # at the start, at the end, and each second


def test_before_a_session_ends_the_list_is_read_though_its_file_is_untouched(make, tmp_path):
    path = tmp_path / "models.config"
    path.touch()

    class Growing(FixedListing):
        def refresh(self, stop=None):
            more = (LATE,) if executor.submitted else ()
            return Listed(models=(*self.models, *more), look=Look.at(path))

    executor = FakeExecutor({"a": SUCCESS, "late": SUCCESS})

    make(Growing("a"), executor).run()

    assert [spec.version for spec in executor.submitted] == ["a", "late"]


def test_when_all_records_are_refused_the_queue_goes_on(make):
    class Full(Recording):
        def started(self, launched):
            raise OSError(28, "No space left on device")

        def message(self, at, level, text):
            raise StorageError("no room for this either")

    result = make(FixedListing("a"), FakeExecutor({"a": SUCCESS}), listeners=[Full(), Full()]).run()

    assert not result.failed


def test_a_run_prints_in_vain_where_nobody_looks(make):
    class Blind(Recording):
        def printed(self, run, lines):
            self.events += lines

    class Seeing(Blind):
        shows_output = True

    class Printing(FakeExecutor):
        def submit(self, spec):
            Path(spec.folder, "console.log").write_text("hello\n")
            return super().submit(spec)

    told = []
    for kind in (Blind, Seeing):
        listener = kind()
        make(FixedListing("a"), Printing({"a": SUCCESS}), listeners=[listener]).run()
        told.append("hello" in listener.events)

    assert told == [False, True]


def test_a_scheduler_that_is_closed_is_not_woken_any_more(make):
    listing = FixedListing("a")
    scheduler = make(listing, FakeExecutor({"a": SUCCESS}))
    scheduler.run()

    scheduler.close()

    listing.wake()  # it would ring an alarm that is gone
