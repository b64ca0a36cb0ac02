"""Sets a part of the data aside, to test with."""

import argparse
import sys
from pathlib import Path

import mlflow
from sklearn.model_selection import train_test_split

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _utils import read_rows, write_rows


def go(args: argparse.Namespace) -> None:
    """Split the data, with the same share of each label in both parts."""
    with mlflow.start_run():
        rows = read_rows(args.input_artifact)
        train, test = train_test_split(
            rows,
            test_size=args.test_size,
            random_state=args.random_seed,
            stratify=[label for _, label in rows],
        )
        write_rows(args.train_artifact, train)
        write_rows(args.test_artifact, test)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input_artifact", required=True)
    parser.add_argument("--train_artifact", required=True)
    parser.add_argument("--test_artifact", required=True)
    parser.add_argument("--test_size", type=float, default=0.25)
    parser.add_argument("--random_seed", type=int, default=42)
    go(parser.parse_args())
