"""Commands edit the list all at once, on a full disk, and under a scheduler that runs."""

import subprocess

import pytest
from projects import Project, skip_without, wait_until

WAITING = """
Path(f"began-{self.current_version.name}").touch()
wait_for_file(f"go-{self.current_version.name}")
"""


def read(project):
    return (project.folder / "models.config").read_text()


def test_commands_at_once_all_take_effect(project):
    names = [f"m{number}" for number in range(6)]
    for name in names:
        project.model(f"{name}.py", "v")

    commands = [project.start("add", name) for name in names]
    ended = [(*command.communicate(timeout=60), command.returncode) for command in commands]

    assert {code for *_, code in ended} == {0}, ended
    assert sorted(read(project).split()[-6:]) == [f"{name}.py" for name in names]


@pytest.fixture
def small(tmp_path):
    """A project on a small file system of its own."""
    folder = tmp_path / "project"
    folder.mkdir()
    skip_without("mount", ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)])
    yield Project(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder):
    """Take all that is left."""
    with (folder / "filling").open("ab", buffering=0) as file:
        for size in (1 << 12, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue


def test_a_full_disk_leaves_the_list_as_it_was(small):
    small.model("m.py", "v")
    small.run("pause")  # so that outputs/ is there
    small.run("resume")
    before = read(small)
    fill(small.folder)

    refused = small.run("add", "m")
    left = [path.name for path in small.folder.iterdir() if path.name.startswith(".models.config.")]
    (small.folder / "filling").unlink()

    assert refused.returncode == 2
    assert "models.config can't be written: No space left on device" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert (read(small), left) == (before, [])
    assert small.run("add", "m").returncode == 0
    assert "m.py\n" in read(small)


def test_outputs_that_can_not_be_made_leave_the_list_as_it_was(project):
    project.model("m.py", "v")
    project.outputs.write_text("in the way")
    before = read(project)

    refused = project.run("add", "m")

    assert refused.returncode == 2
    assert "outputs can't be made" in refused.stderr
    assert read(project) == before


def test_a_session_takes_up_what_commands_add_move_and_remove(project):
    project.model("held.py", "a", body=WAITING)
    for name in ("one", "two", "gone"):
        project.model(f"{name}.py", "v")
    project.list("held.py", "gone.py", "one.py")
    session = project.start("-r", "-u")
    wait_until((project.folder / "began-a").exists, "the first run begins")

    said = [
        project.run(*command.split()).stdout.splitlines()[-1]
        for command in ("add two", "move two --before one", "remove gone", "remove held")
    ]
    (project.folder / "go-a").touch()
    _, errors = session.communicate(timeout=60)

    assert said == ["starts 1", "changes the order", "drops 1", "lets held/a run on"]
    assert session.returncode == 0, errors
    assert project.started() == ["held/a#1", "two/v#1", "one/v#1"]


@pytest.mark.parametrize("blacklist", [False, True], ids=["whitelist", "blacklist"])
def test_a_session_does_not_take_an_entry_that_a_command_removed_for_a_cut(project, blacklist):
    project.model("held.py", "a", body=WAITING)
    project.model("last.py", "v")
    project.list("last.py" if blacklist else "held.py", blacklist=blacklist)
    session = project.start("-r", "-u")
    wait_until((project.folder / "began-a").exists, "the first run begins")

    project.run(*(["add", "last"] if blacklist else ["remove", "held"]))
    (project.folder / "go-a").touch()
    _, errors = session.communicate(timeout=60)

    assert "cut short" not in errors
    assert project.started() == ["held/a#1", *(["last/v#1"] if blacklist else [])]
