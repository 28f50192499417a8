"""Comma lists, against the grammar of RFC 9110 5.6.1."""

from __future__ import annotations

import re
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stein.http import lists
from stein.http.lists import (
    dump_list,
    dump_pairs,
    parse_directives,
    parse_pairs,
    parse_qualities,
    split_list,
)

near_lists = st.text(alphabet='ab",\\ \t;=\0', max_size=14)
CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)


def naive_split(value: str) -> list[str]:
    """Split a list one character after the other."""
    members, member, quoted, escaped = [], "", False, False
    for char in value:
        if char == "," and not quoted:
            members.append(member)
            member = ""
            continue
        member += char
        if escaped:
            escaped = False
        elif char == '"':
            quoted = not quoted
        elif char == "\\" and quoted:
            escaped = True
    return [] if quoted else [each.strip(" \t") for each in [*members, member]]


def naive_unquote(member: str) -> str:
    if len(member) < 2 or member[0] != '"' or member[-1] != '"':
        return member
    text, escaped = "", False
    for char in member[1:-1]:
        if char == "\\" and not escaped:
            escaped = True
        else:
            text += char
            escaped = False
    return text + "\\" * escaped


@given(near_lists)
@example('a, "b, c", d')
@example('"a\0b,c",d')
@example('"a\\",b",c')
@example('a"b,c"d')
def test_a_list_is_split_at_the_commas_outside_of_quotes(value: str) -> None:
    assert split_list(value) == [naive_unquote(each) for each in naive_split(value) if each]


@given(st.lists(st.text()))
def test_what_is_written_is_read_again(items: list[str]) -> None:
    assert split_list(dump_list(items)) == items


@pytest.mark.parametrize("value", ['a, "b', '"', 'a, "b\\"', '"a\\', '\0"a,b'])
def test_a_quote_without_end_makes_the_whole_list_unreadable(value: str) -> None:
    assert split_list(value) == []


def test_a_long_field_is_read_as_well() -> None:
    assert parse_qualities(f"{'a' * 1000};q=0.5") == [("a" * 1000, 0.5)]


def test_numbers_are_written_too() -> None:
    assert dump_list([1, 2.5, "a b"]) == '1, 2.5, "a b"'


def test_pairs_with_and_without_values() -> None:
    assert parse_pairs('no-cache, max-age = "0", a="b, c", d=, =e, =') == {
        "no-cache": None,
        "max-age": "0",
        "a": "b, c",
        "d": "",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("utf-8''%C3%A9", "é"),
        ("UTF-8'de'%C3%A9", "é"),
        ("iso-8859-1''%E9", "é"),
        ("us-ascii''%E9", "\ufffd"),
        ("utf-7''%2BAGE-", "%2BAGE-"),
        ("%C3%A9", "%C3%A9"),
        ("utf-8''", "utf-8''"),
    ],
)
def test_encoded_pairs_are_decoded(value: str, text: str) -> None:
    assert parse_pairs(f"a*={value}") == {"a": text}


def test_pairs_are_written_bare_quoted_or_encoded() -> None:
    pairs = {"no-store": None, "max-age": 3, "a": "b c", "d*": "utf-8''%C3%A9"}
    assert dump_pairs(pairs) == "no-store, max-age=3, a=\"b c\", d*=utf-8''%C3%A9"


@given(st.dictionaries(st.text("abc-", min_size=1), st.none() | st.text()))
def test_pairs_are_read_as_written(pairs: dict[str, str | None]) -> None:
    assert parse_pairs(dump_pairs(pairs)) == pairs


def test_the_accept_field_of_a_browser() -> None:
    assert parse_qualities(CHROME) == [
        ("text/html", 1),
        ("application/xhtml+xml", 1),
        ("application/xml", 0.9),
        ("image/avif", 1),
        ("image/webp", 1),
        ("*/*", 0.8),
        ("application/signed-exchange; v=b3", 0.7),
    ]


def test_a_member_without_quality_keeps_its_parameters() -> None:
    assert parse_qualities('a;b="c d" , e; ') == [('a; b="c d"', 1), ("e", 1)]


def test_each_reading_gives_a_list_of_its_own() -> None:
    parse_qualities(CHROME).clear()
    assert len(parse_qualities(CHROME)) == 7


@pytest.mark.parametrize(
    ("text", "quality"),
    [
        ("0", 0),
        ("1", 1),
        ("0.", 0),
        ("1.", 1),
        ("1.000", 1),
        ("0.001", 0.001),
        ("0.12345", 0.12345),
    ],
)
def test_qualities(text: str, quality: float) -> None:
    assert parse_qualities(f"a ; Q={text}") == [("a", quality)]


@pytest.mark.parametrize(
    "text",
    [
        ".5",
        "+0.5",
        "-0",
        "-1",
        "1.001",
        "2",
        "0.5_1",
        "1e0",
        "nan",
        "inf",
        '""',
        '"\u0660"',
        "00",
        "9" * 10_000,
    ],
)
def test_a_member_with_a_quality_that_is_none_is_left_out(text: str) -> None:
    assert parse_qualities(f"a, b;q={text}") == [("a", 1)]


def test_a_quality_of_a_million_digits_is_read() -> None:
    assert parse_qualities(f"a;q=0.{'1' * 1_000_000}, b") == [("a", pytest.approx(1 / 9)), ("b", 1)]


def test_directives_of_a_policy() -> None:
    assert parse_directives(" default-src 'self' ;img-src  * data:;; sandbox ; a\t b") == [
        ("default-src", "'self'"),
        ("img-src", "* data:"),
        ("a", "b"),
    ]


@given(
    st.lists(
        st.sampled_from(
            [*'a/*;q=01.5, \t"\\Q*é', "text/html", ";q=", "q=0.5", "; q=1.0", "level=1"]
        ),
        max_size=12,
    )
)
def test_a_member_in_the_common_form_is_read_as_any_other(parts: list[str]) -> None:
    member = "".join(parts)
    with mock.patch.object(lists, "_WEIGHTED", re.compile(r"(?!)")):
        carefully = lists._qualities(member)
    assert lists._qualities(member) == carefully
