"""status, plan, explain, show, diff, logs and digest: what a person sees of a project."""

import json

import pytest
from projects import wait_until

from mlpipeline.core.runs import Outcome
from mlpipeline.core.standings import State
from mlpipeline.service.project import open_project
from mlpipeline.state.lock import scheduler_lock


@pytest.fixture
def mixed(project):
    """A project with something in each state: done, failed, queued, broken and not listed."""
    project.model("done.py", "a", "b")
    project.model("bad.py", "v", body="print('last words'); raise ValueError('not today')")
    project.model("gone.py", "v")
    project.list("done.py", "bad.py", "gone.py")
    project.run("-r", "-u")
    project.model("new.py", "x", "y")
    project.script("empty.py", "x = 1\n")
    project.list("done.py", "bad.py", "new.py", "empty.py")
    return project


def states(project, *arguments):
    rows = json.loads(project.run("status", "--json", *arguments).stdout)["rows"]
    return {row["run"]: row["state"] for row in rows}


def test_what_is_done_is_counted_and_the_rest_is_shown(mixed):
    *table, closing = mixed.run("status").stdout.splitlines()

    shown = [line.split()[0] for line in table[1:]]
    assert shown == ["new/x", "new/y", "bad/v#1", "empty.py"]
    assert closing.startswith("2 queued, 1 failed, 1 broken, 2 done, 1 not listed")


def test_all_shows_the_rest(mixed):
    *table, _ = mixed.run("status", "--all").stdout.splitlines()

    assert [line.split()[0] for line in table[-3:]] == ["done/a#1", "done/b#1", "gone/v#1"]


def test_status_of_some_models_and_states(mixed):
    assert states(mixed, "--model", "new") == {"new/x": "queued", "new/y": "queued"}
    assert states(mixed, "--state", "failed") == {"bad/v#1": "failed"}


def test_all_states_that_a_row_may_have_can_be_asked_for(project):
    project.list()
    asked = [word for state in (*State, *Outcome) for word in ("--state", state.value)]

    assert project.run("status", *asked).returncode == 0


def test_a_session_that_does_not_say_its_pid_is_a_session_without_one(project):
    project.list()
    layout = open_project(project.folder).layout
    layout.outputs.mkdir(parents=True)
    with scheduler_lock(layout.lock):
        layout.lock.with_suffix(".pid").unlink()
        told = [json.loads(project.run(name, "--json").stdout) for name in ("status", "plan")]

    assert [(each["session"], each["pid"]) for each in told] == [(True, None)] * 2


def test_a_model_that_is_not_there_is_an_error_with_the_nearest(mixed):
    done = mixed.run("status", "--model", "news")

    assert done.returncode == 2
    assert "no model is called news (did you mean new?)" in done.stderr
    assert states(mixed, "-m", "done", "-m", "new", "-s", "done") == {
        "done/a#1": "done",
        "done/b#1": "done",
    }


def test_status_when_all_is_done_shows_the_newest(project):
    project.model("m.py", "a")
    project.list("m.py")
    project.run("-r", "-u")

    assert "m/a#1" in project.run("status").stdout


def test_status_of_a_project_without_anything(project):
    done = project.run("status")

    assert (done.returncode, done.stdout) == (0, "nothing is listed, and nothing has run yet\n")


def test_a_run_that_goes_on_has_its_progress_and_the_queue_its_end(project):
    project.model("m.py", "a")
    project.list("m.py")
    project.run("-r", "-u")
    project.model("m.py", "a", "b", "c", body="self.progress(3, 8); wait_for_file('go')")
    project.list("m.py")
    session = project.start("-r", "-u")
    wait_until(lambda: states(project).get("m/b#1") == "running", "b runs")
    wait_until(lambda: "train 3/8" in project.run("status").stdout, "it gets on")

    found = json.loads(project.run("status", "--json").stdout)

    rows = {row["run"]: row for row in found["rows"]}
    assert rows["m/b#1"]["progress"]["step"] == 3
    assert rows["m/b#1"]["left"] is not None
    assert found["empty_at"] > found["at"]
    assert found["pid"] == session.pid
    (project.folder / "go").touch()
    session.communicate(timeout=60)


def test_status_watch_needs_a_terminal(project):
    done = project.run("status", "--watch")

    assert done.returncode == 2
    assert "draws on a terminal" in done.stderr


