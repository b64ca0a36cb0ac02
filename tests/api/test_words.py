import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipeline.api import words

LINES = [
    "python train.py --lr 0.1",
    "a 'b c' \"d e\" f\\ g",
    "a ''",
    '"say \\"no\\"" \'$HOME | x\'',
    "awk '{print $1}' table",
    "  much    room\t here ",
    "",
    "a#b # c",
]


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_split_as_a_shell_splits_it(line):
    assert words.split(line) == shlex.split(line, comments=False)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"))))
def test_what_is_quoted_for_a_shell_comes_back(parts):
    # A backslash before a line end joins lines before anything else is looked at.
    parts = [part.replace("\\\n", "") for part in parts]

    assert words.split(shlex.join(parts)) == parts


@pytest.mark.parametrize(
    "line, sign",
    [
        ("a | b", "|"),
        ("a > out", ">"),
        ("a < in", "<"),
        ("a && b", "&&"),
        ("a; b", ";"),
        ("a &", "&"),
        ("a $(b)", "$("),
        ('a "$(b)"', "$("),
        ("a $HOME", "$…"),
        ("a `b`", "`…"),
        ("a\nb", "one line after another"),
    ],
)
def test_what_only_a_shell_does_is_refused(line, sign):
    with pytest.raises(words.NeedsShell) as refused:
        words.split(line)

    assert str(refused.value) == sign


def test_lines_that_are_joined_by_a_backslash_are_one():
    assert words.split("python train.py \\\n  --lr 0.1") == ["python", "train.py", "--lr", "0.1"]


@pytest.mark.parametrize("line", ["a 'b", 'a "b'])
def test_quotes_without_an_end_are_told(line):
    with pytest.raises(ValueError, match="has no end"):
        words.split(line)


@pytest.mark.parametrize(
    "text, filled",
    [
        ("--lr={lr}", "--lr=0.1"),
        ('{"lr": {lr}, "deep": {"er": 1}}', '{"lr": 0.1, "deep": {"er": 1}}'),
        ("{{lr}}", "{lr}"),
        ("{{{lr}}}", "{{lr}}"),
        ("${lr} ${oc.env:HOME} {print $1} {}", "${lr} ${oc.env:HOME} {print $1} {}"),
    ],
)
def test_words_in_braces_are_filled_in_and_other_braces_stay(text, filled):
    assert words.filled(text, {"lr": "0.1"}.__getitem__) == filled


@given(st.text(st.sampled_from('{}$a_ "')))
def test_what_is_escaped_is_filled_in_as_it_was(text):
    def nobody(word):
        raise AssertionError(word)

    assert words.filled(words.escaped(text), nobody) == text


def test_options_are_told_in_all_the_ways_that_they_are_written():
    line = ["--lr", "0.1", "-v", "--seed=3", "model=cnn", "+data.path=x", "in.csv", "-n", "-3"]

    told = [(name, value) for name, value, _ in words.options(line)]

    assert told == [
        *(("lr", "0.1"), ("v", None), ("seed", "3"), ("model", "cnn"), ("data.path", "x")),
        *(("", "in.csv"), ("n", "-3")),
    ]


def test_the_values_of_secrets_are_masked_and_nothing_else():
    line = ["--api-key", "k1", "--db.password=k2", "cluster.pw=k3", "--max-tokens", "100", "k4"]

    assert words.masked(line) == [
        *("--api-key", "***", "--db.password=***", "cluster.pw=***", "--max-tokens", "100", "k4")
    ]


def test_a_version_is_named_by_its_arguments():
    assert words.version_name(["--lr", "0.1", "-v", "model=cnn"]) == "lr=0.1,v,model=cnn"


def test_a_name_has_no_secret_and_differs_where_that_does():
    one, other = (words.version_name(["--token", token]) for token in ("abc", "abd"))

    assert one != other
    assert "abc" not in one


@given(st.lists(st.text(), min_size=1))
def test_names_are_short_and_printable(arguments):
    name = words.version_name(arguments)

    assert len(name) <= words.LONGEST
    assert name.isprintable()


def test_long_arguments_that_end_differently_have_names_of_their_own():
    one, other = (words.version_name(["x" * 500 + end]) for end in "ab")

    assert one != other
