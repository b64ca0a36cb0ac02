"""Versions: the defaults, the ways to add a version, and how one is found again."""

import subprocess
import sys
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipeline import Version, Versions, version_parameters

NAMES = st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1), unique=True)


def names(versions):
    return [version.name for version in versions]


# --- Versions: the defaults


def test_the_historic_parameters_are_defaults_by_position():
    loader = object()

    version = Versions(0.01, loader, 1, 10, "suffix", 7).add("v")

    assert version == {
        "name": "v",
        "learning_rate": 0.01,
        "dataloader": loader,
        "batch_size": 1,
        "epoc_count": 10,
        "model_dir_suffix": "suffix",
        "order": 7,
    }


def test_all_defaults_are_optional():
    version = Versions().add("v")

    assert version[version_parameters.LEARNING_RATE] is None
    assert version[version_parameters.DATALOADER] is None


def test_any_further_keyword_is_a_default_for_that_parameter():
    version = Versions(dropout=0.5).add("v")

    assert version["dropout"] == 0.5


@pytest.mark.parametrize(
    "key",
    [
        version_parameters.LEARNING_RATE,
        version_parameters.DATALOADER,
        version_parameters.BATCH_SIZE,
        version_parameters.EPOC_COUNT,
        version_parameters.MODEL_DIR_SUFFIX,
        version_parameters.ORDER,
        "dropout",
    ],
)
@pytest.mark.parametrize("method", ["add", "addV"])
def test_a_version_can_override_every_default(key, method):
    versions = Versions(**{key: 1})

    version = getattr(versions, method)("v", **{key: 2})

    assert version[key] == 2


def test_overriding_a_default_leaves_it_for_the_next_version():
    versions = Versions(batch_size=1)

    versions.add("a", batch_size=2)
    b = versions.add("b")

    assert b["batch_size"] == 1


@pytest.mark.parametrize("falsy", [0, 0.0, False, "", []])
def test_a_falsy_value_overrides_a_default(falsy):
    version = Versions(dropout=0.5).add("v", dropout=falsy)

    assert version["dropout"] == falsy


def test_a_model_dir_suffix_of_true_is_the_versions_own_name():
    versions = Versions(model_dir_suffix=True)

    a = versions.add("a")
    b = versions.add("b", model_dir_suffix="shared")
    c = Versions().add("c", model_dir_suffix=True)

    assert [each["model_dir_suffix"] for each in (a, b, c)] == ["a", "shared", "c"]


# --- the two spellings of epoch


def test_the_parameter_has_one_word_under_both_names():
    assert version_parameters.EPOCH_COUNT == version_parameters.EPOC_COUNT == "epoc_count"


@pytest.mark.parametrize("key", ["epoch_count", "epoc_count"])
def test_both_spellings_are_defaults(key):
    version = Versions(**{key: 3}).add("v")

    assert version["epoc_count"] == version["epoch_count"] == 3


@pytest.mark.parametrize("method", ["add", "addV"])
@pytest.mark.parametrize("default", ["epoch_count", "epoc_count"])
@pytest.mark.parametrize("own", ["epoch_count", "epoc_count"])
def test_each_spelling_overrides_the_other(method, default, own):
    versions = Versions(**{default: 3})

    version = getattr(versions, method)("v", **{own: 4})

    assert version["epoc_count"] == 4


@pytest.mark.parametrize("key", ["epoch_count", "epoc_count"])
def test_both_spellings_can_be_combined_in_a_grid(key):
    versions = Versions()

    versions.add_grid(combining_parameters=[key], parameters={key: [1, 2]})

    assert [version["epoc_count"] for version in versions] == [1, 2]


def test_both_spellings_are_found_by_get_too():
    version = Versions(epoc_count=3).add("v")

    assert version.get("epoch_count") == version.get("epoc_count") == 3


# --- add


def test_add_returns_the_version_that_it_adds():
    versions = Versions()

    version = versions.add("v", depth=2)

    assert isinstance(version, Version)
    assert version is versions.get("v")


def test_a_version_is_a_dict_keyed_by_version_parameters():
    version = Versions().add("v", hyperparameter="x")

    assert isinstance(version, dict)
    assert version["hyperparameter"] == "x"
    assert version[version_parameters.NAME] == version.name == "v"


def test_an_unknown_parameter_is_a_key_error_that_lists_the_known_ones():
    version = Versions().add("v", depth=2)

    with pytest.raises(KeyError, match=r"'dpth' \(this version has: name, .*depth"):
        version["dpth"]


def test_a_parameter_that_is_none_takes_its_default():
    version = Versions(dropout=0.5).add("v", dropout=None)

    assert version["dropout"] == 0.5


