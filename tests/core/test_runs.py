"""Runs: which event may follow which, and how a run that is gone is judged."""

import signal

import msgspec
import pytest
from core.events import adopted, clock, finished, starting, stopping

from mlpipeline.core.judging import judge
from mlpipeline.core.launch import Exit, Failure, Report
from mlpipeline.core.runs import IllegalTransition, Outcome, RunId, Verdict, advance


def run_after(*events):
    run = None
    for event in events:
        run = advance(run, event, "here")
    return run


# --- advance: legal transitions


def test_a_run_begins_with_what_its_start_says():
    event = starting("lr=0.1", 2, model="digits", session="s", signature="x", resume=True)

    run = run_after(event)

    assert (run.id, run.host) == (RunId("digits", "lr=0.1", 2), "here")
    assert (run.sessions, run.signature, run.resume) == (("s",), "x", True)
    assert (run.script, run.model_dir) == (event.script, event.model_dir)
    assert run.started_at == event.at
    assert run.active
    assert run.stopping_at is None


def test_a_run_that_goes_on_has_no_end():
    run = run_after(starting())

    assert (run.verdict, run.ended_at, run.seconds) == (None, None, None)


def test_an_adopted_run_belongs_to_both_sessions():
    run = run_after(starting(session="a"), adopted(session="b"), adopted(session="c"))

    assert run.sessions == ("a", "b", "c")
    assert run.active


def test_a_run_that_was_asked_to_stop_is_stopping_but_not_over():
    run = run_after(starting(), stopping(seconds=2))

    assert run.stopping_at == clock(2)
    assert run.active


def test_a_run_can_be_asked_to_stop_twice_and_adopted_after_that():
    run = run_after(
        starting(), stopping(seconds=2), stopping(seconds=3), adopted(seconds=4, session="b")
    )

    assert run.stopping_at == clock(2)
    assert run.sessions == ("today", "b")


def test_a_finished_run_has_a_verdict_and_results():
    run = run_after(
        starting(seconds=10),
        finished(seconds=25, outcome=Outcome.FAILED, reason="no", steps=7, results={"a": 1}),
    )

    assert not run.active
    assert run.verdict == Verdict(Outcome.FAILED, "no")
    assert (run.steps, run.results, run.seconds) == (7, {"a": 1}, 15)


def test_a_run_ends_when_its_process_did_not_when_that_was_noticed():
    run = run_after(starting(seconds=0), finished(seconds=99, ended_at=clock(5)))

    assert run.seconds == 5


def test_advancing_makes_a_new_record_and_leaves_the_old_one():
    before = run_after(starting())

    advance(before, finished(), "here")

    assert before.active


# --- advance: illegal transitions


@pytest.mark.parametrize("event", [adopted(), stopping(), finished()])
def test_nothing_happens_to_a_run_that_never_started(event):
    with pytest.raises(IllegalTransition, match=r"m/v#1 is [a-z]+ but never started"):
        advance(None, event, "here")


@pytest.mark.parametrize("events", [[], [adopted()], [stopping()], [finished()]])
def test_a_run_does_not_start_twice(events):
    run = run_after(starting(), *events)

    with pytest.raises(IllegalTransition, match="m/v#1 starts twice"):
        advance(run, starting(), "here")


@pytest.mark.parametrize("event", [adopted(), stopping(), finished()])
@pytest.mark.parametrize("outcome", Outcome)
def test_nothing_happens_to_a_run_after_its_end(event, outcome):
    run = run_after(starting(), finished(outcome=outcome))

    with pytest.raises(IllegalTransition, match=r"m/v#1 is [a-z]+ after its end"):
        advance(run, event, "here")


# --- names and words


def test_a_run_is_called_model_version_attempt():
    assert str(RunId("digits", "lr=0.1", 2)) == "digits/lr=0.1#2"


@pytest.mark.parametrize("outcome", Outcome)
def test_what_was_cut_short_resumes_and_what_went_wrong_by_itself_does_not(outcome):
    own = outcome.value in ("succeeded", "failed", "crashed", "diverged")

    assert outcome.resumes != own


