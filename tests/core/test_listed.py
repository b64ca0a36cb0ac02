"""Listed models: which code a version is made of, and whether that is what a run had."""

from datetime import UTC, datetime

from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.runs import Run, RunId

SOURCES = {"flow.yaml": "1", "../prepare.py": "2", "../train.py": "3"}
OTHERS = {"prepare": ("../train.py",), "train": ("../prepare.py",)}


def flow(**sources):
    versions = [ListedVersion(name=s, signature=s, model_dir=s, step=s) for s in OTHERS]
    return ListedModel(
        name="flow",
        path="flow.yaml",
        sources={**SOURCES, **{f"../{key}.py": each for key, each in sources.items()}},
        others=OTHERS,
        versions=tuple(versions),
    )


def run(script):
    return Run(
        id=RunId("flow", "prepare", 1),
        host="here",
        signature="prepare",
        script=script,
        model_dir="",
        resume=False,
        sessions=("1",),
        started_at=datetime.now(UTC),
    )


def test_a_step_is_as_for_a_run_where_its_own_code_is_the_same():
    before, edited = flow(), flow(train="4")
    prepare, train = before.versions

    assert edited.is_as_for(run(before.digest_of(prepare)), prepare)
    assert not edited.is_as_for(run(before.digest_of(train)), train)
    assert edited.sources_of(prepare, SOURCES) == {"flow.yaml": "1", "../prepare.py": "2"}


def test_what_was_recorded_of_all_code_counts_for_as_long_as_that_is_the_same():
    before, edited = flow(), flow(train="4")
    prepare, _ = before.versions

    assert before.is_as_for(run(before.digest), prepare)
    assert not edited.is_as_for(run(before.digest), prepare)
