"""A Hydra sweep meets a full disk: nothing is lost, it is told in clear words, and it goes on."""

import json

import pytest

pytest.importorskip("hydra")

from disks import empty, fill, small_disk
from hydra_apps import App
from projects import wait_until

ROOM = 4 << 20  # bytes of the file system

COUNTED = """
Path("executions").open("a").write(f"lr={cfg.lr}\\n")
"""
HELD = f"""
if cfg.lr == 2:
    Path("began").touch()
    wait_for_file("go")
{COUNTED}
return cfg.lr * 2
"""


@pytest.fixture
def small(tmp_path):
    """An app in a project, both on a small file system; what its jobs count is on another one."""
    folder = tmp_path / "small"
    with small_disk(folder, ROOM):
        (folder / "mlp.config").write_text("[MLP]\nmodels_dir = models\nmin_free_disk = 0\n")
        (folder / "models").mkdir()
        for name in ("models.config", "models_test.config"):
            (folder / name).write_text("[WHITELISTED_MODELS]\n")
        for name in ("executions", "began", "go"):
            (folder / name).symlink_to(tmp_path / name)
        yield App(folder)


def executed(app):
    return (app.folder / "executions").read_text().split()


def returned(app):
    runs = json.loads(app.project.run("results", "--json").stdout)["runs"]
    return sorted(run["results"]["returned"] for run in runs if run["results"])


def test_a_job_that_ends_on_a_full_disk_keeps_what_it_returned_and_the_sweep_goes_on(small):
    small.write(HELD)
    launch = small.start("lr=1,2,3")
    wait_until((small.folder / "began").exists)
    folder = small.project.folder_of(small.models[0], "lr=2")
    wait_until((folder / ".ballast").exists)
    fill(small.folder)
    line = next(line for line in launch.stdout if "disk" in line)

    (small.folder / "go").touch()
    wait_until(lambda: any((folder / name).exists() for name in ENDS), "it meets the disk")
    empty(small.folder)
    printed, complained = launch.communicate(timeout=60)

    assert line.endswith("on a full disk: what runs have to write waits until there is room\n")
    assert launch.returncode == 0, printed + complained
    assert set(small.project.outcomes().values()) == {"succeeded"}
    assert executed(small) == ["lr=1", "lr=2", "lr=3"]
    assert returned(small) == [2, 4, 6]
    assert "Traceback" not in complained


TAKES_ALL = f"""
if cfg.lr == 2 and not Path("go").exists():
    Path("filling").write_bytes(b"x" * {2 * ROOM})
{COUNTED}
return cfg.lr * 2
"""


def test_jobs_that_find_no_room_are_told_so_and_the_same_command_runs_them_when_there_is(small):
    small.write(TAKES_ALL)
    launch = small.start("lr=1,2,3")
    next(line for line in launch.stdout if "disk" in line)  # it is told, before or after it ends
    empty(small.folder)
    (small.folder / "go").touch()
    printed, complained = launch.communicate(timeout=60)

    assert launch.returncode == 1
    told = printed.partition("did not run well")[2]
    assert "/lr=2: failed: disk full: OSError: [Errno 28] No space left on device" in told
    assert "the same command runs what is missing again" in complained

    again = small.launch("lr=1,2,3")

    assert again.returncode == 0, again.stdout + again.stderr
    assert sorted(executed(small)) == ["lr=1", "lr=2", "lr=3"]
    assert returned(small) == [2, 4, 6]


def test_a_sweep_that_waits_for_room_says_so_and_starts_when_there_is_some(small):
    config = small.folder / "mlp.config"
    before = config.read_text()
    config.write_text(before.replace("min_free_disk = 0", "min_free_disk = 0.003"))
    (small.folder / "filling").write_bytes(b"x" * (ROOM - (2 << 20)))
    launch = small.start("lr=1")
    line = next(line for line in launch.stdout if "GB free" in line)
    empty(small.folder)
    printed, complained = launch.communicate(timeout=60)

    assert "min_free_disk is 0.003: nothing is started until there is room" in line
    assert launch.returncode == 0, complained
    assert "#0 : lr=1" in printed
    assert returned(small) == [2]


def test_a_sweep_that_is_launched_on_a_full_disk_is_not_listed_and_the_list_stays(small):
    small.launch("lr=1")
    before = (small.folder / "models.config").read_text()
    fill(small.folder)

    done = small.launch("lr=1,2,3")

    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert (small.folder / "models.config").read_text() == before
    assert len(small.models) == 1
    empty(small.folder)
    assert small.launch("lr=1,2,3").returncode == 0
    assert returned(small) == [2, 2, 4, 6]


ENDS = (".returned.pickle", "returned.pickle", ".report.json", "report.json", "exit.json")