@pytest.mark.parametrize(
    "add",
    [
        lambda versions: versions.add("v", scheduler=None),
        lambda versions: versions.addV("v", custom_paramters={"scheduler": None}),
    ],
)
def test_a_parameter_that_is_none_and_has_no_default_is_there_all_the_same(add):
    version = add(Versions())

    assert version["scheduler"] is None


def test_two_versions_of_one_name_are_refused():
    versions = Versions()
    first = versions.add("v", depth=1)

    with pytest.raises(ValueError, match="two versions named 'v'"):
        versions.add("v", depth=2)

    assert list(versions) == [first]


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\tb", "\x1b[0m", "a\u2028b", None, 3])
def test_a_name_that_is_not_a_printable_non_empty_string_is_refused(name):
    versions = Versions()

    with pytest.raises(ValueError, match="printable, non-empty string"):
        versions.add(name)

    assert len(versions) == 0


# --- addV


def test_addv_takes_the_historic_parameters_by_position():
    loader = object()

    version = Versions().addV("v", loader, 1, 10, 0.01, "suffix", 7, {"depth": 2})

    assert version == {
        "name": "v",
        "dataloader": loader,
        "batch_size": 1,
        "epoc_count": 10,
        "learning_rate": 0.01,
        "model_dir_suffix": "suffix",
        "order": 7,
        "depth": 2,
    }


@pytest.mark.parametrize("keyword", ["custom_paramters", "custom_parameters"])
def test_addv_takes_custom_parameters_in_both_spellings(keyword):
    version = Versions().addV("v", **{keyword: {"hyperparameter": "x", "epoch_count": 3}})

    assert version["hyperparameter"] == "x"
    assert version["epoc_count"] == 3
    assert keyword not in version


@given(st.dictionaries(st.sampled_from(["batch_size", "order", "depth"]), st.integers()))
def test_addv_adds_what_add_adds(parameters):
    modern, historic = Versions(0.1, None, 1, 2), Versions(0.1, None, 1, 2)

    modern.add("v", **parameters)
    historic.addV("v", custom_paramters=parameters)

    assert list(modern) == list(historic)


# --- the order of versions


@given(NAMES)
def test_versions_are_in_the_order_they_were_added(added):
    versions = Versions()

    for name in added:
        versions.add(name)

    assert names(versions) == added
    assert [version["order"] for version in versions] == list(range(len(added)))


def test_a_version_can_have_an_order_of_its_own():
    versions = Versions()
    versions.add("a")

    b = versions.add("b", order=-1)

    assert b["order"] == -1


# --- add_grid


def test_a_grid_has_one_version_for_each_combination_in_the_order_of_the_lists():
    versions = Versions()

    added = versions.add_grid(
        combining_parameters=["lr", "depth"], parameters={"lr": [0.1, 0.01], "depth": [1, 2]}
    )

    combinations = [(version["lr"], version["depth"]) for version in versions]
    assert combinations == [(0.1, 1), (0.1, 2), (0.01, 1), (0.01, 2)]
    assert added == list(versions)


def test_the_names_of_a_grid_say_what_differs():
    versions = Versions()

    versions.add_grid(
        combining_parameters=["lr", "depth"],
        parameters={"lr": [0.1, 0.01], "depth": [1, 2], "dropout": 0.5},
    )

    assert names(versions) == [
        "lr=0.1,depth=1",
        "lr=0.1,depth=2",
        "lr=0.01,depth=1",
        "lr=0.01,depth=2",
    ]


def test_the_historic_name_and_positions_do_the_same():
    versions = Versions()

    versions.rangeOnParameters(["a", "b"], ["lr"], {"lr": [0.1, 0.01]})

    assert {version.name: version["lr"] for version in versions} == {"a": 0.1, "b": 0.01}


def test_scalars_are_shared_by_the_whole_grid():
    versions = Versions()

    versions.add_grid(
        combining_parameters=["lr"], parameters={"lr": [0.1, 0.01], "batch_size": 32, "net": "cnn"}
    )

    assert {(version["batch_size"], version["net"]) for version in versions} == {(32, "cnn")}


def test_a_list_that_is_not_to_be_combined_is_shared_as_it_is():
    versions = Versions()

    versions.add_grid(
        combining_parameters=["lr"], parameters={"lr": [0.1, 0.01], "layers": [64, 32]}
    )

    assert [version["layers"] for version in versions] == [[64, 32], [64, 32]]


def test_without_combining_parameters_every_list_is_combined():
    versions = Versions()

    versions.add_grid(parameters={"lr": [0.1, 0.01], "net": "cnn", "shape": (2, 3)})

    assert names(versions) == ["lr=0.1", "lr=0.01"]
    assert {version["shape"] for version in versions} == {(2, 3)}


def test_a_grids_values_can_be_keywords():
    versions = Versions()

    versions.add_grid(lr=[0.1, 0.01], depth=2)

    assert [(version["lr"], version["depth"]) for version in versions] == [(0.1, 2), (0.01, 2)]


def test_a_scalar_that_is_to_be_combined_has_one_value():
    versions = Versions()

    versions.add_grid(["a", "b"], ["lr", "net"], {"lr": [0.1, 0.01], "net": "cnn"})

    assert [version["net"] for version in versions] == ["cnn", "cnn"]


@pytest.mark.parametrize("values", [(1, 2), range(1, 3)])
def test_tuples_and_ranges_that_are_to_be_combined_are_lists_of_values(values):
    versions = Versions()

    versions.add_grid(combining_parameters=["depth"], parameters={"depth": values})

    assert [version["depth"] for version in versions] == [1, 2]


def test_an_array_that_is_to_be_combined_is_a_list_of_values():
    numpy = pytest.importorskip("numpy")
    versions = Versions()

    versions.add_grid(combining_parameters=["lr"], parameters={"lr": numpy.logspace(-2, -1, 2)})

    assert [version["lr"] for version in versions] == [0.01, 0.1]


def test_none_is_a_value_of_a_grid_like_any_other():
    versions = Versions()

    versions.add_grid(["without", "with"], ["dropout"], {"dropout": [None, 0.5]})

    assert [version["dropout"] for version in versions] == [None, 0.5]


def test_none_in_a_grid_overrides_a_default():
    versions = Versions(dropout=0.1)

    versions.add_grid(combining_parameters=["dropout"], parameters={"dropout": [None, 0.5]})

    assert versions.get("dropout=None")["dropout"] is None


def test_a_grids_versions_take_the_defaults():
    versions = Versions(batch_size=32)

    versions.add_grid(lr=[0.1, 0.01])

    assert [version["batch_size"] for version in versions] == [32, 32]


@pytest.mark.parametrize("given_names", [[], ["a"], ["a", "b", "c"]])
def test_too_few_or_too_many_names_are_refused_with_both_numbers(given_names):
    versions = Versions()

    with pytest.raises(
        ValueError, match=rf"^{len(given_names)} names are given for 2 combinations"
    ):
        versions.add_grid(given_names, ["lr"], {"lr": [0.1, 0.01]})

    assert len(versions) == 0


def test_a_combined_parameter_without_values_is_refused():
    with pytest.raises(ValueError, match="no values are given for depth"):
        Versions().add_grid(combining_parameters=["lr", "depth"], parameters={"lr": [0.1]})


def test_a_combined_parameter_with_an_empty_list_is_refused():
    with pytest.raises(ValueError, match="the list of values for lr is empty"):
        Versions().add_grid(combining_parameters=["lr"], parameters={"lr": []})


def test_a_grid_of_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing to combine"):
        Versions().add_grid(parameters={"lr": 0.1})


def test_two_combinations_of_one_name_are_refused():
    with pytest.raises(ValueError, match=r"two versions named 'lr=0\.1'"):
        Versions().add_grid(lr=[0.1, 0.1])


def test_functions_and_classes_are_called_by_their_name_in_a_grid():
    versions = Versions()

    versions.add_grid(function=[max, min], kind=[dict])

    assert names(versions) == ["function=max,kind=dict", "function=min,kind=dict"]


def test_the_names_of_a_grid_of_objects_are_the_same_in_every_process():
    code = (
        "from mlpipeline import DataLoader, Versions\n"
        "class Digits(DataLoader): pass\n"
        "class Letters(DataLoader): pass\n"
        "versions = Versions()\n"
        "versions.add_grid(dataloader=[Digits(), Letters()])\n"
        "print([version.name for version in versions])"
    )
    run = [sys.executable, "-c", code]

    first, second = (subprocess.check_output(run, text=True) for _ in range(2))

    assert first == second


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.lists(st.integers(), min_size=1, max_size=4),
        min_size=1,
    )
)
def test_a_grid_has_every_combination_of_its_lists_once(lists):
    versions = Versions()
    expected = list(product(*lists.values()))

    versions.add_grid([str(i) for i in range(len(expected))], list(lists), lists)

    assert [tuple(version[key] for key in lists) for version in versions] == expected


# --- get


@pytest.mark.parametrize("method", ["get", "getVersion"])
def test_get_finds_a_version_by_its_name(method):
    versions = Versions()
    versions.add("a")
    b = versions.add("b")

    found = getattr(versions, method)("b")

    assert found is b


@pytest.mark.parametrize("method", ["get", "getVersion"])
def test_an_unknown_name_is_a_value_error_that_lists_the_known_ones(method):
    versions = Versions()
    versions.add("a")
    versions.add("b")

    with pytest.raises(ValueError, match=r"no version 'c'; known versions: a, b$"):
        getattr(versions, method)("c")


def test_an_unknown_name_among_no_versions_says_that_there_are_none():
    with pytest.raises(ValueError, match=r"known versions: none$"):
        Versions().get("a")