def test_a_failure_without_an_exception_is_shown_with_its_last_line(project):
    project.model("m.py", "a", body="print('so far'); os.kill(os.getpid(), 9)")
    project.list("m.py")
    project.run("-r", "-u")

    assert "resumes: was killed by SIGKILL; last line: so far" in project.run("status").stdout


def test_the_plan_is_what_then_happens(mixed):
    plan = json.loads(mixed.run("plan", "--json").stdout)
    mixed.run("-r", "-u")

    planned = [start["run"] for start in plan["starts"]]
    assert planned == ["bad/v#2", "new/x#1", "new/y#1"]
    assert mixed.started()[-3:] == planned


def test_the_plan_says_why_and_how_long(mixed):
    lines = mixed.run("plan").stdout.splitlines()

    assert lines[0].split() == ["#", "run", "why"] or "takes" in lines[0]
    assert "was failed: ValueError: not today" in lines[1]
    assert "no session works on it" in lines[-1]


def test_the_plan_shows_the_next_so_many(mixed):
    plan = json.loads(mixed.run("plan", "-n", "1", "--json").stdout)

    assert [start["run"] for start in plan["starts"]] == ["bad/v#2"]
    assert plan["more"] == 2


def test_a_draft_is_tried_before_it_is_used(mixed):
    text = (mixed.folder / "models.config").read_text()
    (mixed.folder / "draft").write_text(text.replace("new.py\n", "gone.py\nnew.py = x\n"))

    done = mixed.run("plan", "draft")

    assert done.stdout.splitlines()[0] == "draft: drops 1"
    assert mixed.run("plan").stdout.count("new/") == 2


def test_a_draft_that_lists_nothing_starts_nothing(mixed):
    (mixed.folder / "draft").write_text("[WHITELISTED_MODELS]\n")

    lines = mixed.run("plan", "draft").stdout.splitlines()

    assert lines[0] == "draft: drops 3"
    assert lines[1].startswith("nothing to start")


def test_done_is_told_by_its_success_not_by_what_came_after(project):
    project.model("m.py", "a")
    project.list("m.py")
    project.run("-r", "-u")
    project.model("m.py", "a", body="raise ValueError('not today')")
    project.run("-r")

    assert "it has succeeded as m/a#1" in project.run("explain", "m/a").stdout
    assert states(project) == {"m/a#1": "done"}
    assert "m/a" in project.run("retry", "--changed").stdout


def test_a_draft_with_an_unknown_version_says_so(mixed):
    text = (mixed.folder / "models.config").read_text()
    (mixed.folder / "draft").write_text(text.replace("new.py\n", "new.py = x, foo_v7\n"))

    done = mixed.run("plan", "draft")

    assert done.returncode == 2
    assert done.stdout.splitlines()[0] == "draft: drops 1, unknown: new/foo_v7"
    assert "draft:6: new.py has no version foo_v7" in done.stderr


@pytest.mark.parametrize(
    ("run", "state", "why"),
    [
        ("new/x", "queued", "no session works on this project on this host"),
        ("new/y", "queued", "before it in the queue"),
        ("done/a", "done", "it has succeeded as done/a#1"),
        ("bad/v", "failed", "ValueError: not today"),
        ("gone/v", "not listed", "it is not in models.config: `mlpipeline add gone 'v'`"),
        ("empty", "broken", "no global MODEL"),
        ("x", "queued", "no session works"),
    ],
)
def test_explain_says_why_a_run_is_not_running(mixed, run, state, why):
    done = mixed.run("explain", run)

    assert done.returncode == 0, done.stderr
    assert f": {state}" in done.stdout.splitlines()[0]
    assert why in done.stdout


def test_explain_shows_how_the_script_has_changed_since(mixed):
    mixed.model("done.py", "a", "b", body="print('better')")

    done = mixed.run("explain", "done/a").stdout

    assert "its script was edited since" in done
    assert "-        pass" in done
    assert "+        print('better')" in done


def test_explain_names_the_nearest(mixed):
    done = mixed.run("explain", "done/c")

    assert done.returncode == 2
    assert "no run is called done/c (did you mean done/" in done.stderr


