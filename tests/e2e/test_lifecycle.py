"""The calls that a model gets in one run, in their order."""

import json


def calls(project, name="traced", version="v", attempt=1):
    """What the traced model wrote to its console, a JSON list a line."""
    text = (project.folder_of(name, version, attempt) / "console.log").read_text()
    return [json.loads(line) for line in text.splitlines() if line.startswith("[")]


TRACED = """
from _base import *
import json
from mlpipeline import ExecutionModeKeys, ModeKeys

def tell(*words):
    print(json.dumps(words))

class Traced(Model):
    trained = {trained}
    def pre_execution_hook(self, version, model_dir, exec_mode):
        tell("pre", version["name"], Path(model_dir).name, exec_mode)
    def get_trained_step_count(self):
        return self.trained
    def train_model(self, input_fn, steps):
        tell("train", input_fn, steps)
    def evaluate_model(self, input_fn, steps):
        tell("evaluate", input_fn, steps)
    def post_execution_hook(self, version, model_dir, exec_mode):
        tell("post")
    def clean_model_dir(self, model_dir):
        tell("clean", Path(model_dir).name)

class Loader(DataLoader):
    def get_train_input(self, mode=ModeKeys.TRAIN, **kwargs): return f"train for {{mode}}"
    def get_test_input(self, **kwargs): return "test"
    def get_train_sample_count(self): return 10
    def get_test_sample_count(self): return 4

made = Versions(dataloader=Loader(), batch_size=4, epoc_count=2)
made.add("v")
MODEL = Traced(made{options})
"""


def test_the_parts_come_in_order_with_steps_from_epochs_and_samples(project):
    project.script("traced.py", TRACED.format(trained=None, options=""))
    project.list("traced.py")

    project.run("-r")

    assert calls(project) == [
        ["pre", "v", "traced", "Train"],
        ["train", "train for Train", 6],
        ["evaluate", "train for Test", 10],
        ["evaluate", "test", 4],
        ["post"],
    ]


def test_trained_steps_are_taken_off_and_never_go_below_zero(project):
    for name, trained, options in (
        ("some", 4, ""),
        ("all", 6, ""),
        ("more", 100, ""),
        ("reset", 4, ", reset_steps=True"),
    ):
        project.script(f"{name}.py", TRACED.format(trained=trained, options=options))
    project.list("some.py", "all.py", "more.py", "reset.py")

    project.run("-r")

    steps = {
        name: [call[2] for call in calls(project, name) if call[0] == "train"]
        for name in ("some", "all", "more", "reset")
    }
    assert steps == {"some": [2], "all": [], "more": [], "reset": [6]}


def test_a_fresh_start_cleans_the_model_dir_only_where_the_script_allows_it(project):
    project.script(
        "traced.py", TRACED.format(trained=None, options=", allow_delete_model_dir=True")
    )
    project.list("traced.py")

    project.run("-r")

    assert calls(project)[0] == ["clean", "traced"]


def test_an_exception_in_one_evaluation_does_not_skip_the_other(project):
    project.script(
        "half.py",
        """
        from _base import *
        class Half(Model):
            def evaluate_model(self, input_fn, steps):
                if len(input_fn) == 10:
                    raise RuntimeError("no train data")
                return 0.5
            def post_execution_hook(self, version, model_dir, exec_mode):
                print("post")
        MODEL = Half(versions("v"))
        """,
    )
    project.list("half.py")

    done = project.run("-r")

    assert done.returncode == 1
    assert project.outcomes() == {"half/v#1": "failed RuntimeError: no train data"}
    assert project.record("half", "v")["results"] == {"test": 0.5}
    assert "post" in (project.folder_of("half", "v") / "console.log").read_text()


def test_a_data_loader_may_be_an_instance_a_class_or_a_function(project):
    project.script(
        "loaders.py",
        """
        from _base import *
        def make(): return Data()
        made = Versions(batch_size=1, epoch_count=1)
        made.add("instance", dataloader=Data())
        made.add("class", dataloader=Data)
        made.add("function", dataloader=make)
        class Loaded(Model):
            def evaluate_model(self, input_fn, steps):
                assert isinstance(self.dataloader, Data)
                assert self.current_version["dataloader"] is self.dataloader
        MODEL = Loaded(made)
        """,
    )
    project.list("loaders.py")

    assert project.run("-r").returncode == 0


def test_progress_and_metrics_are_recorded(project):
    project.model(
        "steps.py",
        "v",
        body="""
        for step in range(1, 4):
            self.progress(step, loss=1 / step)
        for _ in self.track(range(5)):
            pass
        """,
    )
    project.list("steps.py")

    project.run("-r")

    lines = (project.folder_of("steps", "v") / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]
    assert [json.loads(line)["loss"] for line in lines] == [1.0, 0.5, 1 / 3]
