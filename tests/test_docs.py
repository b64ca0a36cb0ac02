"""What docs/cli.md and docs/json.md say is what the commands do."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from mlpipeline.cli.main import COMMANDS, cli
from mlpipeline.cli.schemas import PRINTED

ROOT = Path(__file__).parents[1]


def command(name):
    group, _, inner = name.partition(" ")
    found = cli.get_command(click.Context(cli), group)
    return found.commands[inner] if inner else found


def every():
    for name in COMMANDS:
        found = command(name)
        if isinstance(found, click.Group):
            yield from (f"{name} {inner}" for inner in found.commands)
        else:
            yield name


def test_they_are_as_scripts_make_docs_writes_them():
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "make-docs"), "--check"],
        capture_output=True,
        text=True,
    )

    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("name", sorted({*COMMANDS, *every()}))
def test_the_help_of_each_command_is_a_sentence_and_an_example(name):
    text = command(name).help

    assert text.splitlines()[0].endswith((".", ",", ";")) or text.split("\n\n")[0].endswith(".")
    example = text.partition("\b\n")[2]
    assert f"mlpipeline {name}" in example or name == "init"


@pytest.mark.parametrize("name", list(every()))
def test_each_command_has_json_and_its_type_is_known(name):
    assert "--json" in [option for each in command(name).params for option in each.opts]
    assert name in PRINTED


@pytest.mark.parametrize("name", [None, *sorted({*COMMANDS, *every()})])
def test_the_help_fits_80_columns(name):
    words = [*(name or "").split(), "--help"]

    done = subprocess.run(
        [sys.executable, "-m", "mlpipeline", *words],
        capture_output=True,
        text=True,
        env={"COLUMNS": "80"},
    )

    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
