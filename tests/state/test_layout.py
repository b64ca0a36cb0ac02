"""The layout: names that become paths, and where everything of a project lies."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlpipeline.core.runs import RunId
from mlpipeline.core.safe_names import LONGEST_NAME
from mlpipeline.state.layout import Layout, safe_name

# Short texts of few letters meet each other's encodings; long ones meet the cap.
NAMES = st.text(max_size=300) | st.text(st.sampled_from("aA.%~/ E2\u00e9\ud800"), max_size=6)
PAIRS = st.tuples(NAMES, NAMES) | NAMES.map(lambda name: (name, safe_name(name)))


@pytest.fixture
def layout(tmp_path):
    return Layout.of(tmp_path, tmp_path / "models", "gpu-1")


# --- safe_name


@pytest.mark.parametrize("name", ["digits", "lr=0.1,depth=2", "a.b", "A_b+c@d-e", "..."[:0] + "a"])
def test_a_name_of_harmless_characters_stays(name):
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/b", "a%2Fb"),
        ("a b", "a%20b"),
        ("100%", "100%25"),
        ("größe", "gr%C3%B6%C3%9Fe"),
        (".hidden", "%2Ehidden"),
        ("..", "%2E."),
        ("a\\b:c*", "a%5Cb%3Ac%2A"),
        ("", "%"),
    ],
)
def test_other_characters_and_a_leading_dot_become_the_percent_code_of_their_bytes(name, path):
    assert safe_name(name) == path


@given(NAMES)
@example(".")
@example("..")
@example("../../etc/passwd")
@example("\0")
def test_a_name_never_leaves_its_folder(name):
    path = safe_name(name)

    assert path not in ("", ".", "..")
    assert re.fullmatch(r"[A-Za-z0-9._=+,@%~-]+", path)
    assert not path.startswith(".")


@given(NAMES)
@example("x" * 121)
@example("é" * 100)
def test_a_name_is_never_too_long_for_a_file_system(name):
    assert len(safe_name(name)) <= LONGEST_NAME


@given(PAIRS)
@example(("%", ""))
@example(("a/b", "a%2Fb"))
@example(("x" * 200, "x" * 201))
@example(("x" * 200, safe_name("x" * 200)))
def test_distinct_names_are_distinct_paths(pair):
    one, other = pair

    assert (safe_name(one) == safe_name(other)) == (one == other)


def test_a_long_name_begins_as_it_is_and_ends_in_a_digest():
    path = safe_name("digits-" * 40)

    assert path.startswith("digits-digits-")
    assert re.fullmatch(r".*~[0-9a-f]{12}", path)


def test_a_name_can_be_made_a_file(tmp_path):
    for name in ("..", "\n", "a/b", "x" * 500, "", "é" * 200):
        (tmp_path / safe_name(name)).touch()

    assert len(list(tmp_path.iterdir())) == 6


# --- Layout


def test_outputs_lie_in_models_dir(layout):
    assert layout.outputs == layout.models_dir / "outputs"


def test_each_host_has_its_own_records(layout):
    names = [layout.log.name, layout.output.name, layout.history.name]

    assert names == ["log-gpu-1", "output-gpu-1", "history-gpu-1"]
    assert {path.parent for path in (layout.log, layout.output, layout.history, layout.lock)} == {
        layout.outputs
    }


def test_without_a_host_it_is_this_one(tmp_path, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "this-host")

    assert Layout.of(tmp_path, tmp_path).history.name == "history-this-host"


def test_a_hosts_name_never_leaves_outputs(tmp_path):
    layout = Layout.of(tmp_path, tmp_path, "../../x")

    for path in (layout.log, layout.output, layout.history, layout.lock):
        assert path.parent == layout.outputs


def test_a_model_dir_lies_in_model_ckpts(layout):
    assert layout.model_dir("digits-big") == layout.outputs / "model_ckpts" / "digits-big"


@given(NAMES)
def test_no_model_dir_leaves_model_ckpts(name):
    layout = Layout.of(Path("/p"), Path("/p/models"), "h")

    assert layout.model_dir(name).parent == layout.outputs / "model_ckpts"


def test_a_run_has_a_folder_by_model_version_and_attempt(layout):
    folder = layout.run_folder(RunId("sub/digits", "lr=0.1, depth=2", 3))

    assert folder.path == layout.outputs / "runs" / "sub%2Fdigits" / "lr=0.1,%20depth=2" / "3"


def test_the_files_of_a_run_have_the_documented_names(layout):
    folder = layout.run_folder(RunId("m", "v", 1))

    files = [folder.record, folder.processes, folder.console, folder.exit]
    assert [path.name for path in files] == [
        "run.yaml",
        "proc.json",
        "console.log",
        "exit.json",
    ]
    assert {path.parent for path in files} == {folder.path}


@given(st.tuples(NAMES, NAMES, st.integers(1, 99)), st.tuples(NAMES, NAMES, st.integers(1, 99)))
def test_distinct_runs_have_distinct_folders(one, other):
    layout = Layout.of(Path("/p"), Path("/p/models"), "h")

    folders = {layout.run_folder(RunId(*each)).path for each in (one, other)}

    assert len(folders) == len({one, other})


def test_the_histories_are_those_of_all_hosts_this_one_first(layout):
    layout.outputs.mkdir(parents=True)
    for name in ("history-b", "history-gpu-1", "history-a", "log-c", "history-a.damaged-1"):
        (layout.outputs / name).touch()

    assert layout.histories() == {
        "gpu-1": layout.history,
        "a": layout.outputs / "history-a",
        "b": layout.outputs / "history-b",
    }


def test_this_hosts_history_is_named_before_it_exists(layout):
    assert layout.histories() == {"gpu-1": layout.history}
