"""What an edit changes about the queue, in few words."""

import pytest

from mlpipeline.core.changes import changes
from mlpipeline.core.listed import ListedModel, ListedVersion
from mlpipeline.core.standings import Standing, State

LETTERS = {"q": State.QUEUED, "r": State.RUNNING, "d": State.DONE, "s": State.SKIPPED}


def queue(text):
    """``"q:a r:b"``: version a is queued, b runs."""
    model = ListedModel(name="m", path="m.py")
    return [
        Standing(
            model=model,
            version=ListedVersion(name=name, signature="s", model_dir=name),
            state=LETTERS[letter],
        )
        for letter, name in (word.split(":") for word in text.split())
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("q:a", "q:a", "changes nothing"),
        ("q:a", "q:a q:b q:c", "starts 2"),
        ("q:a q:b", "q:b", "drops 1"),
        ("q:a", "q:b", "starts 1, drops 1"),
        ("r:a q:b", "q:b", "lets m/a run on"),
        ("q:a q:b", "q:b q:a", "changes the order"),
        ("q:a q:b", "q:b q:c", "starts 1, drops 1"),
        ("d:a", "", "changes nothing"),
        ("", "d:a", "changes nothing"),
        ("s:a", "q:a", "starts 1"),
        ("q:a", "r:a", "changes nothing"),
    ],
)
def test_an_edit_is_answered_with_what_it_changes(before, after, said):
    assert str(changes(queue(before), queue(after))) == said


def test_unknown_versions_are_named():
    answer = changes(queue("q:a"), queue("q:a q:b"), ["m/foo_v7"])

    assert str(answer) == "starts 1, unknown: m/foo_v7"
    assert bool(answer)
