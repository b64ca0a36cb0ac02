"""The list is edited by commands, while nothing runs."""

import json
import os
import subprocess

import pytest
from projects import offered

HEAD = "# mine\n[MLP]\nuse_blacklist = false\n\n[WHITELISTED_MODELS]\n"


@pytest.fixture
def lists(project):
    """A project that lists one.py, and two.py in part."""
    project.model("one.py", "a", "b")
    project.model("two.py", "lr=0.1", "lr=0.1,depth=2", "plain")
    project.model("deep/three.py", "v")
    write(project, HEAD + "one.py  # whole\ntwo.py = plain\n# end\n")
    return project


def write(project, text, name="models.config"):
    (project.folder / name).write_text(text)


def text(project, name="models.config"):
    return (project.folder / name).read_text()


def entries(project):
    lines = text(project).split("MODELS]\n")[1].splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def done(project, *arguments):
    result = project.run(*arguments)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    return result.stdout


def refused(project, *arguments, code=2):
    before = text(project)
    result = project.run(*arguments)
    assert (result.returncode, result.stdout) == (code, "")
    assert text(project) == before
    return result.stderr


def test_a_model_is_added_and_what_starts_is_told(lists):
    assert done(lists, "add", "deep/three.py") == "models.config: added deep/three.py\nstarts 1\n"
    assert text(lists) == HEAD + "one.py  # whole\ntwo.py = plain\ndeep/three.py\n# end\n"


def test_versions_are_added_to_those_that_are_listed(lists):
    said = done(lists, "add", "two", "lr=0.1,depth=2", "plain", "lr=0.1")

    assert said == "models.config: added lr=0.1,depth=2, lr=0.1 of two.py\nstarts 2\n"
    assert entries(lists)[1] == "two.py = plain, lr=0.1,depth=2, lr=0.1"


def test_a_model_is_added_with_some_versions_and_widened_to_all(lists):
    write(lists, HEAD)

    done(lists, "add", "one", "b")
    narrowed = entries(lists)
    said = done(lists, "add", "one")

    assert narrowed == ["one.py = b"]
    assert said == "models.config: added all of one.py\nstarts 1\n"
    assert entries(lists) == ["one.py"]


@pytest.mark.parametrize(
    "arguments, what", [(["one"], "all its versions"), (["one", "a"], "all its versions")]
)
def test_what_is_listed_already_is_not_added(lists, arguments, what):
    before = text(lists)

    assert (
        done(lists, "add", *arguments) == f"models.config: one.py is listed already, with {what}\n"
    )
    assert text(lists) == before


@pytest.mark.parametrize(
    "place, order",
    [
        (["--first"], ["deep/three.py", "one.py", "two.py"]),
        (["--last"], ["one.py", "two.py", "deep/three.py"]),
        (["--before", "two"], ["one.py", "deep/three.py", "two.py"]),
    ],
)
def test_a_model_is_added_where_it_is_wanted(lists, place, order):
    done(lists, "add", "deep/three", *place)

    assert [line.split()[0] for line in entries(lists)] == order


def test_a_model_is_removed_and_what_is_dropped_is_told(lists):
    assert done(lists, "remove", "one") == "models.config: removed one.py\ndrops 2\n"
    assert text(lists) == HEAD + "two.py = plain\n# end\n"


def test_versions_are_removed_until_the_entry_goes(lists):
    said = [done(lists, "remove", "one", "a"), entries(lists)[0]]
    said += [done(lists, "remove", "one", "b"), entries(lists)[0]]

    assert said[0] == "models.config: removed a of one.py\ndrops 1\n"
    assert said[1] == "one.py = b  # whole"
    assert said[3] == "two.py = plain"


def test_a_version_that_its_model_lost_can_be_removed(lists):
    write(lists, HEAD + "one.py = a, old, b\n")

    done(lists, "remove", "one", "old")

    assert entries(lists) == ["one.py = a, b"]


def test_a_model_is_moved(lists):
    assert done(lists, "move", "two", "--first").endswith("changes the order\n")
    assert entries(lists) == ["two.py = plain", "one.py  # whole"]
    assert done(lists, "move", "two", "--before", "one") == (
        "models.config: two.py is before one.py already\n"
    )


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["add", "on.py"], "there is no model on.py in models (did you mean one.py?)"),
        (["add", "deep/thre"], "(did you mean deep/three?)"),
        (["add", "two", "lr=0.2"], "two.py has no version lr=0.2 (did you mean lr=0.1?); its ver"),
        (["add", "two", "--first"], "two.py is listed already: leave the place out to add"),
        (["add", "deep/three", "--before", "thre"], "there is no model thre in models.config"),
        (["remove", "tow"], "there is no model tow in models.config (did you mean two?)"),
        (["remove", "deep/three"], "models.config does not list deep/three.py"),
        (["remove", "two", "lr=0.1"], "models.config does not list lr=0.1 of two.py"),
        (["move", "deep/three", "--last"], "models.config does not list deep/three.py"),
        (["move", "one", "--before", "one"], "one.py can't go before itself"),
        (["move", "one"], "say where: --first, --last or --before OTHER"),
        (["move", "one", "--first", "--last"], "exclude one another"),
    ],
)
def test_what_can_not_be_done_is_said_and_changes_nothing(lists, arguments, said):
    assert said in refused(lists, *arguments)


def test_a_model_can_be_named_by_its_path_from_the_working_directory(lists):
    for folder, name in [("models/deep", "three.py"), (".", "models/deep/three.py")]:
        write(lists, HEAD)

        command = lists.command("add", name, "-C", str(lists.folder))
        subprocess.run(command, cwd=lists.folder / folder, check=True, capture_output=True)

        assert entries(lists) == ["deep/three.py"]


