"""What stands before others in the queue has a lead of some seconds, once."""

import pytest

from mlpipeline.execution.lead import Lead

ORDER = ["a", "b", "c"]


@pytest.fixture
def lead():
    return Lead(2.0)


def test_what_stands_before_a_slow_script_does_not_wait_for_it(lead):
    assert lead.behind(ORDER, {"b"}, {"a", "c"}, now=0.0) == {"c"}


def test_the_lead_begins_when_another_could_start(lead):
    assert lead.behind(ORDER, {"a", "b", "c"}, set(), now=0.0) == frozenset()
    assert lead.behind(ORDER, {"a", "c"}, {"b"}, now=50.0) == {"b"}
    assert lead.behind(ORDER, {"a", "c"}, {"b"}, now=51.9) == {"b"}
    assert lead.behind(ORDER, {"a", "c"}, {"b"}, now=52.0) == frozenset()


def test_a_lead_is_had_once(lead):
    lead.behind(ORDER, {"a"}, {"b"}, now=0.0)

    assert lead.behind(ORDER, {"a"}, {"b", "c"}, now=2.0) == frozenset()


def test_who_is_edited_again_has_a_lead_again(lead):
    lead.behind(ORDER, {"a"}, {"b"}, now=0.0)
    lead.behind(ORDER, set(), {"a", "b"}, now=3.0)

    assert lead.behind(ORDER, {"a"}, {"b"}, now=4.0) == {"b"}


def test_two_that_are_slow_have_their_leads_each_from_when_another_could_start(lead):
    lead.behind(ORDER, {"a", "b"}, {"c"}, now=0.0)

    assert lead.behind(["a", "x", *ORDER], {"a", "b", "x"}, {"c"}, now=1.0) == {"c"}
    assert lead.behind(["a", "x", *ORDER], {"a", "b", "x"}, {"c"}, now=2.5) == {"c"}
    assert lead.behind(["a", "x", *ORDER], {"a", "b", "x"}, {"c"}, now=3.0) == frozenset()
