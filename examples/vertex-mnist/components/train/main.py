"""Trains a classifier of hand-written digits: a Hydra app."""

import gzip
import json
import struct
from pathlib import Path

import hydra
import numpy as np
from omegaconf import DictConfig

CLASSES = 10


def read_idx(path: Path) -> np.ndarray:
    """The bytes in a file of MNIST's."""
    with gzip.open(path, "rb") as file:
        content = file.read()
    dimensions = content[3]
    start = 4 + 4 * dimensions
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    return np.frombuffer(content[start:], np.uint8).reshape(shape)


def images(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Images as rows of numbers up to 1, and their labels."""
    rows = read_idx(folder / f"{name}-images-idx3-ubyte.gz")
    return rows.reshape(len(rows), -1) / 255, read_idx(folder / f"{name}-labels-idx1-ubyte.gz")


@hydra.main(config_path="conf", config_name="config", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Train by softmax regression in small batches; write the model and its metrics."""
    rows, labels = images(Path(cfg.dataset), "train")
    test_rows, test_labels = images(Path(cfg.dataset), "t10k")
    random = np.random.default_rng(cfg.seed)
    weights, bias = np.zeros((rows.shape[1], CLASSES)), np.zeros(CLASSES)
    accuracy = loss = 0.0
    for epoch in range(cfg.params.epochs):
        for batch in np.array_split(random.permutation(len(rows)), len(rows) // 32):
            chances = _softmax(rows[batch] @ weights + bias)
            wrong = chances - np.eye(CLASSES)[labels[batch]]
            weights -= cfg.params.lr * rows[batch].T @ wrong / len(batch)
            bias -= cfg.params.lr * wrong.mean(axis=0)
        chances = _softmax(test_rows @ weights + bias)
        loss = float(-np.log(chances[range(len(test_labels)), test_labels]).mean())
        accuracy = float((chances.argmax(axis=1) == test_labels).mean())
        print(f"epoch {epoch + 1}: loss={loss:.4f} accuracy={accuracy:.4f}")
    for path in (cfg.model, cfg.metrics, cfg.accuracy):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    with Path(cfg.model).open("wb") as file:  # under the name it is given, without .npz
        np.savez(file, weights=weights, bias=bias)
    Path(cfg.metrics).write_text(json.dumps({"loss": loss, "accuracy": accuracy}))
    Path(cfg.accuracy).write_text(str(accuracy))


def _softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


if __name__ == "__main__":
    main()