def test_a_script_that_breaks_is_listed_whole_with_its_problem_but_not_in_part(lists):
    lists.script("broken.py", "1 / 0\n")

    assert "the versions of broken.py can't be told" in refused(lists, "add", "broken", "v")
    result = lists.run("add", "broken")
    assert result.returncode == 0
    assert "broken.py: it raises ZeroDivisionError" in result.stderr
    assert entries(lists)[-1] == "broken.py"


def test_a_broken_list_is_refused_with_its_line(lists):
    write(lists, HEAD + "one.py\nnope.py\n")

    assert "models.config:7: nope.py does not exist" in refused(lists, "add", "two")


def test_a_name_that_can_not_stand_in_a_list_is_refused(lists):
    lists.model("a=b.py", "v")
    lists.model("odd.py", "a #x", "x", "y", "x,y")

    assert "nothing was written" in refused(lists, "add", "a=b.py")
    assert "nothing was written" in refused(lists, "add", "odd", "a #x")
    assert "odd.py = x, y would read otherwise" in refused(lists, "add", "odd", "x", "y")


def test_a_blacklist_is_edited_the_other_way_round(lists):
    head = "[MLP]\nuse_blacklist = true\n[BLACKLISTED_MODELS]\n"
    write(lists, head + "one.py\n")

    said = [
        done(lists, *command.split())
        for command in (
            "add one a",
            "add one",
            "add one",
            "remove two plain",
            "remove two lr=0.1",
            "remove deep/three",
            "add two plain",
        )
    ]

    assert [each.splitlines()[0].removeprefix("models.config: ") for each in said] == [
        "took a of one.py off the blacklist",
        "took one.py off the blacklist",
        "nothing: one.py is not blacklisted",
        "blacklisted plain of two.py",
        "blacklisted lr=0.1 of two.py",
        "blacklisted deep/three.py",
        "took plain of two.py off the blacklist",
    ]
    assert said[0].endswith("starts 1\n") and said[3].endswith("drops 1\n")
    assert entries(lists) == ["two.py = lr=0.1", "deep/three.py"]
    assert "deep/three.py is blacklisted already" in refused(lists, "remove", "deep/three")
    assert "is a blacklist" in refused(lists, "move", "two", "--first")
    assert "is a blacklist" in refused(lists, "add", "two", "--first")


def test_pausing_is_a_line_in_the_list_that_resuming_takes_away(lists):
    before = text(lists)

    assert done(lists, "pause") == "models.config: paused; what runs comes to its end\n"
    assert text(lists) == before.replace("= false\n", "= false\npaused = yes\n")
    assert done(lists, "pause") == "models.config: is paused already\n"
    assert "but it is paused" in done(lists, "add", "deep/three")
    done(lists, "remove", "deep/three")
    assert done(lists, "resume") == "models.config: is no longer paused\n"
    assert text(lists) == before
    assert done(lists, "resume") == "models.config: is not paused\n"


def test_the_list_of_test_mode_is_edited_on_demand(lists):
    before = text(lists)

    said = done(lists, "add", "one", "a", "--test")

    assert said == "models_test.config: added a of one.py\nstarts 1\n"
    assert "one.py = a\n" in text(lists, "models_test.config")
    assert text(lists) == before


def test_the_answer_is_one_object_for_programs(lists):
    answer = json.loads(done(lists, "remove", "one", "b", "--json"))

    changes = answer.pop("changes")
    assert changes["drops"] == ["one/b"] and changes["starts"] == []
    assert answer == {
        "list": "models.config",
        "done": "removed b of one.py",
        "changed": True,
        "paused": False,
        "problems": [],
    }


def test_what_is_done_already_does_not_start_again(lists):
    write(lists, HEAD + "one.py = a\n")
    done(lists, "-r", "-u")

    assert done(lists, "add", "one").endswith("starts 1\n")


def test_byte_marks_line_ends_and_rights_stay_and_a_link_is_followed(lists):
    real = lists.folder / "real.config"
    real.write_bytes(b"\xef\xbb\xbf[WHITELISTED_MODELS]\r\none.py\r\ntwo.py")
    real.chmod(0o640)
    (lists.folder / "models.config").unlink()
    (lists.folder / "models.config").symlink_to("real.config")

    done(lists, "move", "two", "--first")

    assert real.read_bytes() == b"\xef\xbb\xbf[WHITELISTED_MODELS]\r\ntwo.py\r\none.py"
    assert real.stat().st_mode & 0o777 == 0o640
    assert (lists.folder / "models.config").is_symlink()
    assert [path.name for path in lists.folder.iterdir() if ".config." in path.name] == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to all files")
def test_a_list_that_may_not_be_written_to_is_left_alone(lists):
    (lists.folder / "models.config").chmod(0o444)

    assert "models.config may not be written to" in refused(lists, "add", "deep/three")


@pytest.mark.parametrize(
    "words, expected",
    [
        ("add ", ["deep/three.py", "one.py", "two.py"]),
        ("add d", ["deep/three.py"]),
        ("move one --before t", ["two.py"]),
        ("add two ", ["lr=0.1", "lr=0.1,depth=2", "plain"]),
        ("add two plain l", ["lr=0.1", "lr=0.1,depth=2"]),
        ("add nope ", []),
    ],
)
def test_the_shell_offers_models_and_their_versions(lists, words, expected):
    assert offered(lists, words) == expected
    assert offered(lists, f"-C {lists.folder} {words}", cwd="/") == expected


def test_the_shell_offers_nothing_where_there_is_no_project(lists):
    assert offered(lists, "add ", cwd="/") == []