def test_show_has_parameters_results_and_the_folder(mixed):
    lines = [" ".join(line.split()) for line in mixed.run("show", "done/a").stdout.splitlines()]

    assert "outcome succeeded" in lines
    assert "batch_size 4" in lines
    assert "test size 4" in lines
    assert "folder models/outputs/runs/done/a/1" in lines


def test_show_has_the_traceback_of_a_failure(mixed):
    assert "raise ValueError('not today')" in mixed.run("show", "bad/v").stdout


def test_diff_tells_parameters_results_and_scripts_apart(project):
    project.model("m.py", "a", body="pass")
    project.list("m.py")
    project.run("-r", "-u")
    script = (project.models / "m.py").read_text()
    script = script.replace("pass", "print('better')").replace("versions('a')", BIGGER)
    project.script("m.py", script)
    project.run("-r", "-u")

    found = json.loads(project.run("diff", "m/a#1", "m/a#2", "--json").stdout)
    text = project.run("diff", "m/a#1", "m/a#2").stdout

    assert found["parameters"]["depth"] == [None, 3]
    assert found["results"]["test.size"] == [4, 4]
    assert "+        print('better')" in found["script"]
    assert "m/a#1" in text
    assert "depth" in text


BIGGER = "versions('a', depth=3)"


def test_diff_of_equal_runs_says_so(mixed):
    mixed.run("retry", "done/a")
    mixed.run("-r", "-u")

    assert "parameters and scripts are the same" in mixed.run("diff", "done/a#1", "done/a#2").stdout


@pytest.mark.parametrize(
    ("count", "said"), [("0", ""), ("1", "3\n"), ("2", "2\n3\n"), ("99", "1\n2\n3\n")]
)
def test_the_last_lines_of_a_log(project, count, said):
    project.model("m.py", "v", body="print(1); print(2); print(3)")
    project.list("m.py")
    project.run("-r")

    assert project.run("logs", "m/v", "-n", count).stdout == said


def test_the_digest_tells_what_happened(mixed):
    lines = mixed.run("digest", "--since", "yesterday").stdout.splitlines()

    assert "3 succeeded, 1 failed" in lines[0]
    assert "  ✗ bad/v#1 failed: ValueError: not today" in lines
    assert lines[-1] == "  next: bad/v, new/x, new/y"


def test_the_digest_of_a_moment_that_is_none(mixed):
    done = mixed.run("digest", "--since", "soon")

    assert done.returncode == 2
    assert "'soon' is no moment; write today, yesterday" in done.stderr


def test_a_new_best_is_news(project):
    project.model("m.py", "a", "b")
    script = (project.models / "m.py").read_text()
    better = script.replace("len(input_fn)", "0.5 + (self.current_version.name == 'b')")
    project.script("m.py", better.replace("size", "accuracy"))
    project.list("m.py")
    project.run("-r", "-u")

    digest = project.run("digest", "--since", "1h").stdout

    assert "★ m/b#1 test.accuracy 1.5 (was 0.5)" in digest


def test_while_the_list_can_not_be_used_the_one_in_use_is_shown(mixed):
    session = mixed.start("-r", "-u", "--watch")
    wait_until(lambda: states(mixed).get("new/y#1") == "done", "the session works")
    (mixed.folder / "models.config").write_text("new.py\n")

    done = mixed.run("status", "--json")

    rows = {row["run"]: row["listed"] for row in json.loads(done.stdout)["rows"]}
    assert done.returncode == 2
    assert "stands before any section" in done.stderr
    assert (rows["new/x#1"], rows["gone/v#1"]) == (True, False)
    mixed.run("stop")
    session.communicate(timeout=60)


def test_a_long_queue_is_cut(project):
    project.model("m.py", *(f"v{number}" for number in range(50)))
    project.list("m.py")

    lines = project.run("status").stdout.splitlines()

    assert len(lines) == 23
    assert lines[-2].startswith("… 30 more  queued  `--all` shows them")
    assert len(project.run("status", "--all").stdout.splitlines()) == 52


def test_a_run_is_named_by_what_is_enough(mixed):
    assert mixed.run("logs", "bad").stdout.startswith("last words\n")
    ambiguous = mixed.run("logs", "v")

    assert ambiguous.returncode == 2
    assert "v may be bad/v or gone/v; say which" in ambiguous.stderr
