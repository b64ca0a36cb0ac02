"""What the shell offers: commands, and the names of what there is."""

import os
import shutil
import subprocess
import sys

import pexpect
import pytest
from projects import COMMAND, Project, offered


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A project whose names have what shells stumble over."""
    project = Project(tmp_path_factory.mktemp("completion") / "project")
    body = "self.log_metrics({'loss': 0.5, 'late': 1}, step=1)"
    project.model("digits.py", "lr=0.1", "lr=0.1,depth=2", body=body)
    project.model("other.py", "plain")
    (project.folder / "models" / "vision").mkdir()
    project.model("vision/resnet.py", "a")
    project.list("digits.py", "other.py", "vision/resnet.py")
    project.run("-r", "-u")
    return project


RUNS = ["digits/lr=0.1", "digits/lr=0.1,depth=2"]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("sta", ["status", "start"]),
        ("add d", ["digits.py"]),
        ("add digits.py ", ["lr=0.1", "lr=0.1,depth=2"]),
        ("status --model o", ["other"]),
        ("status --state out", ["out of memory"]),
        ("status --state ru", ["running"]),
        *((f"{command} dig", RUNS) for command in ("explain", "logs", "show", "diff", "cancel")),
        ("retry other", ["other/plain"]),
        ("logs other/plain#", ["other/plain#1"]),
        ("plot l", ["loss", "late"]),
        ("plot loss dig", RUNS),
        ("results d", ["digits", *RUNS]),
        ("results v", ["vision/resnet", "vision/resnet/a"]),
        ("results --best test", ["test.size"]),
        ("results --best lo", ["loss", "loss.best"]),
        ("results --sort mod", ["model", "model_dir_suffix"]),
    ],
)
def test_the_shell_is_offered_the_names_of_what_there_is(named, words, names):
    assert offered(named, words) == names


@pytest.mark.parametrize(
    "words", ["explain ", "plot ", "plot loss ", "results ", "results --best "]
)
def test_it_is_offered_nothing_where_there_is_no_project(named, words):
    assert offered(named, words, cwd="/") == []


@pytest.mark.parametrize("words", ["explain ", "plot ", "results --best "])
def test_it_is_offered_nothing_where_the_config_is_broken(named, words, tmp_path):
    (tmp_path / "mlp.config").write_text("not a config")

    assert offered(named, words, cwd=tmp_path) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(named, shell):
    done = subprocess.run(
        COMMAND,
        env={**os.environ, "_MLPIPELINE_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0
    assert f"_MLPIPELINE_COMPLETE={shell}_complete" in done.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("mlpipeline expl", "mlpipeline explain "),
        ("mlpipeline explain oth", "mlpipeline explain other/plain "),
        ("mlpipeline explain digits/lr=0.1,", "mlpipeline explain digits/lr=0.1,depth=2 "),
        ("mlpipeline explain 'digits/lr=0.1,", "mlpipeline explain 'digits/lr=0.1,depth=2' "),
        ("mlpipeline diff digits/lr=0.1 oth", "mlpipeline diff digits/lr=0.1 other/plain "),
        ("mlpipeline status --state=run", "mlpipeline status --state=running "),
        ("mlpipeline logs other/plain#", "mlpipeline logs other/plain#1 "),
    ],
)
def test_bash_completes_words_with_equals_signs(named, tmp_path, typed, becomes):
    program = tmp_path / "mlpipeline"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m mlpipeline "$@"\n')
    program.chmod(0o755)
    child = pexpect.spawn(
        "bash",
        ["--norc", "--noprofile", "-i"],
        cwd=named.folder,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "TERM": "dumb", "PS1": ""},
        dimensions=(24, 200),
        encoding="utf-8",
        timeout=30,
    )
    child.sendline("bind 'set enable-bracketed-paste off'; PS1=; PS2=")
    child.sendline('eval "$(_MLPIPELINE_COMPLETE=bash_source mlpipeline)"; echo "re""ady"')
    child.expect("ready\r\n")

    child.send(f"{typed}\t")

    child.expect_exact(becomes)
    child.close()
