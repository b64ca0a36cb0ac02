"""What a model file says of versions that come after others."""

import pytest

from mlpipeline import DataLoader, Versions
from mlpipeline.errors import ModelError
from mlpipeline.sources.script import shown_parameters, signature
from mlpipeline.sources.stages import check_stages, comes_after


@pytest.fixture
def versions():
    return Versions(dataloader=DataLoader(), batch_size=1, epoch_count=1)


def problem(versions):
    with pytest.raises(ModelError) as caught:
        check_stages(list(versions))
    return str(caught.value)


@pytest.mark.parametrize("after", ["a", ["a"], ("a",), ["a", "a"]])
def test_a_version_names_one_or_several(versions, after):
    versions.add("a")

    assert comes_after(versions.add("b", after=after)) == ["a"]
    check_stages(list(versions))


@pytest.mark.parametrize("after", [None, [], ()])
def test_a_version_may_come_after_none(versions, after):
    assert comes_after(versions.add("b", after=after)) == []


@pytest.mark.parametrize("after", [0.5, True, {"a": 1}, [1]])
def test_what_is_no_name_is_refused(versions, after):
    versions.add("b", after=after)

    assert f"version 'b' has after={after!r}; it must be the name of a version" in problem(versions)


def test_an_unknown_name_is_refused_with_the_nearest(versions):
    versions.add("preprocessing")
    versions.add("b", after="preprocesing")

    assert problem(versions) == (
        "version 'b' comes after 'preprocesing', which no version is called"
        " (did you mean preprocessing?)"
    )


def test_an_unknown_name_that_is_like_none_is_refused_with_those_there_are(versions):
    for number in range(30):
        versions.add(f"v{number:02}")
    versions.add("b", after="something else")

    assert problem(versions).endswith(
        "its versions: b, v00, v01, v02, v03, v04, v05, v06, v07,"
        " v08, v09, v10, v11, v12, v13, v14, v15, v16, v17, v18, …"
    )


@pytest.mark.parametrize(
    ("after", "circle"),
    [
        ({"a": "a"}, "a after a"),
        ({"a": "b", "b": "a"}, "a after b after a"),
        ({"a": "b", "b": "c", "c": "b"}, "b after c after b"),
        ({"x": [], "a": ["x", "b"], "b": ["x", "c"], "c": ["x", "a"]}, "a after b after c after a"),
    ],
)
def test_a_circle_is_refused_and_shown(versions, after, circle):
    for name, before in after.items():
        versions.add(name, after=before)

    told = problem(versions)

    assert told.startswith(f"version {circle[0]!r} comes after itself: {circle};")


def test_a_long_circle_is_shown_in_short(versions):
    for number in range(5000):
        versions.add(f"v{number}", after=f"v{(number + 1) % 5000}")

    assert "v0 after v1 after v2 after v3 after v4 after v5 after … after v0;" in problem(versions)


def test_a_long_line_is_no_circle(versions):
    versions.add("v0")
    for number in range(1, 5000):
        versions.add(f"v{number}", after=[f"v{number - 1}", "v0"])

    check_stages(list(versions))


def test_it_is_no_part_of_the_experiment(versions):
    alone, later = versions.add("a"), versions.add("b", after="a")

    assert signature(alone) == signature(later)
    assert "after" not in shown_parameters(later)


def test_a_grid_comes_after_several_versions_as_one(versions):
    versions.add("a")
    versions.add("b")

    grid = versions.add_grid(after=["a", "b"], lr=[0.1, 0.2])

    assert [(each.name, comes_after(each)) for each in grid] == [
        ("lr=0.1", ["a", "b"]),
        ("lr=0.2", ["a", "b"]),
    ]
