"""Writes the hand-written digits that come with scikit-learn to data/raw, in MNIST's format."""

from pathlib import Path

from ds.dataset import write_idx
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

FOLDER = Path(__file__).parent / "data/raw"


def main() -> None:
    """Write training and test images, with their labels."""
    digits = load_digits()
    parts = train_test_split(digits.images, digits.target, test_size=0.2, random_state=0)
    names = ("train-images-idx3", "t10k-images-idx3", "train-labels-idx1", "t10k-labels-idx1")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, values in zip(names, parts, strict=True):
        write_idx(FOLDER / f"{name}-ubyte.gz", values)
    print(f"{len(parts[2])} training and {len(parts[3])} test images are in {FOLDER}")


if __name__ == "__main__":
    main()
