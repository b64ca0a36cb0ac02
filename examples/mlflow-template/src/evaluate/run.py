"""Tests the model on what was set aside."""

import argparse
import json
import pickle
import sys
from pathlib import Path

import mlflow
from sklearn.metrics import accuracy_score, f1_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _utils import log_metrics, read_rows, whole_file


def go(args: argparse.Namespace) -> None:
    """Evaluate the model."""
    with mlflow.start_run():
        model = pickle.loads(Path(args.model_artifact).read_bytes())
        texts, labels = zip(*read_rows(args.test_artifact), strict=True)
        found = model.predict(texts)
        metrics = {
            "accuracy": accuracy_score(labels, found),
            "f1": f1_score(labels, found, average="macro"),
        }
        with whole_file(args.output_artifact) as temporary:
            temporary.write_text(json.dumps(metrics) + "\n")
        log_metrics(metrics)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model_artifact", required=True)
    parser.add_argument("--test_artifact", required=True)
    parser.add_argument("--output_artifact", required=True)
    go(parser.parse_args())
