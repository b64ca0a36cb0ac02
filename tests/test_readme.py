"""The README's promises that a machine can hold."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TWO_COMMANDS = [
    "python3 -m venv .venv && .venv/bin/pip install '.[examples]' && .venv/bin/mlpipeline -r -u",
    ".venv/bin/pip install '.[test]' && .venv/bin/pytest",
]


@pytest.mark.parametrize("command", TWO_COMMANDS)
def test_the_two_commands_stand_in_the_readme_and_are_what_ci_runs(command):
    assert f"    {command}\n" in (ROOT / "README.md").read_text()
    assert f"\n{command}\n" in (ROOT / ".ci" / "run").read_text()


def test_its_links_lead_somewhere():
    import re

    links = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "README.md").read_text())

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
