"""The same models as versions in the queue: the configuration says which."""

from pathlib import Path

import joblib
from ds.dataset import open_data
from ds.tracking import Tracker
from ds.training import measure, train_step
from hydra.utils import instantiate

from mlpipeline import DataLoader, Model, Versions


class Digits(DataLoader):
    def open(self, cfg):
        """Called with the version's config before anything is asked for."""
        self.train, self.test = open_data(cfg, "train"), open_data(cfg, "test")

    def get_train_input(self, mode=None, **kwargs):
        return self.train

    def get_test_input(self, **kwargs):
        return self.test

    def get_train_sample_count(self):
        return len(self.train)

    def get_test_sample_count(self):
        return len(self.test)


class Classifier(Model):
    def pre_execution_hook(self, version, model_dir, exec_mode):
        """Load what an interrupted run has saved, or make what the config describes."""
        self.dataloader.open(version.cfg)
        self.tracker = Tracker(Path(version.cfg.paths.log))
        self.checkpoint = Path(model_dir, "checkpoint.joblib")
        if self.checkpoint.exists():
            self.classifier, self.trained = joblib.load(self.checkpoint)
        else:
            self.classifier, self.trained = instantiate(version.cfg.model), 0

    def get_trained_step_count(self):
        return self.trained

    def train_model(self, input_fn, steps):
        end = self.trained + steps
        while self.trained < end:
            train_step(self.classifier, input_fn, self.trained)
            self.trained += 1
            if self.trained % input_fn.per_epoch == 0 or self.trained == end:
                self.end_epoch(-(-self.trained // input_fn.per_epoch))
            self.progress(self.trained, end)

    def end_epoch(self, epoch):
        """Track how good the model is by now, and save it."""
        self.tracker.log(epoch, **measure(self.classifier, self.dataloader.test))
        temporary = self.checkpoint.with_suffix(".tmp")
        joblib.dump((self.classifier, self.trained), temporary)
        temporary.replace(self.checkpoint)

    def evaluate_model(self, input_fn, steps):
        return measure(self.classifier, input_fn)


# One version for each combination of what is swept, as with `python main.py --multirun`.
MODEL = Classifier(
    Versions.from_hydra(
        "../conf",
        overrides=["model=linear,mlp", "params.lr=0.01,0.001"],
        dataloader=Digits,
        batch_size="params.batch_size",
        epoch_count="params.epoch_count",
        model_dir_suffix=True,
    )
)
