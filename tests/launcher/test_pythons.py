"""A sweep that is put into the queue by one Python, and met by another one that has no Hydra."""

import sys

from projects import called, wait_until

# As where neither is installed.
LACKING = """
import sys

class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("hydra", "omegaconf"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Lacking())
"""
HELD = "until [ -e go ]; do sleep 0.01; done"


def lacking(app):
    """The variables that make any Python one without Hydra."""
    folder = app.folder / "lacking"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(LACKING)
    return {"PYTHONPATH": str(folder)}


def test_a_session_without_hydra_says_so_in_one_sentence_and_runs_none_of_the_jobs(app):
    app.launch("lr=1,2,3", "hydra.launcher.wait=false")
    without = lacking(app)

    done = app.project.run("-r", "-u", **without)

    assert done.returncode == 1
    assert not list(app.project.outputs.glob("runs/*"))
    (line,) = [line for line in done.stderr.splitlines() if "Hydra" in line]
    assert f"its versions are jobs of Hydra's, which {sys.executable} lacks" in line
    assert f"{sys.executable} -m pip install 'mlpipeline[hydra]'" in line
    assert "Traceback" not in done.stdout + done.stderr
    assert "broken" in app.project.run("status", **without).stdout

    assert app.project.run("-r", "-u").returncode == 0
    assert app.started() == ["lr=1", "lr=2", "lr=3"]


def test_a_launcher_whose_session_lacks_hydra_is_told_so(app):
    app.launch("lr=9", "hydra.launcher.wait=false")
    (app.folder / "models.config").write_text("[WHITELISTED_MODELS]\nheld.yaml\n")
    (app.folder / "models" / "held.yaml").write_text(f"command: [bash, -c, {HELD!r}]\n")
    session = app.project.start("-r", "-u", **lacking(app))
    wait_until(lambda: list(app.project.outputs.glob("history-*")) and app.started())

    done = called(app.command("lr=1,2"), app.folder)
    (app.folder / "go").touch()
    session.communicate(timeout=60)

    assert done.returncode == 1
    assert done.stderr.startswith("mlpipeline: ")
    assert "its versions are jobs of Hydra's, which" in done.stderr
    assert app.started() == ["main"]
