"""Trains a classifier of hand-written digits as the config says: a Hydra app like any other."""

from pathlib import Path

import hydra
from ds.dataset import open_data
from ds.tracking import Tracker
from ds.training import measure, train_step
from hydra.utils import instantiate
from omegaconf import DictConfig


@hydra.main(config_path="conf", config_name="config", version_base="1.3")
def main(cfg: DictConfig) -> float:
    """Train, print the accuracy after each epoch, and return the last one on test data."""
    train, test = open_data(cfg, "train"), open_data(cfg, "test")
    model = instantiate(cfg.model)
    tracker = Tracker(Path(cfg.paths.log))
    accuracy = 0.0
    for epoch in range(cfg.params.epoch_count):
        for step in range(epoch * train.per_epoch, (epoch + 1) * train.per_epoch):
            train_step(model, train, step)
        on_train, on_test = measure(model, train), measure(model, test)
        accuracy = on_test["accuracy"]
        print(
            f"[Epoch: {epoch + 1}/{cfg.params.epoch_count}] "
            f"Test Accuracy: {accuracy:.4f}, Train Accuracy: {on_train['accuracy']:.4f}"
        )
        tracker.log(epoch + 1, loss=on_train["loss"], test_loss=on_test["loss"], accuracy=accuracy)
    return accuracy


if __name__ == "__main__":
    main()
