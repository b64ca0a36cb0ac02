"""Plain data: what a record says of a value, and what a signature is taken over."""

import array
import enum
import functools
import json
import math
import pathlib
import subprocess
import sys
from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipeline.core.plain import LONGEST, plain

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    LEAVES | st.binary() | st.complex_numbers() | st.decimals() | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
        | st.frozensets(st.text() | st.integers(), max_size=4)
    ),
    max_leaves=10,
)


class Colour(enum.Enum):
    RED = 1


class Size(enum.IntEnum):
    SMALL = 7


class Kind(enum.StrEnum):
    CNN = "cnn"


class Mixin:
    pass


class Text(str, Mixin):
    __slots__ = ()


class Count(int, Mixin):
    pass


class Ratio(float, Mixin):
    pass


class Plain:
    def method(self):
        pass


class Shown:
    def __repr__(self):
        return "Shown(depth=2)"


@dataclass
class Config:
    layers: tuple = (64, 32)


def function(x):
    return x


# --- JSON's own values


@given(st.recursive(LEAVES.filter(lambda v: v == v and v not in (math.inf, -math.inf)), st.lists))
def test_json_values_are_plain_already(value):
    assert plain(value) == value


@given(VALUES)
def test_every_value_becomes_json_that_msgspec_reads_back_the_same(value):
    told = plain(value)

    assert msgspec.json.decode(json.dumps(told, allow_nan=False)) == told


@given(VALUES)
def test_what_is_plain_stays_as_it_is(value):
    once = plain(value)

    assert plain(once) == once


def test_numbers_that_json_lacks_become_words():
    assert plain([math.nan, math.inf, -math.inf]) == ["nan", "inf", "-inf"]


def test_a_text_that_is_not_unicode_becomes_json_that_msgspec_reads():
    name = b"caf\xe9.csv".decode("utf-8", "surrogateescape")  # as os.listdir gives it

    text = json.dumps(plain({"data": name}))

    assert "caf" in msgspec.json.decode(text)["data"]


# --- collections


def test_tuples_are_lists_all_the_way_down():
    point = namedtuple("point", "x y")(1, (2, 3))

    assert plain({"point": point}) == {"point": [1, [2, 3]]}


def test_keys_are_strings():
    assert plain({1: "a", None: "b", (1, 2): "c"}) == {"1": "a", "None": "b", "[1, 2]": "c"}


def test_any_mapping_that_is_a_dict_is_a_dict():
    told = plain(OrderedDict(a=1))

    assert type(told) is dict
    assert told == {"a": 1}


def test_sets_are_lists_in_one_order():
    assert plain({"b", "a", 3, (1, 2)}) == plain({(1, 2), 3, "a", "b"})
    assert plain(frozenset({"b", "a"})) == ["a", "b"]


def test_a_collection_that_contains_itself_is_cut():
    loop = [1]
    loop.append(loop)

    assert plain(loop) == [1, "…"]


def test_one_object_in_two_places_is_told_twice():
    shared = [1]

    assert plain([shared, shared]) == [[1], [1]]


# --- functions and classes


def test_functions_classes_and_methods_are_their_qualified_names():
    here = __name__

    told = plain([function, Plain, Plain.method, Plain().method, len, dict])

    assert told == [
        f"{here}.function",
        f"{here}.Plain",
        f"{here}.Plain.method",
        f"{here}.Plain.method",
        "builtins.len",
        "builtins.dict",
    ]


@pytest.mark.parametrize(
    ("method", "name"), [(str.lower, "str.lower"), ("".join, "str.join"), (dict.get, "dict.get")]
)
def test_methods_of_builtin_types_are_their_names_too(method, name):
    assert plain(method).endswith(name)


def test_a_partial_is_its_function_and_arguments():
    told = plain(functools.partial(function, 1, key=Plain))

    assert told == {
        "partial": f"{__name__}.function",
        "args": [1],
        "keywords": {"key": f"{__name__}.Plain"},
    }


def test_a_function_as_a_key_is_its_qualified_name():
    assert plain({function: 1}) == {f"{__name__}.function": 1}


# --- enumerations and other derived types


def test_enumerations_of_numbers_and_texts_are_their_values():
    assert plain([Size.SMALL, Kind.CNN]) == [7, "cnn"]
    assert [type(value) for value in plain([Size.SMALL, Kind.CNN])] == [int, str]


def test_other_enumerations_name_their_member():
    assert "Colour.RED" in plain(Colour.RED)


@pytest.mark.parametrize(
    ("value", "told"), [(Text("a"), "a"), (Count(3), 3), (Ratio(0.5), 0.5)], ids=type
)
def test_a_derived_text_or_number_is_the_plain_one(value, told):
    assert plain(value) == told
    assert type(plain(value)) is type(told)


# --- arrays


def test_a_short_array_is_a_list():
    assert plain(array.array("d", [0.5, 1])) == [0.5, 1.0]


def test_numpys_numbers_and_arrays_are_plain():
    numpy = pytest.importorskip("numpy")

    told = plain(
        [numpy.float64(0.5), numpy.float32(0.5), numpy.int64(3), numpy.bool_(True), numpy.eye(2)]
    )

    assert told == [0.5, 0.5, 3, True, [[1.0, 0.0], [0.0, 1.0]]]
    assert [type(value) for value in told] == [float, float, int, bool, list]


def test_a_long_array_is_its_type_shape_and_a_digest():
    told = plain(array.array("d", range(LONGEST)))

    assert told.startswith(f"array({LONGEST},) sha256=")
    assert len(told) < 100


def test_two_long_arrays_that_differ_in_one_item_have_different_digests():
    one, other = (array.array("l", [*range(LONGEST), last]) for last in (1, 2))

    assert plain(one) != plain(other)


# --- the rest


def test_anything_else_is_its_repr_and_a_path_its_text():
    assert plain(Shown()) == "Shown(depth=2)"
    assert plain(pathlib.PurePosixPath("a/b")) == "a/b"


def test_a_dataclass_becomes_its_fields():
    made = plain(Config())

    assert made.pop("class").endswith("Config")
    assert made == {"layers": [64, 32]}


def test_a_repr_loses_its_memory_addresses():
    assert plain(Plain()) == plain(Plain())
    assert "0x" not in plain([Plain(), iter([])])[0]


@pytest.mark.parametrize(
    "expression",
    [
        "{'a', 'b', 'c', ('d', frozenset({'e', 'f'}))}",
        "{'key': Plain(), 'function': function, 'lambda': lambda: 1}",
        "partial(function, {'a', 'b', 'c'})",
        "{function: 1, Plain: 2}",
        "Tags({'a', 'b', 'c', 'd'})",
    ],
)
def test_a_value_is_told_the_same_in_every_process(expression):
    code = f"""
from dataclasses import dataclass
from functools import partial
from mlpipeline.core.plain import plain

class Plain: pass
def function(): pass
@dataclass
class Tags: tags: set

print(plain({expression}))
"""

    told = {
        subprocess.check_output([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed})
        for seed in ("1", "2", "3")
    }

    assert len(told) == 1
