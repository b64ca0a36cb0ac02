"""What every executor must do; today that is the local one, which starts runs in two ways."""

from __future__ import annotations

import os
import select
import time
from contextlib import closing
from functools import partial

import pytest

from mlpipeline.core.judging import judge
from mlpipeline.core.runs import Outcome
from mlpipeline.execution.executors.base import Gone, Running
from mlpipeline.execution.executors.local import LocalExecutor
from mlpipeline.execution.executors.warm import WarmStarter

COLD = LocalExecutor
WARM = partial(LocalExecutor, partial(WarmStarter, preload=(), warn=pytest.fail))


@pytest.fixture(params=[COLD, WARM], ids=["cold", "warm"])
def make(request):
    return request.param


@pytest.fixture
def executor(make):
    with closing(make()) as made:
        yield made


def ending(executor, handle, wake) -> Gone:
    deadline = time.monotonic() + 20
    while isinstance(seen := executor.poll([handle])[handle], Running):
        assert time.monotonic() < deadline
        executor.wait([handle], 1.0, wake)
    assert isinstance(seen, Gone)
    return seen


def test_a_run_is_seen_running_and_then_gone_with_its_report(executor, spec, wake, tmp_path):
    handle = executor.submit(spec("wait_for_file('go')"))

    assert executor.poll([handle]) == {handle: Running()}
    (tmp_path / "go").touch()
    gone = ending(executor, handle, wake)

    assert judge(gone.exit, gone.report, stopping_at=None).outcome is Outcome.SUCCEEDED
    assert gone.report.results == {"train": {"size": 10}, "test": {"size": 4}}


def test_several_runs_go_on_at_once_and_are_polled_together(executor, spec, wake):
    first = executor.submit(spec("Path('one').touch(); wait_for_file('two')", 1))
    second = executor.submit(spec("Path('two').touch(); wait_for_file('one')", 2))

    assert set(executor.poll([first, second])) == {first, second}
    outcomes = [
        judge(gone.exit, gone.report, stopping_at=None).outcome
        for gone in (ending(executor, handle, wake) for handle in (first, second))
    ]

    assert outcomes == [Outcome.SUCCEEDED, Outcome.SUCCEEDED]


def test_a_stopped_run_ends_by_the_signal(executor, spec, wake, tmp_path):
    handle = executor.submit(spec("Path('began').touch(); wait_for_file('never')"))
    while not (tmp_path / "began").exists():
        executor.poll([handle])

    executor.stop(handle, 20.0)

    assert ending(executor, handle, wake).exit.signal == 15


def test_a_run_that_does_not_want_to_stop_is_killed_after_its_grace(executor, spec, wake, tmp_path):
    body = "import signal; signal.signal(15, signal.SIG_IGN); Path('b').touch(); wait_for_file('x')"
    handle = executor.submit(spec(body))
    while not (tmp_path / "b").exists():
        executor.poll([handle])

    executor.stop(handle, 0.05)

    assert ending(executor, handle, wake).exit.signal == 9


def test_a_handle_means_the_same_run_to_another_executor(make, executor, spec, wake, tmp_path):
    made = spec("wait_for_file('go')")
    handle = executor.submit(made)
    while not (tmp_path / "runs" / "1" / "proc.json").exists():
        executor.poll([handle])

    with closing(make()) as other:
        same = other.handle_of(made.folder)
        assert other.poll([same]) == {same: Running()}
        (tmp_path / "go").touch()
        gone = ending(other, same, wake)

    assert judge(gone.exit, gone.report, stopping_at=None).outcome is Outcome.SUCCEEDED
    ending(executor, handle, wake)


def test_a_run_that_never_began_is_gone_and_can_begin_no_more(make, executor, spec, wake, tmp_path):
    made = spec("Path('ran').touch()")

    assert executor.poll([executor.handle_of(made.folder)]) != {made.folder: Running()}
    with closing(make()) as late:  # as an earlier session's start that comes too late
        ending(late, late.submit(made), wake)

    assert not (tmp_path / "ran").exists()


def test_waiting_ends_when_it_is_woken(executor, spec):
    readable, writable = os.pipe()
    os.write(writable, b"!")

    executor.wait([], 60.0, readable)

    assert select.select([readable], [], [], 0)[0]
    os.close(readable)
    os.close(writable)
