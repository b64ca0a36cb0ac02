"""Scripts written for the historic mlpipeline run unmodified."""

HISTORIC = """
import logging
from mlpipeline.helper import Model, Dataloader, DataLoader
from mlpipeline.utils import (
    ExecutionModeKeys, ModeKeys, MetricContainer, Metric, Versions, add_script_dir_to_PATH,
    console_colors, log, set_logger, version_parameters,
)

add_script_dir_to_PATH()


class MyLoader(DataLoader):
    def __init__(self):
        self.log("loader made")

    def get_train_input(self, mode=ModeKeys.TRAIN, **kargs):
        return ["train", mode]

    def get_test_input(self, **kargs):
        return ["test"]

    def get_train_sample_count(self):
        return 20

    def get_test_sample_count(self):
        return 5

    def get_dataloader_summery(self):
        return "twenty samples"


class Digits(Model):
    def __init__(self, versions, **kwargs):
        self.versions = versions
        self.metrics = MetricContainer(metrics=["loss"], track_average_epoc_count=5)

    def pre_execution_hook(self, version, model_dir, exec_mode=ExecutionModeKeys.TEST):
        self.version = version
        self.log("mode {} {}".format(exec_mode == ExecutionModeKeys.TEST, self.name))
        self.log("hyper {}".format(version["hyperparameter"]), log_to_file=True)
        self.add_to_summery("summed")

    def get_current_version(self):
        return self.version

    def get_trained_step_count(self):
        return 10

    def train_model(self, input_fn, steps):
        for _ in range(steps):
            self.metrics.loss.update(1.0, 1)
        self.metrics.log_metrics()
        log("trained", logging.INFO, modifier_1=console_colors.GREEN_FG)
        set_logger().info("by the logger")
        return "done"

    def evaluate_model(self, input_fn, steps):
        assert input_fn in (["train", ExecutionModeKeys.TEST], ["test"])
        return "accuracy {}".format(steps)

    def clean_model_dir(self, model_dir):
        self.log("********* Cleaning model dir")


v = Versions(0.01, MyLoader(), 1, 10, None, None, use_all_classes=True, classes_count=3)
v.addV("version1", custom_paramters={"hyperparameter": "x"})
v.addV("version2", custom_paramters={"hyperparameter": "y"}, epoc_count=1)
assert v.versions["version1"][version_parameters.EPOC_COUNT] == 10
MODEL = Digits(versions=v)
"""


def test_a_historic_script_is_rehearsed_and_run(project):
    project.script("digits.py", HISTORIC)
    project.list("digits.py")
    project.list("digits.py", test=True)

    rehearsal = project.run()
    done = project.run("--run", "--use-history", "--no_log")

    assert rehearsal.returncode == 0, rehearsal.stdout + rehearsal.stderr
    assert "mode True digits" in rehearsal.stdout
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mode False digits" in done.stdout
    assert "Warning" not in done.stdout + done.stderr
    record = project.record("digits", "version1")
    assert record["steps"] == 190  # 10 epochs × 20 samples − the 10 steps already trained
    assert record["results"] == {"train": "accuracy 20", "test": "accuracy 5"}
    assert record["summary"] == {"model": "summed", "dataloader": "twenty samples"}
    assert record["parameters"]["hyperparameter"] == "x"


def test_its_log_reaches_the_log_file(project):
    project.script("digits.py", HISTORIC)
    project.list("digits.py")

    project.run("-r")

    log = project.text("log")
    for said in ("hyper x", "hyper y", "trained", "by the logger"):
        assert said in log
    assert "loader made" not in log  # Model.log and DataLoader.log stay on the console
    assert "\033" not in log