def test_an_interruption_is_no_failure():
    harmless = [outcome.value for outcome in Outcome if not outcome.is_failure]

    assert harmless == ["succeeded", "interrupted"]


def test_a_verdict_reads_as_a_sentence():
    verdicts = [
        Verdict(Outcome.SUCCEEDED),
        Verdict(Outcome.FAILED, "ValueError: no"),
        Verdict(Outcome.KILLED, "SIGKILL"),
        Verdict(Outcome.INTERRUPTED, "asked to stop"),
    ]

    assert [str(verdict) for verdict in verdicts] == [
        "succeeded",
        "failed: ValueError: no",
        "killed by SIGKILL",
        "interrupted: asked to stop",
    ]


@pytest.mark.parametrize(
    "outcome, prepared, resume, resumable",
    [
        (Outcome.INTERRUPTED, True, False, True),
        (Outcome.KILLED, True, False, True),
        (Outcome.LOST, True, False, True),
        (Outcome.FAILED, True, False, False),
        (Outcome.INTERRUPTED, False, False, False),  # its model_dir is another run's still
        (Outcome.INTERRUPTED, False, True, True),  # or that of the attempt it went on from
    ],
)
def test_a_run_can_be_resumed_when_it_was_cut_short_and_left_its_state(
    outcome, prepared, resume, resumable
):
    run = run_after(starting(resume=resume), finished(outcome=outcome, prepared=prepared))

    assert run.resumable is resumable


# --- judge


def ending(status=None, signal=None):
    return Exit(
        status=status, signal=signal, ended_at=clock(0), cpu_seconds=1.0, peak_memory=1 << 20
    )


def failure(part="train_model", type="ValueError", message="no"):
    return Failure(part=part, type=type, message=message, traceback="")


RETURNED = Report(ending="returned", ended_at=clock(60))
BEFORE, AFTER = clock(59), clock(61)  # the end of RETURNED
RAISED = Report(ending="exception", failures=[failure()])
EXITED = Report(ending="sys.exit", detail="called sys.exit(3) in train_model")
EDITED = Report(ending="edited", detail="the script was edited")


@pytest.mark.parametrize("stopping_at", [None, AFTER])
@pytest.mark.parametrize("exit", [ending(0), None])
def test_a_run_that_returned_before_anybody_asked_it_to_stop_succeeded(exit, stopping_at):
    verdict = judge(exit, RETURNED, stopping_at=stopping_at)

    assert verdict == Verdict(Outcome.SUCCEEDED)


@pytest.mark.parametrize("report", [RETURNED, Report(ending="returned")])
@pytest.mark.parametrize("exit", [ending(0), None])
def test_a_run_that_returned_after_it_was_asked_to_stop_may_have_done_less(exit, report):
    verdict = judge(exit, report, stopping_at=BEFORE)

    assert verdict == Verdict(Outcome.INTERRUPTED, "asked to stop")


def test_a_run_whose_report_can_not_be_read_failed_with_that_reason():
    report = Report(ending="unreadable", detail="its report.json can't be read")

    assert judge(ending(0), report, stopping_at=None) == Verdict(
        Outcome.FAILED, "its report.json can't be read"
    )
    assert judge(ending(signal=9), report, stopping_at=None).outcome is Outcome.KILLED


def test_a_run_that_raised_failed_with_the_last_line_of_its_traceback():
    verdict = judge(ending(1), RAISED, stopping_at=None)

    assert verdict == Verdict(Outcome.FAILED, "ValueError: no")


def test_a_run_that_failed_in_two_parts_names_both():
    report = Report(ending="exception", failures=[failure(), failure(type="KeyError", message="x")])

    verdict = judge(ending(1), report, stopping_at=None)

    assert verdict.reason == "ValueError: no; KeyError: x"


@pytest.mark.parametrize(
    ("message", "line"),
    [("", "ValueError"), ("one\ntwo", "ValueError: one"), ("one\r\ntwo", "ValueError: one")],
)
def test_the_reason_is_one_line_however_long_the_message(message, line):
    report = Report(ending="exception", failures=[failure(message=message)])

    verdict = judge(ending(1), report, stopping_at=None)

    assert verdict.reason == line


