"""Images and labels in files of the IDX format (http://yann.lecun.com/exdb/mnist/), as MNIST's."""

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

UNSIGNED_BYTE = 0x08  # the only type of values that is used here


class Batches:
    """The samples of a data set: images of shape (n, pixels), scaled to [0, 1], and n labels."""

    def __init__(self, data: Path, labels: Path, batch_size: int, seed: int):
        images = read_idx(data)
        self.images = images.reshape(len(images), -1) / max(int(images.max()), 1)
        self.labels = read_idx(labels)
        self.batch_size = batch_size
        self.seed = seed

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.labels)

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The batch of training step `step`; each epoch has an order of its own."""
        epoch, index = divmod(step, self.per_epoch)
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self))
        chosen = order[index * self.batch_size : (index + 1) * self.batch_size]
        return self.images[chosen], self.labels[chosen]

    @property
    def per_epoch(self) -> int:
        """The number of batches in an epoch; the last one may be smaller."""
        return -(-len(self) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return (self.batch(step) for step in range(self.per_epoch))


def open_data(cfg: DictConfig, part: str) -> Batches:
    """The `train` or `test` data that the config names."""
    folder = Path(cfg.paths.data)
    data, labels = (folder / cfg.files[f"{part}_{kind}"] for kind in ("data", "labels"))
    if not data.exists():
        raise FileNotFoundError(f"{data} is not there; make it: python make_data.py")
    return Batches(data, labels, cfg.params.batch_size, cfg.params.seed)


def read_idx(path: Path) -> np.ndarray:
    """The array of unsigned bytes in a gzipped IDX file."""
    with gzip.open(path) as file:
        zero, kind, rank = struct.unpack(">HBB", file.read(4))
        if zero or kind != UNSIGNED_BYTE:
            raise ValueError(f"{path} holds no unsigned bytes in the IDX format")
        shape = struct.unpack(f">{rank}I", file.read(4 * rank))
        return np.frombuffer(file.read(), np.uint8).reshape(shape)


def write_idx(path: Path, values: np.ndarray) -> None:
    """Write an array of unsigned bytes as a gzipped IDX file."""
    with gzip.open(path, "wb") as file:
        file.write(struct.pack(f">HBB{values.ndim}I", 0, UNSIGNED_BYTE, values.ndim, *values.shape))
        file.write(values.astype(np.uint8).tobytes())
