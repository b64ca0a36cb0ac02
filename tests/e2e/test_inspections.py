"""A session believes what is remembered of scripts, looks once more, and waits for none of them."""

from projects import wait_until

SLOW = """
from _base import *
Path("began-{name}").touch()
wait_for_file("{file}")
MODEL = Model(versions({names}))
"""


def finish(session):
    output, errors = session.communicate(timeout=60)
    return session.returncode, output, errors


def test_the_others_run_while_a_script_takes_its_time_to_be_imported(project):
    project.script("slow.py", SLOW.format(name="slow", file="quick-ran", names="'s'"))
    project.model("quick.py", "a", "b", body="Path('quick-ran').touch()")
    project.list("slow.py", "quick.py")

    done = project.run("-r", "-u")

    assert (done.returncode, done.stderr) == (0, "")
    assert project.started()[0] == "quick/a#1"
    assert sorted(project.started()) == ["quick/a#1", "quick/b#1", "slow/s#1"]


def test_the_others_run_while_an_edited_script_takes_its_time_and_then_it_runs_as_it_is(project):
    project.model("edited.py", "old")
    project.model(
        "first.py",
        "v",
        body="Path('began').touch(); wait_for_file('go')",
    )
    project.model("other.py", "v", body="Path('other-ran').touch()")
    project.list("first.py", "edited.py", "other.py")
    session = project.start("-r", "-u")
    wait_until((project.folder / "began").exists)

    project.script("edited.py", SLOW.format(name="edited", file="other-ran", names="'new'"))
    wait_until((project.folder / "began-edited").exists)
    (project.folder / "go").touch()

    assert finish(session)[0] == 0
    assert project.started() == ["first/v#1", "other/v#1", "edited/new#1"]


def test_a_session_with_nothing_to_do_sees_that_versions_depend_on_a_file(project):
    (project.folder / "names").write_text("ab")
    project.script(
        "m.py", "from _base import *\nMODEL = Model(versions(*Path('names').read_text()))"
    )
    project.list("m.py")
    project.run("-r", "-u")

    (project.folder / "names").write_text("abc")
    done = project.run("-r", "-u")

    assert (done.returncode, done.stderr) == (0, "mlpipeline: models.config: starts 1\n")
    assert project.started() == ["m/a#1", "m/b#1", "m/c#1"]


def test_runs_begin_before_scripts_that_are_remembered_are_looked_at(project):
    project.script(
        "m.py",
        """
        from _base import *
        if os.nice(0) == 19:  # it is only looked at once more
            wait_for_file("ran")

        class Trained(Model):
            def train_model(self, input_fn, steps):
                Path("ran").touch()

        MODEL = Trained(versions("v"))
        """,
    )
    project.list("m.py")
    project.outputs.mkdir()
    project.run("status")  # remembers what it finds

    done = project.run("-r", "-u")

    assert (done.returncode, done.stderr) == (0, "")
    assert project.outcomes() == {"m/v#1": "succeeded"}


def test_a_version_that_a_slow_script_lacks_is_complained_of_when_that_is_known(project):
    project.script("slow.py", SLOW.format(name="slow", file="go", names="'s'"))
    project.model("quick.py", "a", body="Path('ran').touch()")
    project.list("slow.py = s, typo", "quick.py")
    session = project.start("-r", "-u")
    wait_until((project.folder / "ran").exists)
    wait_until(lambda: list(project.outputs.glob("log-*")))

    assert "typo" not in project.text("log")
    (project.folder / "go").touch()

    assert finish(session)[0] == 0
    assert "models.config:4: slow.py has no version typo" in project.text("log")
    assert sorted(project.started()) == ["quick/a#1", "slow/s#1"]


def test_a_version_that_a_slow_script_of_a_blacklist_lacks_starts_nothing_of_it(project):
    project.script("slow.py", SLOW.format(name="slow", file="go", names="'s', 't'"))
    project.model("quick.py", "a", body="Path('ran').touch()")
    project.list("slow.py = s, typo", blacklist=True)
    session = project.start("-r", "-u")
    wait_until((project.folder / "ran").exists)

    (project.folder / "go").touch()
    wait_until(lambda: "slow.py has no version typo" in project.text("log"))

    finish(session)
    assert project.started() == ["quick/a#1"]


def test_test_mode_takes_no_ones_word_for_what_is_in_a_script(project):
    project.script(
        "m.py", "from _base import *\nMODEL = Model(versions(*Path('names').read_text()))"
    )
    (project.folder / "names").write_text("ab")
    project.outputs.mkdir()
    for test in (False, True):
        project.list("m.py", test=test)
    project.run("status")

    (project.folder / "names").write_text("c")
    done = project.run()

    assert done.returncode == 0
    assert "m/c" in done.stdout
    assert "m/a" not in done.stdout
