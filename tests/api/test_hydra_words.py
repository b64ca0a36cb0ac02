"""Values reach a Hydra program's config exactly: asked of Hydra itself."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlpipeline.api import hydra_words
from mlpipeline.api.hydra_words import Value

hydra = pytest.importorskip("hydra")

TEXTS = st.text(
    st.one_of(
        st.sampled_from(",=#'\"\\ é${}[]():~+?*@%/-\n\ttrue01"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    )
).filter(lambda text: text != "???")
KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_ .:=,()\[\]{}-]*", fullmatch=True).filter(
    lambda key: key.lower() not in ("true", "false", "null", "inf", "nan") and key == key.strip()
)
SCALARS = st.one_of(
    TEXTS, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False)
)  # nan is no value that equals itself
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def composed(override):
    """The value of x as a program finds it in its config."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    (parsed,) = OverridesParser.create().parse_overrides([override])
    assert not parsed.is_sweep_override()
    config = OmegaConf.create({"x": None})
    OmegaConf.update(config, "x", parsed.value())
    return OmegaConf.to_container(config, resolve=True)["x"]


@given(VALUES)
@example("a,b=c#d' e é")
@example("C:\\dir\\")
@example("\\\\${oc.env:HOME}")
@example("'")
@example("\\'")
@example("")
@example("null")
@example("1e5")
@example("[1, 2]")
@example({"a b": {"c": ["x,y", 1, None]}})
def test_a_value_is_in_the_config_as_it_was_given(value):
    found = composed(hydra_words.filled(["x=", Value(value, "as text")]))

    assert (found, type(found)) == (value, type(value))


@given(TEXTS)
@example("a=b,c")
def test_a_value_within_a_text_is_part_of_that_text(text):
    word = ["x=data/", Value(text, text), "/end"]

    assert composed(hydra_words.filled(word)) == f"data/{text}/end"


def test_values_in_a_list_are_each_one_of_its_own():
    word = ["x=[", Value("a,b", "a,b"), ",", Value(1, "1"), "]"]

    assert composed(hydra_words.filled(word)) == ["a,b", 1]


def test_what_is_in_quotes_is_as_its_writer_has_it():
    assert composed(hydra_words.filled(["x='", Value("a,b", "a,b"), "'"])) == "a,b"


@pytest.mark.parametrize("value", ["???", {"é": 1}, {"1": 2}, {"a'b": 1}])
def test_what_hydra_has_no_word_for_is_refused(value):
    with pytest.raises(ValueError, match="Hydra"):
        hydra_words.filled(["x=", Value(value, "")])


@pytest.mark.parametrize(
    ("word", "is_one"),
    [("x=", True), ("+model.lr=", True), ("++a/b@c=", True), ("--x=", False), ("x", False)],
)
def test_overrides_are_told_from_other_words(word, is_one):
    assert hydra_words.is_override([word, Value(1, "1")]) is is_one
    assert not hydra_words.is_override([Value(1, "1"), word])
