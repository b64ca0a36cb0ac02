"""Fetches the raw data: lines of text, each with the name of the file that it comes from."""

import argparse
import sys
from importlib.resources import files
from pathlib import Path

import mlflow

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _utils import write_rows


def go(args: argparse.Namespace) -> None:
    """Read the texts that a package has."""
    scheme, _, package = args.file_url.partition("://")
    if scheme != "package":
        sys.exit(f"file_url is {args.file_url}: only package://NAME can be fetched here")
    texts = sorted(
        (each for each in files(package).iterdir() if each.name.endswith(".rst")),
        key=lambda each: each.name,
    )
    with mlflow.start_run():
        rows = [
            (line, text.name.removesuffix(".rst"))
            for text in texts
            for line in text.read_text("utf-8").splitlines()
        ]
        write_rows(args.output_artifact, rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file_url", required=True)
    parser.add_argument("--output_artifact", required=True)
    go(parser.parse_args())
