"""What a line of the list names of a pipeline: steps, and versions."""

import pytest

from mlpipeline.core.narrowing import choose_versions

KNOWN = ["prepare", "train,lr=0.1", "train,lr=0.01", "train-more", "test"]


@pytest.mark.parametrize(
    ("narrowing", "chosen", "unknown"),
    [
        ("steps=train", ["train,lr=0.1", "train,lr=0.01"], []),
        ("steps=prepare,test", ["prepare", "test"], []),
        ("steps=test, train", ["test", "train,lr=0.1", "train,lr=0.01"], []),
        ("steps=train,lr=0.1, prepare", ["train,lr=0.1", "prepare"], []),
        ("prepare\nsteps=train", ["prepare", "train,lr=0.1", "train,lr=0.01"], []),
        ("train,lr=0.01", ["train,lr=0.01"], []),
        ("train", [], ["train"]),
        ("steps=trian,test", ["test"], ["steps=trian"]),
        ("steps=", [], ["steps="]),
    ],
)
def test_steps_stand_for_all_their_versions(narrowing, chosen, unknown):
    assert choose_versions(narrowing, KNOWN) == (chosen, unknown)


def test_a_version_that_is_called_so_is_meant_itself():
    assert choose_versions("steps=1, steps=2", ["steps=1", "steps=2"]) == (
        ["steps=1", "steps=2"],
        [],
    )
