"""mlpipeline without -r: a rehearsal that records nothing."""


def test_every_version_runs_one_step_and_nothing_is_recorded(project):
    project.model("m.py", "a", "b", body='print("steps", steps, self.model_dir)')
    project.list("m.py", test=True)

    done = project.run()

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("steps 1 ") == 2
    assert "m/a  succeeded" in done.stdout
    assert "m/b  succeeded" in done.stdout
    assert not project.outputs.exists()


def test_the_list_is_that_of_test_mode(project):
    project.model("real.py", "v")
    project.model("rehearsed.py", "v")
    project.list("real.py")
    project.list("rehearsed.py", test=True)

    done = project.run()

    assert "rehearsed/v" in done.stdout
    assert "real/v" not in done.stdout


def test_the_model_dir_is_temporary_and_empty_for_each_version(project):
    project.script(
        "shared.py",
        """
        from _base import *
        from mlpipeline import ExecutionModeKeys
        class Shared(Model):
            def pre_execution_hook(self, version, model_dir, exec_mode):
                assert exec_mode is ExecutionModeKeys.TEST
                assert not list(Path(model_dir).iterdir())
            def train_model(self, input_fn, steps):
                Path(self.model_dir, "checkpoint").touch()
                print("in", self.model_dir)
        made = versions()
        made.add("a")
        made.add("b")
        MODEL = Shared(made)
        """,
    )
    project.list("shared.py", test=True)

    done = project.run()

    assert done.returncode == 0, done.stdout
    used = {line.removeprefix("in ") for line in done.stdout.splitlines() if line[:3] == "in "}
    assert len(used) == 1
    assert not any(path.startswith(str(project.folder)) for path in used)


def test_the_first_exception_halts_it_with_the_users_own_traceback(project):
    project.model("bad.py", "a", "b", body='raise ValueError("not today")')
    project.model("never.py", "v")
    project.list("bad.py", "never.py", test=True)

    done = project.run()

    assert done.returncode == 1
    assert "bad/a" in done.stdout
    assert 'raise ValueError("not today")' in done.stdout
    assert "mlpipeline/execution" not in done.stdout
    assert "bad/b" not in done.stdout
    assert "never/v" not in done.stdout
    assert not project.outputs.exists()


def test_an_exception_in_an_evaluation_halts_it_too(project):
    project.script(
        "bad.py",
        """
        from _base import *
        class Bad(Model):
            def evaluate_model(self, input_fn, steps):
                print("evaluating")
                raise ValueError
        MODEL = Bad(versions("a", "b"))
        """,
    )
    project.list("bad.py", test=True)

    done = project.run()

    assert done.returncode == 1
    assert done.stdout.count("evaluating") == 1


def test_a_model_that_cannot_be_used_halts_it(project):
    project.script("empty.py", "x = 1\n")
    project.model("good.py", "v")
    project.list("empty.py", "good.py", test=True)

    done = project.run()

    assert done.returncode == 1
    assert "empty.py: it has no global MODEL" in done.stderr
    assert "Traceback" not in done.stderr
