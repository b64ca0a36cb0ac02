"""Trains a random forest on the weights of words (tf-idf)."""

import argparse
import pickle
import sys
from pathlib import Path

import mlflow
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _utils import log_metrics, read_rows, whole_file


def go(args: argparse.Namespace) -> None:
    """Train the model, and say how it does on what its trees have not seen."""
    with mlflow.start_run():
        texts, labels = zip(*read_rows(args.train_artifact), strict=True)
        forest = RandomForestClassifier(
            n_estimators=args.n_estimators,
            max_features=min(args.max_features, args.max_tfidf_features),
            max_depth=args.max_depth or None,
            oob_score=True,
            random_state=args.random_seed,
        )
        model = make_pipeline(TfidfVectorizer(max_features=args.max_tfidf_features), forest)
        model.fit(texts, labels)
        with whole_file(args.output_artifact) as temporary:
            temporary.write_bytes(pickle.dumps(model))
        log_metrics({"oob_accuracy": forest.oob_score_})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train_artifact", required=True)
    parser.add_argument("--output_artifact", required=True)
    parser.add_argument("--max_tfidf_features", type=int, default=300)
    parser.add_argument("--n_estimators", type=int, default=50)
    parser.add_argument("--max_features", type=int, default=10)
    parser.add_argument("--max_depth", type=int, default=0, help="0: any")
    parser.add_argument("--random_seed", type=int, default=42)
    go(parser.parse_args())