def test_a_run_that_called_sys_exit_failed_and_says_where():
    verdict = judge(ending(1), EXITED, stopping_at=None)

    assert verdict == Verdict(Outcome.FAILED, "called sys.exit(3) in train_model")


@pytest.mark.parametrize("status", [0, 3])
def test_a_run_that_left_by_os_exit_failed_whatever_its_status(status):
    verdict = judge(ending(status), None, stopping_at=None)

    assert verdict == Verdict(Outcome.FAILED, f"left by os._exit with status {status}")


def test_a_run_that_failed_after_its_report_failed():
    verdict = judge(ending(120), RETURNED, stopping_at=None)

    assert verdict.outcome is Outcome.FAILED
    assert "status 120 while Python was shutting down" in verdict.reason


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_run_that_a_signal_ended_was_killed(number):
    verdict = judge(ending(signal=number), None, stopping_at=None)

    assert verdict.outcome is Outcome.KILLED
    assert number.name in verdict.reason


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE])
def test_a_run_that_brought_a_signal_on_itself_crashed(number):
    verdict = judge(ending(signal=number), None, stopping_at=None)

    assert verdict.outcome is Outcome.CRASHED
    assert number.name in verdict.reason


def test_a_signal_without_a_name_is_told_by_its_number():
    nameless = next(n for n in range(35, 64) if n not in set(signal.Signals))

    verdict = judge(ending(signal=nameless), None, stopping_at=None)

    assert verdict.outcome is Outcome.KILLED
    assert str(nameless) in verdict.reason


@pytest.mark.parametrize("report", [None, RAISED, EXITED])
@pytest.mark.parametrize("exit", [None, ending(1), ending(signal=15), ending(signal=9)])
def test_a_run_that_was_asked_to_stop_and_did_not_return_was_interrupted(exit, report):
    verdict = judge(exit, report, stopping_at=clock(2))

    assert verdict == Verdict(Outcome.INTERRUPTED, "asked to stop")


def test_a_run_that_left_nothing_is_lost():
    verdict = judge(None, None, stopping_at=None)

    assert verdict.outcome is Outcome.LOST
    assert verdict.reason


def test_a_run_whose_supervisor_is_gone_is_judged_by_its_report():
    verdict = judge(None, RAISED, stopping_at=None)

    assert verdict == Verdict(Outcome.FAILED, "ValueError: no")


@pytest.mark.parametrize("stopping_at", [None, BEFORE])
def test_a_run_whose_script_was_edited_was_interrupted_with_that_reason(stopping_at):
    verdict = judge(ending(1), EDITED, stopping_at=stopping_at)

    assert verdict == Verdict(Outcome.INTERRUPTED, "the script was edited")


def test_a_kill_is_for_want_of_memory_only_where_the_kernel_counted_one():
    killed = ending(signal=9)
    by_kernel = msgspec.structs.replace(killed, oom_kills=1)
    crashed = msgspec.structs.replace(ending(signal=11), oom_kills=1)

    verdicts = [judge(exit, None, stopping_at=None) for exit in (killed, by_kernel, crashed)]

    assert [verdict.outcome.value for verdict in verdicts] == [
        "killed",
        "out of memory",
        "crashed",
    ]


@pytest.mark.parametrize("limit, outcome", [("timeout", "timeout"), ("stalled", "stalled")])
def test_a_run_that_its_supervisor_ended_says_at_which_limit(limit, outcome):
    ended = msgspec.structs.replace(ending(signal=15), limit=limit, limit_detail="too long")

    assert str(judge(ended, None, stopping_at=None)) == f"{outcome}: too long"
    assert str(judge(msgspec.structs.replace(ended, status=0), RETURNED, stopping_at=None)) == (
        f"{outcome}: too long"
    )


def test_a_run_that_never_had_a_process_was_interrupted():
    verdict = judge(None, None, stopping_at=None, began=False)

    assert verdict == Verdict(Outcome.INTERRUPTED, "it never began")
