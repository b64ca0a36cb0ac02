"""What commands write into YAML files is read again as it was."""

import math

import pytest
import yaml

from mlpipeline.state.yaml_flow import flow


@pytest.mark.parametrize(
    "value",
    [
        *("a", "--lr", "-m", "-", "--", "y", "No", "null", "~", "1", "1e-05", "-1", "0x1f", ".inf"),
        *("", " a", "a ", "a: b", "a #b", "{x}", "[", "a,b", "'", '"', "\\", "*", "&a", "%", "@"),
        *("für", "名前", "a\nb", "\x07", "\u2028", "=", "<<", "-inf", "2026-01-01", "12:30:00"),
        *(1, -1, 0.1, 1e-05, 1e300, True, False, None, math.inf, -math.inf),
        *([], {}, ["a", ["b"], {"c": 1}], {"a b": {"--c": [None]}}),
    ],
)
def test_a_value_is_read_as_it_was_in_whatever_it_stands(value):
    for within in (value, [value, value], {"key": value, "z": [value]}):
        text = flow(within)

        assert "\n" not in text
        assert yaml.safe_load(f"k: {text}\n") == {"k": within}
        assert yaml.load(f"- {text}\n", yaml.CSafeLoader) == [within]


def test_words_and_options_stand_without_quotes():
    assert flow(["python", "train.py", "--lr", "0.1"]) == '[python, train.py, --lr, "0.1"]'
