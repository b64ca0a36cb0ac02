"""A tracked run meets a full disk: MLflow gets all of it, once, when there is room again."""

import pytest
from disks import empty, fill, small_disk
from projects import Project, wait_until

pytest.importorskip("mlflow")

ROOM = 4 << 20  # bytes of the file system
STEPS = 3000
BODY = f"""
    for step in range({STEPS}):
        if step == {STEPS // 2}:
            Path("began").touch()
            wait_for_file("go")
        self.log_metrics({{"loss": step}}, step=step)
"""


@pytest.fixture
def small(tmp_path):
    """A project on a small file system; what its script makes is on another one."""
    folder = tmp_path / "small"
    with small_disk(folder, ROOM):
        project = Project(folder)
        for name in ("began", "go"):
            (folder / name).symlink_to(tmp_path / name)
        yield project


def test_what_could_not_be_noted_is_sent_once_when_there_is_room(server, small):
    small.configure(parallel=1, min_free_disk=0)
    with (small.folder / "mlp.config").open("a") as file:
        file.write(f"[MLFLOW]\ntracking_uri = {server.uri}\nwait = 60\n")
    small.model("full.py", "v", "w", body=BODY)
    small.list("full.py")
    session = small.start("-r", "-u")
    wait_until((small.folder / "began").exists, "the first run is amid")
    wait_until(lambda: server.runs("full"), "MLflow knows of it")

    ballast = small.folder_of("full", "v") / ".ballast"
    assert ballast.exists()
    fill(small.folder)
    (small.folder / "go").touch()
    wait_until(lambda: not ballast.exists(), "the run has met the disk")
    empty(small.folder)
    printed, complained = session.communicate(timeout=120)
    small.run("track")

    assert "Traceback" not in printed + complained
    assert set(small.outcomes().values()) == {"succeeded"}, printed + complained
    runs = {run.name: run for run in server.runs("full")}
    assert {run.status for run in runs.values()} == {"FINISHED"}
    assert [runs[name].curve("loss") for name in "vw"] == [[(n, n) for n in range(STEPS)]] * 2
