"""A session that stays: it waits for edits, and costs nothing while it does."""

import signal

import pytest
from projects import wait_until


@pytest.fixture
def watching(project):
    """A project with a session that watches it, ended with the test."""
    session = project.start("-r", "-u", "--watch")
    assert session.stdout.readline() == "mlpipeline waits for models.config to change\n"
    yield project
    session.send_signal(signal.SIGTERM)
    session.communicate(timeout=60)


def succeeded(project, *runs):
    history = list(project.outputs.glob("history-*"))
    outcomes = project.outcomes() if history else {}
    return all(outcomes.get(run) == "succeeded" for run in runs)


def test_what_is_listed_later_starts(watching):
    watching.model("m.py", "a")
    watching.list("m.py")

    wait_until(lambda: succeeded(watching, "m/a#1"), "it runs")


def test_a_version_that_is_added_to_a_script_starts(watching):
    watching.model("m.py", "a")
    watching.list("m.py")
    wait_until(lambda: succeeded(watching, "m/a#1"), "it runs")

    watching.model("m.py", "a", "b")

    wait_until(lambda: succeeded(watching, "m/b#1"), "the new version runs")
    assert watching.started() == ["m/a#1", "m/b#1"]


def test_a_script_in_a_new_folder_is_heard_of(watching):
    (watching.models / "vision").mkdir()
    watching.script("vision/_base.py", (watching.models / "_base.py").read_text())
    watching.model("vision/m.py", "a")
    watching.list("vision/m.py")

    wait_until(lambda: succeeded(watching, "vision/m/a#1"), "it runs")


def test_each_edit_is_answered_in_the_log(watching):
    watching.model("m.py", "a", "b", "c")
    watching.list("m.py")
    wait_until(lambda: succeeded(watching, "m/a#1", "m/b#1", "m/c#1"), "they run")

    assert "models.config: starts 3" in watching.text("log")


def test_an_edit_with_an_unknown_version_says_what_it_would_change(watching):
    watching.model("m.py", "a", "b")
    watching.list("m.py = a")
    wait_until(lambda: succeeded(watching, "m/a#1"), "it runs")

    watching.list("m.py = a, b, foo_v7")

    wait_until(lambda: "unknown: m/foo_v7" in watching.text("log"), "it is answered")
    assert "models.config: not taken: starts 1, unknown: m/foo_v7" in watching.text("log")
    assert watching.started() == ["m/a#1"]


def test_while_paused_nothing_starts_and_what_runs_goes_on(watching):
    watching.model("m.py", "a", "b", body="print('began'); wait_for_file('go')")
    watching.list("m.py")
    wait_until((watching.folder_of("m", "a") / "console.log").exists, "the first one runs")

    watching.run("pause")
    (watching.folder / "go").touch()
    wait_until(lambda: succeeded(watching, "m/a#1"), "it comes to its end")
    wait_until(lambda: "queued" in watching.run("status").stdout, "b waits")
    assert "paused" in watching.run("status").stdout
    assert watching.started() == ["m/a#1"]

    watching.run("resume")
    wait_until(lambda: succeeded(watching, "m/b#1"), "the other one runs")


def test_a_session_without_watch_waits_while_paused(project):
    project.model("m.py", "a")
    project.list("m.py")
    project.run("pause")
    session = project.start("-r", "-u")
    assert "is paused with 1 queued" in session.stdout.readline()

    project.run("resume")

    session.communicate(timeout=60)
    assert session.returncode == 0
    assert succeeded(project, "m/a#1")


def test_a_second_session_is_refused(watching):
    done = watching.run("-r", "-u", "--watch")

    assert done.returncode == 3


def test_stop_ends_it(project):
    session = project.start("-r", "-u", "--watch")
    wait_until((project.outputs / "requests").is_dir, "the session begins")

    stopped = project.run("stop")

    session.communicate(timeout=60)
    assert (stopped.returncode, session.returncode) == (0, 0)


def test_edits_are_found_without_inotify_too(project, monkeypatch):
    # What watchdog says where all instances are in use.
    sabotage = project.folder / "sitecustomize.py"
    sabotage.write_text(
        "import watchdog.observers.inotify_c as c\n"
        "def refuse(*args, **kwargs): raise OSError(24, 'inotify instance limit reached')\n"
        "c.InotifyFD.__init__ = refuse\n"
        if _has_inotify_fd()
        else "import watchdog.observers.api as api\n"
        "def refuse(*args, **kwargs): raise OSError(24, 'inotify watch limit reached')\n"
        "api.BaseObserver.schedule = refuse\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(project.folder))
    session = project.start("-r", "-u", "--watch")
    wait_until((project.outputs / "requests").is_dir, "the session begins")

    project.model("m.py", "a")
    project.list("m.py")

    wait_until(lambda: succeeded(project, "m/a#1"), "it runs")
    session.send_signal(signal.SIGTERM)
    session.communicate(timeout=60)


def _has_inotify_fd() -> bool:
    from watchdog.observers import inotify_c

    return hasattr(inotify_c, "InotifyFD")
