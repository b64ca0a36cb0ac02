"""Which of the project's own files a command's script imports, read from its text."""

import pytest

from mlpipeline.sources import imports, read_imports
from mlpipeline.sources.python_programs import main_of
from mlpipeline.sources.read_imports import follow


@pytest.fixture
def found(tmp_path, monkeypatch):
    """What a script of this text imports, where there are these ``files``."""
    monkeypatch.setattr(read_imports, "READ", set())
    monkeypatch.setattr(read_imports, "STAMPS", {})

    def found(text, files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        script = tmp_path / "train.py"
        script.write_text(text)
        follow([str(script)], [str(tmp_path)], str(tmp_path))
        return sorted(each.removeprefix(f"{tmp_path}/") for each in read_imports.READ)

    return found


@pytest.mark.parametrize(
    "text",
    [
        "import util",
        "import os, util as u",
        "from util import x  # y",
        "def f():\n    import util",
        "from util import (\n    a,\n    b,\n)",
        "try:\n    import util\nexcept ImportError: pass",
    ],
)
def test_a_module_beside_the_script_is_found_however_it_is_imported(found, text):
    assert found(text, {"util.py": ""}) == ["util.py"]


def test_what_is_imported_is_followed_with_the_packages_that_it_is_in(found):
    files = {
        "net/__init__.py": "",
        "net/cnn.py": "from . import layers\nfrom .. import x\nfrom .sub import (  # all\n deep)",
        "net/layers.py": "import util",
        "net/sub/deep.py": "",
        "net/unused.py": "",
        "util.py": "import train",
    }

    assert found("from net import cnn", files) == [
        *("net/__init__.py", "net/cnn.py", "net/layers.py", "net/sub/deep.py", "util.py")
    ]


def test_what_is_installed_or_elsewhere_is_passed_over(found, tmp_path):
    site = tmp_path / "lib" / "site-packages"
    site.mkdir(parents=True)
    (site / "util.py").write_text("")
    (tmp_path / "run.py").write_text("import util, json, nowhere")

    follow([str(tmp_path / "run.py")], [str(site), "/usr/lib"], str(tmp_path))

    assert set() == read_imports.READ


def test_there_is_an_end_to_what_is_followed(found, monkeypatch):
    monkeypatch.setattr(read_imports, "MOST", 3)
    chain = {f"m{i}.py": f"import m{i + 1}" for i in range(10)}

    assert found("import m0", chain) == ["m0.py", "m1.py", "m2.py"]


def test_what_is_found_is_stamped_as_what_is_loaded():
    assert read_imports.STAMPS is imports.STAMPS


@pytest.mark.parametrize(
    "line, main",
    [
        ("python train.py -m x", ("train.py", "")),
        ("python -u -W ignore -Xdev train.py", ("train.py", "")),
        ("python -um pkg.train", ("", "pkg.train")),
        ("python -mpkg", ("", "pkg")),
        ("python -c pass", ("", "")),
        ("python - x", ("", "")),
        ("python --version", ("", "")),
        ("python", ("", "")),
    ],
)
def test_what_python_is_to_run_is_told_from_its_options(line, main):
    assert main_of(line.split()) == main
