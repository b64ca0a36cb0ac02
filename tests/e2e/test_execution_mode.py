"""mlpipeline -r: the queue runs for real."""

import re
import subprocess

import pytest


def test_every_version_runs_and_is_recorded(project):
    project.model("digits.py", "a", "b", body='print("training", steps)')
    project.list("digits.py")

    done = project.run("-r")

    assert done.returncode == 0, done.stderr
    assert project.outcomes() == {"digits/a#1": "succeeded", "digits/b#1": "succeeded"}
    assert project.history()[1]["results"] == {"train": {"size": 10}, "test": {"size": 4}}
    assert "training 6" in done.stdout  # 2 epochs × ceil(10 / 4)
    assert (project.folder_of("digits", "a") / "console.log").read_text() == "training 6\n"


def test_run_yaml_tells_what_ran(project):
    project.model("digits.py", "a")
    project.list("digits.py")

    project.run("-r")

    record = project.record("digits", "a")
    assert record["run"] == "digits/a#1"
    assert record["outcome"] == "succeeded"
    assert record["parameters"]["batch_size"] == 4
    assert record["results"]["test"] == {"size": 4}
    assert record["script"] == "digits.py"
    assert sorted(record["sources_sha256"]) == ["_base.py", "digits.py"]
    assert record["exit"] == {"status": 0}
    assert record["peak_memory_mb"] > 1
    assert record["seeds"] == {"PYTHONHASHSEED": "random"}


def test_run_yaml_tells_the_git_commit_and_whether_the_tree_was_dirty(project):
    project.model("digits.py", "a")
    project.list("digits.py")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@x.invalid", "-C", str(project.folder)]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *arguments], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)

    project.run("-r")
    clean = project.record("digits", "a")["git"]
    project.model("digits.py", "a", body="print(1)")
    project.run("-r")
    dirty = project.record("digits", "a", 2)["git"]

    subprocess.run([*git, "checkout", "-q", "."], check=True)
    project.model("new.py", "a")
    project.list("new.py")
    subprocess.run([*git, "commit", "-qam", "the list"], check=True)
    project.run("-r")
    untracked = project.record("new", "a")["git"]

    assert clean == {"commit": commit.stdout.strip(), "dirty": False}
    assert dirty == {"commit": commit.stdout.strip(), "dirty": True}
    assert untracked["dirty"] is True


def test_the_log_and_the_output_are_readable(project):
    project.model(
        "digits.py", "a", body='self.log("half way", log_to_file=True); self.add_to_summary("wide")'
    )
    project.list("digits.py")

    project.run("-r")

    log, output = project.text("log"), project.text("output")
    assert all(
        re.match(r"\[\d{4}-\d\d-\d\dT[\d:.+]+\]::INFO - ", line) for line in log.splitlines()
    )
    assert "digits/a#1: half way" in log
    assert log.count("half way") == 1
    assert "digits/a#1" in output
    assert "result on test: size 4" in output
    assert "wide" in output


def test_no_log_writes_no_log_but_all_else(project):
    project.model("digits.py", "a", body='self.log("half way", log_to_file=True)')
    project.list("digits.py")

    for option in ("-n", "--no_log", "--no-log"):
        assert project.run("-r", option).returncode == 0

    assert not list(project.outputs.glob("log-*"))
    assert len(project.outcomes()) == 3
    assert "digits/a#3" in project.text("output")


def test_a_failing_version_is_logged_with_its_traceback_and_the_queue_goes_on(project):
    project.model("bad.py", "v", body='raise ValueError("not today")')
    project.model("good.py", "v")
    project.list("bad.py", "good.py")

    done = project.run("-r")

    assert done.returncode == 1
    assert project.outcomes() == {
        "bad/v#1": "failed ValueError: not today",
        "good/v#1": "succeeded",
    }
    log = project.text("log")
    assert "ERROR - bad/v#1 failed: ValueError: not today" in log
    assert "bad.py" in log
    assert "execution/lifecycle.py" not in log


def test_unattended_skips_what_is_done(project):
    project.model("digits.py", "a", "b")
    project.list("digits.py")
    project.run("-r", "-u")

    for option in ("-u", "--unattended", "--use-history", "--use_history"):
        again = project.run("-r", option)
        assert again.returncode == 0
        assert "nothing to do" in again.stdout

    assert len(project.started()) == 2


def test_without_unattended_everything_runs_again(project):
    project.model("digits.py", "a")
    project.list("digits.py")

    project.run("-r")
    project.run("-r")

    assert project.started() == ["digits/a#1", "digits/a#2"]


