"""Entity tags, against RFC 9110 8.8.3."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.etags import generate_etag, parse_etags, quote_etag, unquote_etag

tags = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters='"\x7f'))
tags = tags.filter(lambda tag: all(char < "\x7f" or char > "\x9f" for char in tag))


@given(st.lists(st.tuples(tags, st.booleans())))
def test_what_is_written_is_read_again(pairs: list[tuple[str, bool]]) -> None:
    found = parse_etags(", ".join(quote_etag(*pair) for pair in pairs))
    assert found.strong == [tag for tag, weak in pairs if not weak]
    assert found.weak == [tag for tag, weak in pairs if weak]
    assert not found.star


@given(tag=tags, weak=st.booleans())
def test_one_tag_is_read_as_written(tag: str, *, weak: bool) -> None:
    assert unquote_etag(quote_etag(tag, weak)) == (tag, weak)


@pytest.mark.parametrize(
    ("value", "strong", "weak"),
    [
        (None, [], []),
        ("", [], []),
        (" , ,", [], []),
        ('"a,b" , W/"c,d",w/"e"', ["a,b"], ["c,d", "e"]),
        ('a, W/b, "c"', ["a", "c"], ["b"]),
        ('"a"b, "c"', ["c"], []),
        ('"a, b", "c', ["a, b"], []),
        ('a b, a"b, "c"', ["c"], []),
        ('"a" "b", "c"', ["c"], []),
        ('"', [], []),
        ("W/", ["W/"], []),
        ('X/"a", "b"', ["b"], []),
        ('""', [""], []),
    ],
)  # fmt: skip
def test_lists_of_tags(value: str | None, strong: list[str], weak: list[str]) -> None:
    assert parse_etags(value) == (strong, weak, False)


def test_a_star_stands_for_any_tag() -> None:
    assert parse_etags("*") == ([], [], True)


@pytest.mark.parametrize(
    ("text", "tag", "weak"),
    [
        ("a", "a", False), ("W/a", "a", True), ('w/"a"', "a", True), ('"a', '"a', False),
        ('"', "", False),
    ],
)  # fmt: skip
def test_a_tag_that_lacks_quotes(text: str, tag: str, *, weak: bool) -> None:
    assert unquote_etag(text) == (tag, weak)


def test_nothing_is_no_tag() -> None:
    assert unquote_etag(None) == (None, None)
    assert set(unquote_etag("")) == {None}


@pytest.mark.parametrize("tag", ['a"b', "a\r\nb", "\0", "\x7f"])
def test_a_tag_that_cannot_be_written_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="cannot be an entity tag") as caught:
        quote_etag(tag)
    assert repr(tag) in str(caught.value)


def test_a_tag_may_hold_a_blank_beyond_ascii() -> None:
    assert quote_etag("a\xa0b") == '"a\xa0b"'


def test_a_tag_is_made_of_content() -> None:
    assert generate_etag(b"a") == hashlib.sha1(b"a").hexdigest()  # noqa: S324 - no secret
