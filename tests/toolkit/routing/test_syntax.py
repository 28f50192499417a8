"""The language of rules, and the arguments of converters."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.routing import Map, Rule, parse_converter_args
from stein.toolkit.routing.syntax import Placeholder, read_rule

WORDS = st.from_regex(r"[a-z_][a-z_]{0,5}", fullmatch=True)
QUOTED = st.text(st.characters(exclude_characters="\"'", exclude_categories=["Cs"]), max_size=8)
ARGUMENT = st.one_of(
    WORDS.map(lambda word: (word, word)),
    QUOTED.map(lambda text: (f'"{text}"', text)),
    QUOTED.map(lambda text: (f"'{text}'", text)),
    st.integers().map(lambda number: (str(number), number)),
    st.sampled_from([(str(constant), constant) for constant in (None, True, False)]),
    st.floats(0, 1e6).filter(lambda x: "e" not in str(x)).map(lambda x: (str(x), x)),
)


@given(st.lists(ARGUMENT, max_size=4), st.dictionaries(WORDS, ARGUMENT, max_size=3), st.booleans())
def test_arguments_are_read_as_they_were_written(
    args: list[tuple[str, Any]],
    kwargs: dict[str, tuple[str, Any]],
    comma: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    words = [text for text, _ in args]
    words += [f"{name} = {text}" for name, (text, _) in kwargs.items()]
    text = " , ".join(words) + ("," if comma and words else "")
    expected = tuple(value for _, value in args), {k: value for k, (_, value) in kwargs.items()}
    assert parse_converter_args(text) == expected


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_value_error(text: str) -> None:
    try:
        parse_converter_args(text)
        list(read_rule(text))
    except ValueError as error:
        if "position" not in str(error):
            raise


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("min=0;max=500", 0),
        ("a b", 0),
        ("a, 'b", 2),
        ("a,,b", 2),
        (",", 0),
        ("a, b c", 2),
        ("foo-", 0),
        ("__import__('os')", 0),
        ("a=b=c", 0),
    ],
)
def test_what_is_no_list_of_arguments_is_refused_with_its_place(text: str, place: int) -> None:
    with pytest.raises(ValueError, match=rf"from position {place}: .*quotes"):
        parse_converter_args(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.1", "a.1"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("-x", "-x"),
        ("-3", -3),
        (".5", 0.5),
        ("1_000", 1000),
        ("12ab", "12ab"),
        ('"1"', "1"),
        ('u"x"', "x"),
        ("9" * 5000, float("inf")),
    ],
)
def test_a_word_is_a_number_only_if_it_looks_like_one(text: str, value: object) -> None:
    assert parse_converter_args(text) == ((value,), {})


def test_a_rule_is_slashes_texts_and_placeholders() -> None:
    assert list(read_rule("/a-<b>/<int(min=1):c>")) == [
        "/",
        "a-",
        Placeholder("b", "default", (), {}),
        "/",
        Placeholder("c", "int", (), {"min": 1}),
    ]


def test_arguments_may_hold_what_ends_placeholders_elsewhere() -> None:
    (item,) = read_rule("<re('[^/:>]+(a|b)'):x>")
    assert item == Placeholder("x", "re", ("[^/:>]+(a|b)",), {})


@pytest.mark.parametrize(
    "rule", ["/<int()>", "/<", "/a<b", "/<a b>", "/<1>", "/<int:>", "/<int(:a>", "/<:a>", "/<>"]
)
def test_what_is_no_placeholder_is_refused_with_its_place(rule: str) -> None:
    with pytest.raises(ValueError, match=r"malformed .* position \d: *|malformed .* position"):
        Map([Rule(rule)])


def test_arguments_that_cannot_be_read_name_the_rule() -> None:
    with pytest.raises(ValueError, match=r"malformed URL rule '/<int\(a;b\):c>': cannot read"):
        Map([Rule("/<int(a;b):c>")])


@pytest.mark.parametrize("text", ["a," * 50_000, '"' * 100_000, "a" * 100_000, " " * 100_000])
def test_long_arguments_take_linear_time(text: str) -> None:
    begin = time.perf_counter()
    try:
        parse_converter_args(text)
    except ValueError:
        pass
    assert time.perf_counter() - begin < 2
