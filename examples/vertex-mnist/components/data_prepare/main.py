"""Writes the hand-written digits that come with scikit-learn as MNIST's files: a Hydra app."""

import gzip
import struct
from pathlib import Path

import hydra
import numpy as np
from omegaconf import DictConfig
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

NAMES = ("train-images-idx3", "t10k-images-idx3", "train-labels-idx1", "t10k-labels-idx1")


def write_idx(path: Path, values: np.ndarray) -> None:
    """Write bytes of any shape as MNIST has them: a zero, the type, the sizes, the values."""
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    with gzip.open(path, "wb") as file:
        file.write(header + values.astype(np.uint8).tobytes())


@hydra.main(config_path=".", config_name="config", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Write the folder of the dataset, and how many images there are."""
    digits = load_digits()
    parts = train_test_split(
        digits.images * 255 / 16, digits.target, test_size=cfg.test_share, random_state=cfg.seed
    )
    folder = Path(cfg.dataset)
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in zip(NAMES, parts, strict=True):
        write_idx(folder / f"{name}-ubyte.gz", values)
    count = Path(cfg.image_count)
    count.parent.mkdir(parents=True, exist_ok=True)
    count.write_text(str(len(digits.target)))
    print(f"{cfg.project}: {len(parts[2])} images to train on and {len(parts[3])} to test with")


if __name__ == "__main__":
    main()
