"""The README's promises that a machine can hold."""

import re
from pathlib import Path

import pytest

from mlpipeline.state.config import Settings, read_settings
from mlpipeline.state.mlflow_config import MLFLOW_KEYS
from mlpipeline.state.notify_config import NOTIFY_KEYS

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

    links = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "README.md").read_text())

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_each_promise_names_a_test_that_is_there():
    promised = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "reliability.md").read_text()))
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))

    assert len(promised) > 30
    assert {name for name in promised if f"def {name}(" not in tests} == set()


def test_the_settings_that_a_new_project_shows_are_the_defaults(tmp_path):
    shown = (ROOT / "mlpipeline" / "service" / "templates" / "mlp.config").read_text()
    (tmp_path / "models").mkdir()
    configs = [shown, re.sub(r"^# (\w+ = )", r"\1", shown, flags=re.M)]
    read = []
    for text in configs:
        (tmp_path / "mlp.config").write_text(text)
        read.append(read_settings(tmp_path))

    assert read[0] == read[1]
    keys = {*Settings.__struct_fields__, *NOTIFY_KEYS, *MLFLOW_KEYS}
    keys -= {"notify", "mlflow", "warnings"}
    assert all(f"{key} = " in shown for key in keys)
