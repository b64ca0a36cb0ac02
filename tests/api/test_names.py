"""What a version may be called: a run is MODEL/VERSION#ATTEMPT."""

import pytest

from mlpipeline import Versions
from mlpipeline.api.names import made_of
from mlpipeline.api.sweeps import override_dirnames, short_names
from mlpipeline.api.words import version_name


@pytest.mark.parametrize("name", ["a#2", "lr=0.1#10", "#2"])
def test_a_name_that_ends_as_an_attempt_is_refused_and_another_is_proposed(name):
    with pytest.raises(ValueError, match="is the number of an attempt; call it") as refused:
        Versions().add(name)

    proposed = str(refused.value).split("call it ")[1].split("'")[1]
    assert Versions().add(proposed).name == proposed


@pytest.mark.parametrize("name", ["a#b", "a#2b", "#a", "a#", "a#2,b=3"])
def test_other_names_may_have_a_number_sign(name):
    assert Versions().add(name).name == name


def test_names_that_are_made_of_values_do_not_end_as_attempts():
    axes = [["lr=1", "lr=2"], ["color=#123456", "color=#abcdef"]]

    assert version_name(["--color", "#123456"]) == "color=_123456"
    assert short_names(axes)[:2] == ["lr=1,color=_123456", "lr=1,color=#abcdef"]
    assert override_dirnames(axes)[:2] == ["color=#123456,lr=1", "color=#abcdef,lr=1"]
    grid = Versions().add_grid(parameters={"color": ["#1", "#2"]})
    assert [each.name for each in grid] == ["color=_1", "color=_2"]
    assert made_of("main") == "main"
