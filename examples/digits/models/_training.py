"""How all models here are trained: batch by batch with partial_fit, saved once an epoch."""

import shutil
from pathlib import Path

import joblib
from _data import batch_at, batches_per_epoch
from sklearn.metrics import accuracy_score, log_loss

from mlpipeline import Model

DIGITS = range(10)


class Classifier(Model):
    def make_classifier(self, version):
        """An untrained scikit-learn classifier with partial_fit and predict_proba."""
        raise NotImplementedError

    def pre_execution_hook(self, version, model_dir, exec_mode):
        """Load what an interrupted run has saved, or begin anew."""
        self.checkpoint = Path(model_dir, "checkpoint.joblib")
        if self.checkpoint.exists():
            self.classifier, self.trained = joblib.load(self.checkpoint)
        else:
            self.classifier, self.trained = self.make_classifier(version), 0

    def get_trained_step_count(self):
        return self.trained

    def train_model(self, input_fn, steps):
        size, seed = self.current_version["batch_size"], self.current_version["seed"]
        end = self.trained + steps
        while self.trained < end:
            images, labels = batch_at(self.trained, input_fn, size, seed)
            self.classifier.partial_fit(images, labels, classes=DIGITS)
            self.trained += 1
            metrics = {}
            if self.trained % batches_per_epoch(input_fn, size) == 0 or self.trained == end:
                self.save()
                metrics = self.measure(input_fn)
            self.progress(self.trained, end, **metrics)

    def evaluate_model(self, input_fn, steps):
        return self.measure(input_fn)

    def measure(self, data):
        images, labels = data
        probabilities = self.classifier.predict_proba(images)
        return {
            "loss": log_loss(labels, probabilities, labels=DIGITS),
            "accuracy": accuracy_score(labels, probabilities.argmax(axis=1)),
        }

    def save(self):
        """Write the checkpoint so that a crash leaves the old one or the new one, never half."""
        temporary = self.checkpoint.with_suffix(".tmp")
        joblib.dump((self.classifier, self.trained), temporary)
        temporary.replace(self.checkpoint)

    def clean_model_dir(self, model_dir):
        """A fresh start: forget what an earlier one has saved."""
        shutil.rmtree(model_dir)