def test_unattended_tries_a_failed_version_once_a_session(project):
    project.model("bad.py", "v", body="raise ValueError")
    project.list("bad.py")

    project.run("-r", "-u")
    project.run("-r", "-u")

    assert project.started() == ["bad/v#1", "bad/v#2"]


def test_retries_are_as_many_as_configured(project):
    project.configure(retries=2, retry_on="failed", retry_delay=0)
    project.model("bad.py", "v", body="raise ValueError")
    project.list("bad.py")

    project.run("-r", "-u")

    assert len(project.started()) == 3


def test_a_changed_parameter_runs_again_and_a_changed_script_does_not(project):
    text = """
    from _base import *
    made = versions()
    made.add("v", depth={depth})
    MODEL = Model(made)  # {remark}
    """
    project.list("deep.py")
    project.script("deep.py", text.format(depth=1, remark=""))
    project.run("-r", "-u")
    project.script("deep.py", text.format(depth=1, remark="only a remark"))
    unchanged = project.run("-r", "-u")
    status = project.run("status").stdout
    project.script("deep.py", text.format(depth=2, remark=""))
    project.run("-r", "-u")

    assert "nothing to do" in unchanged.stdout
    assert "script changed" in status
    assert project.started() == ["deep/v#1", "deep/v#2"]


def test_each_run_is_a_fresh_process_in_the_project_folder(project):
    project.script(
        "fresh.py",
        """
        from _base import *
        import os
        class Fresh(Model):
            def train_model(self, input_fn, steps):
                print(os.getpid(), os.getcwd(), os.getpid() == os.getpgid(0))
                os.chdir("/")
        MODEL = Fresh(versions("a", "b"))
        """,
    )
    project.list("fresh.py")

    project.run("-r")

    first, second = (
        (project.folder_of("fresh", version) / "console.log").read_text().split()
        for version in ("a", "b")
    )
    assert first[0] != second[0]
    assert first[1] == second[1] == str(project.folder)
    assert first[2] == "True"


def test_parallel_runs_go_on_at_the_same_time_unless_they_share_a_model_dir(project):
    project.configure(parallel=2)
    project.model(
        "pair.py",
        "a",
        "b",
        body="""
        other = {"a": "b", "b": "a"}[self.current_version.name]
        Path(f"here-{self.current_version.name}").touch()
        wait_for_file(f"here-{other}")
        """,
    )
    project.script(
        "shared.py",
        """
        from _base import *
        class Shared(Model):
            def train_model(self, input_fn, steps):
                lock = Path(self.model_dir, "in-use")
                lock.touch(exist_ok=False)
                time.sleep(0.05)
                lock.unlink()
        made = versions()
        for name in "cd":
            made.add(name)
        MODEL = Shared(made)
        """,
    )
    project.list("pair.py", "shared.py")

    done = project.run("-r")

    assert done.returncode == 0, project.outcomes()
    assert len(project.outcomes()) == 4


def test_the_order_parameter_decides_within_a_model_and_the_list_between_models(project):
    project.script(
        "one.py",
        """
        from _base import *
        made = versions()
        made.add("late", order=9)
        made.add("early", order=-1)
        MODEL = Model(made)
        """,
    )
    project.model("two.py", "v")
    project.list("two.py", "one.py")

    project.run("-r")

    assert project.started() == ["two/v#1", "one/early#1", "one/late#1"]


def test_a_lost_history_never_overwrites_a_run_folder(project):
    project.model("digits.py", "a")
    project.list("digits.py")
    project.run("-r")
    next(project.outputs.glob("history-*")).unlink()

    project.run("-r")

    assert project.started() == ["digits/a#2"]
    assert project.record("digits", "a", 1)["outcome"] == "succeeded"


@pytest.mark.parametrize("name", ["../up", "a/b", "naïve #a", "x" * 300, ".hidden", "50%", "con:1"])
def test_a_version_name_never_leaves_its_folder(project, name):
    project.script(
        "named.py",
        f"""
        from _base import *
        made = versions()
        made.add({name!r}, model_dir_suffix={name!r})
        MODEL = Model(made)
        """,
    )
    project.list("named.py")

    done = project.run("-r")

    assert done.returncode == 0, done.stderr
    assert len(list((project.outputs / "runs" / "named").glob("*/1/run.yaml"))) == 1
    assert len(list((project.outputs / "model_ckpts").iterdir())) == 1
    assert not (project.folder / "up").exists()
    assert project.run("logs", f"named/{name}").returncode == 0
