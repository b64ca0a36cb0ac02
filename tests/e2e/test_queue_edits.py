"""The list is edited while the queue runs."""

from projects import wait_until

WAITING = """
Path(f"began-{self.current_version.name}").touch()
wait_for_file(f"go-{self.current_version.name}")
"""


def finish(session):
    output, errors = session.communicate(timeout=60)
    return session.returncode, output, errors


def begin(project, *versions):
    """A session that waits in the first of ``versions`` of held.py."""
    project.model("held.py", *versions, body=WAITING)
    session = project.start("-r")
    wait_until((project.folder / f"began-{versions[0]}").exists, f"{versions[0]} begins")
    return session


def test_a_model_added_while_another_runs_takes_its_turn(project):
    project.model("added.py", "v")
    project.list("held.py")
    session = begin(project, "a")

    project.list("held.py", "added.py")
    (project.folder / "go-a").touch()

    assert finish(session)[0] == 0
    assert project.started() == ["held/a#1", "added/v#1"]


def test_a_model_removed_before_its_turn_does_not_run(project):
    project.model("removed.py", "v")
    project.list("held.py", "removed.py")
    session = begin(project, "a")

    project.list("held.py")
    (project.folder / "go-a").touch()

    assert finish(session)[0] == 0
    assert project.started() == ["held/a#1"]


def test_a_running_model_that_is_removed_runs_to_its_end(project):
    project.list("held.py")
    session = begin(project, "a", "b")

    project.list()
    (project.folder / "go-a").touch()

    assert finish(session)[0] == 0
    assert project.outcomes() == {"held/a#1": "succeeded"}


def test_reordering_takes_effect_before_the_next_run(project):
    project.model("one.py", "v")
    project.model("two.py", "v")
    project.list("held.py", "one.py", "two.py")
    session = begin(project, "a")

    project.list("two.py", "one.py", "held.py")
    (project.folder / "go-a").touch()

    assert finish(session)[0] == 0
    assert project.started() == ["held/a#1", "two/v#1", "one/v#1"]


def test_narrowing_takes_effect_before_the_next_run(project):
    project.list("held.py")
    session = begin(project, "a", "b", "c")

    project.list("held.py = a, c")
    (project.folder / "go-a").touch()
    (project.folder / "go-c").touch()

    assert finish(session)[0] == 0
    assert project.started() == ["held/a#1", "held/c#1"]


def test_a_version_added_to_a_script_that_runs_takes_its_turn(project):
    project.list("held.py")
    session = begin(project, "a")

    project.model("held.py", "a", "b", body=WAITING)
    (project.folder / "go-a").touch()
    (project.folder / "go-b").touch()

    assert finish(session)[0] == 0
    assert project.started() == ["held/a#1", "held/b#1"]


def test_a_broken_list_keeps_the_last_good_one_and_says_so(project):
    project.model("next.py", "v")
    project.list("held.py", "next.py")
    session = begin(project, "a")

    (project.folder / "models.config").write_text("[WHITELISTED_MODELS]\nheld.py\nno_such.py\n")
    (project.folder / "go-a").touch()

    code, _, errors = finish(session)
    assert code == 0
    assert "models.config:3: no_such.py does not exist" in errors
    assert project.started() == ["held/a#1", "next/v#1"]


def test_a_vanished_or_emptied_list_keeps_the_last_good_one(project):
    for change in ("vanish", "empty"):
        for mark in project.folder.glob("*-a"):
            mark.unlink()
        project.model("next.py", "v")
        project.list("held.py", "next.py")
        session = begin(project, "a")
        path = project.folder / "models.config"

        path.unlink() if change == "vanish" else path.write_text("")
        (project.folder / "go-a").touch()

        code, _, errors = finish(session)
        assert code == 0
        assert "models.config: " in errors
    assert [name.split("#")[0] for name in project.started()] == ["held/a", "next/v"] * 2


def test_an_unknown_version_name_while_running_keeps_the_last_good_list(project):
    project.list("held.py")
    session = begin(project, "a", "b")

    project.list("held.py = a, bb")
    (project.folder / "go-a").touch()
    (project.folder / "go-b").touch()

    code, _, errors = finish(session)
    assert code == 0
    assert "models.config:4: held.py has no version bb; its versions: a, b" in errors
    assert project.started() == ["held/a#1", "held/b#1"]


def test_a_script_that_breaks_while_it_waits_is_reported_and_the_others_go_on(project):
    project.model("breaks.py", "v")
    project.model("next.py", "v")
    project.list("held.py", "breaks.py", "next.py")
    session = begin(project, "a")

    project.script("breaks.py", "def half(:\n")
    (project.folder / "go-a").touch()

    code, _, errors = finish(session)
    assert code == 1
    assert "breaks.py: it raises SyntaxError" in errors
    assert project.started() == ["held/a#1", "next/v#1"]


def test_a_blacklist_runs_all_scripts_but_the_listed_in_path_order(project):
    project.model("b.py", "v")
    project.model("a.py", "x", "y")
    project.model("deep/c.py", "v")
    project.model("left_out.py", "v")
    project.list("left_out.py", "a.py = x", blacklist=True)

    done = project.run("-r")

    assert done.returncode == 0, done.stderr
    assert project.started() == ["a/y#1", "b/v#1", "deep/c/v#1"]


def test_a_narrowed_line_runs_its_versions_in_the_order_written(project):
    project.model("m.py", "lr=0.1,depth=2", "lr=0.1", "plain")
    project.list("m.py = plain, lr=0.1,depth=2")

    project.run("-r")

    assert project.started() == ["m/plain#1", "m/lr=0.1,depth=2#1"]
