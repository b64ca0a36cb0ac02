"""What is special to runs that are processes of this machine."""

from __future__ import annotations

import json
import os
import select
import signal
from contextlib import closing

import msgspec
import pytest
from execution.test_executor_contract import ending
from projects import wait_until

from mlpipeline.core.judging import judge
from mlpipeline.core.launch import Report
from mlpipeline.core.runs import Outcome
from mlpipeline.execution.executors.base import Running
from mlpipeline.execution.executors.local import LocalExecutor


@pytest.fixture
def executor():
    with closing(LocalExecutor()) as made:
        yield made


def test_a_worker_that_outlives_its_supervisor_is_watched_without_haste(
    executor, spec, wake, tmp_path
):
    made = spec("Path('began').touch(); wait_for_file('go')")
    handle = executor.submit(made)
    wait_until((tmp_path / "began").exists)
    executor.wait([handle], 0.0, wake)
    supervisor = json.loads((tmp_path / "runs" / "1" / "proc.json").read_text())["supervisor"]

    os.kill(supervisor["pid"], signal.SIGKILL)
    wait_until(lambda: not executor._children[handle].is_going_on())

    assert executor.poll([handle]) == {handle: Running()}
    watched = executor._pidfd(handle, executor._last_process(handle))
    assert select.select([watched], [], [], 0)[0] == []  # else each wait would end at once
    (tmp_path / "go").touch()
    assert judge(None, ending(executor, handle, wake).report, stopping_at=None) == judge(
        None, Report(ending="returned"), stopping_at=None
    )


def test_a_run_tells_whether_its_model_dir_was_made_ready(executor, spec, wake, tmp_path):
    ready = executor.submit(spec("os._exit(1)", 1))
    broken = spec("pass", 2)
    (tmp_path / "m2.py").write_text("raise ValueError")
    never = executor.submit(broken)

    assert [ending(executor, each, wake).prepared for each in (ready, never)] == [True, False]


@pytest.mark.parametrize("report", [{"ending": "returned", "steps": "many"}, {"steps": 1}, 3])
def test_a_report_that_can_not_be_read_does_not_lose_the_rest(
    executor, spec, wake, tmp_path, report
):
    made = spec(
        f"""import json; from mlpipeline.execution import worker
        text = json.dumps({report!r})
        worker.write_at_last = lambda *a, **k: Path(a[0], a[1]).write_text(text)"""
    )

    gone = ending(executor, executor.submit(made), wake)

    assert judge(gone.exit, gone.report, stopping_at=None).outcome is Outcome.FAILED
    assert "can't be read" in gone.report.detail
    assert gone.exit.status == 0


def test_a_run_whose_folder_is_deleted_is_lost(executor, spec, wake, tmp_path):
    made = spec("Path('began').touch(); import shutil; shutil.rmtree(Path('runs'))")

    gone = ending(executor, executor.submit(made), wake)

    assert judge(gone.exit, gone.report, stopping_at=None).outcome is Outcome.LOST


def test_an_interpreter_that_can_not_begin_says_so_in_the_runs_console(
    executor, spec, wake, tmp_path
):
    made = spec()
    spec_file = tmp_path / "runs" / "1" / "spec.json"
    spec_file.unlink()  # as good as any other reason

    ending(executor, executor.submit(made), wake)

    assert "spec.json" in (tmp_path / "runs" / "1" / "console.log").read_text()
    spec_file.write_bytes(msgspec.json.encode(made))
