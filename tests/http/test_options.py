"""Parameters behind a value, against RFC 9110 5.6.6, RFC 2231 and RFC 8187."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.options import (
    closing_quote,
    decode_extended,
    dump_options,
    parse_options,
    quote_value,
    unquote_value,
)

tokens = st.text("abc0-_!", min_size=1)


@pytest.mark.parametrize(
    ("value", "head"),
    [
        (None, ""),
        ("", ""),
        (" ", ""),
        ("a", "a"),
        (" a ", "a"),
        ("a;", "a"),
        (";a=b", ""),
        (" ; a", ""),
        (", a ;", ", a"),
    ],
)
def test_a_value_without_parameters(value: str | None, head: str) -> None:
    assert parse_options(value) == (head, {})


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("charset=utf-8", {"charset": "utf-8"}),
        ("Charset=UTF-8 ; b = c; d=e", {"charset": "UTF-8", "d": "e"}),
        (';; a="b;c" ; d="" ', {"a": "b;c", "d": ""}),
        (r'a="b\"c\\d\e"', {"a": r'b"c\de'}),
        ('name="%22"; b=%22', {"name": '"', "b": '"'}),
        ("a=b; a=c", {"a": "c"}),
        ("a=b\xe9; c=d", {"a": "b", "c": "d"}),
        ("a=\xe9; c=d", {"c": "d"}),
        ('a="b" junk; c=d', {"a": "b", "c": "d"}),
        ('a="b; c=d', {}),
        ('a=b; c="d', {"a": "b"}),
        ('"a"=b; =c; d; e=', {}),
    ],
)
def test_parameters(text: str, options: dict[str, str]) -> None:
    assert parse_options(f"v;{text}") == ("v", options)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("a*=utf-8''%C3%A9", {"a": "é"}),
        ("a*=''%C3%A9", {"a": "%C3%A9"}),
        ("a*=\"utf-8''b\"", {"a": "\"utf-8''b\""}),
        ("a*0=b; A*1=c", {"a": "bc"}),
        ('a*0="b c"; a*1="%22"', {"a": 'b c"'}),
        ("a*0*=utf-8''%C3%A9; a*1*=%C3%A9; a*2=%C3", {"a": "éé%C3"}),
        ("a*1*=%C3%A9", {"a": "%C3%A9"}),
        ("a=b; a*0=c", {"a": "c"}),
        ("a*0*=utf-8''c; a=b", {"a": "b"}),
        ("a*0=c; a*=b", {"a": "b"}),
        ("a*b=c; a**=d; *0=e; *=f", {"a*b": "c", "a*": "d", "": "f"}),
    ],
)
def test_encoded_and_continued_parameters(text: str, options: dict[str, str]) -> None:
    assert parse_options(f"v; {text}") == ("v", options)


def test_each_reading_gives_a_dictionary_of_its_own() -> None:
    parse_options("a; b=c")[1].clear()
    assert parse_options("a; b=c") == ("a", {"b": "c"})


def test_a_long_value_is_read_as_well() -> None:
    assert parse_options(f"a; b={'c' * 1000}") == ("a", {"b": "c" * 1000})


@given(tokens, st.dictionaries(tokens, st.text().filter(lambda text: "%22" not in text)))
def test_what_is_written_is_read_again(head: str, options: dict[str, str]) -> None:
    assert parse_options(dump_options(head, options)) == (head, options)


def test_what_is_none_is_not_written() -> None:
    assert dump_options(None, {"a": 1, "b": None, "c*": "utf-8''%C3%A9"}) == "a=1; c*=utf-8''%C3%A9"
    assert dump_options("a", {}) == "a"


@given(st.text())
def test_a_quoted_value_is_read_again(text: str) -> None:
    assert unquote_value(quote_value(text, allow_token=False)) == text


def test_only_what_is_no_token_is_quoted() -> None:
    assert quote_value("a-b") == "a-b"
    assert quote_value(3) == "3"
    assert quote_value("a-b", allow_token=False) == '"a-b"'
    assert [quote_value(each) for each in ("", "a b", "é", '"', "\\")] == [
        '""', '"a b"', '"é"', r'"\""', r'"\\"',
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", '"', "a", '"a', 'a"'])
def test_what_is_not_quoted_stays(text: str) -> None:
    assert unquote_value(text) == text


@given(st.text('ab\\"'), st.integers(0, 5))
def test_the_closing_quote_is_the_first_without_escape(text: str, start: int) -> None:
    position = start
    while position < len(text) and text[position] != '"':
        position += 2 if text[position] == "\\" else 1
    assert closing_quote(text, start) == (position if position < len(text) else -1)


def test_the_charset_of_a_piece_is_the_one_before() -> None:
    assert decode_extended("%C3%A9", "utf-8") == ("utf-8", "é")
    assert decode_extended("''%C3%A9", "utf-8") == ("utf-8", "é")
    assert decode_extended("%C3%A9") == ("", "%C3%A9")
