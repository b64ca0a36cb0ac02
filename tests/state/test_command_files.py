"""Command files as `mlpipeline add` edits them."""

import pytest
import yaml

from mlpipeline.state.command_files import new, read, with_versions


@pytest.mark.parametrize("number", [4, 4.0, 0.5, 1e-7, 1e22])
def test_a_version_with_numbers_is_added_to_a_file_that_is_there(tmp_path, number):
    path = tmp_path / "a.yaml"
    path.write_text(new(["python", "a.py"], shared={}, version={"name": "one", "cpus": 1}))
    version = {"name": "0x1", "arguments": ["1e3", "yes"], "cpus": number}

    after = with_versions(path, read(path), [version])

    assert yaml.safe_load(after)["versions"] == [{"name": "one", "cpus": 1}, version]
