"""Drops lines with too few words, and those that are there twice."""

import argparse
import re
import sys
from pathlib import Path

import mlflow

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _utils import log_metrics, read_rows, write_rows


def go(args: argparse.Namespace) -> None:
    """Clean the data."""
    with mlflow.start_run():
        rows = read_rows(args.input_artifact)
        clean = {}
        for text, label in rows:
            words = re.findall(r"[A-Za-z]{2,}", text)
            if len(words) >= args.min_words:
                clean[" ".join(words).lower()] = label
        write_rows(args.output_artifact, clean.items())
        log_metrics({"rows": len(clean), "dropped": len(rows) - len(clean)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input_artifact", required=True)
    parser.add_argument("--output_artifact", required=True)
    parser.add_argument("--min_words", type=int, default=4)
    go(parser.parse_args())
