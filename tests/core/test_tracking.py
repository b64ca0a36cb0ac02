"""Runs in the words of MLflow."""

from __future__ import annotations

import posixpath
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipeline.core import tracking
from mlpipeline.core.runs import Outcome


@given(st.lists(st.text(), min_size=2, max_size=2, unique=True))
def test_names_become_such_as_mlflow_takes_and_stay_distinct(names):
    made = [tracking.entity_name(name) for name in names]
    for name in made:
        assert re.fullmatch(r"[/\w.\- :]{1,250}", name)
        assert posixpath.normpath(name) == name
        assert not name.startswith(("/", ".."))
    assert made[0] != made[1]


@pytest.mark.parametrize("name", ["loss", "val/loss", "f1 score", "a.b-c_d:e", "größe"])
def test_names_that_mlflow_takes_stay_as_they_are(name):
    assert tracking.entity_name(name) == name


def test_parameters_are_flat_text_by_dotted_names():
    given = {"lr": 0.1, "name": "adam", "optim": {"betas": [0.9, 0.99], "decay": {}}, "x": None}
    assert tracking.parameters(given) == {
        "lr": "0.1",
        "name": "adam",
        "optim.betas": "[0.9, 0.99]",
        "optim.decay": "{}",
        "x": "null",
    }


def test_a_long_parameter_is_shortened_to_what_mlflow_takes():
    (value,) = tracking.parameters({"text": "x" * 10_000}).values()
    assert len(value) == tracking.LONGEST_PARAMETER
    assert value.endswith("x…")


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_has_a_status_of_mlflows(outcome):
    killed = {Outcome.INTERRUPTED, Outcome.KILLED, Outcome.LOST}
    expected = "KILLED" if outcome in killed else "FAILED"
    assert tracking.status(outcome) == ("FINISHED" if outcome.value == "succeeded" else expected)
