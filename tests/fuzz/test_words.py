"""The promises of ``words.py`` for texts that Hypothesis thinks of, and for those of any length."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stein.http import cookies, etags, forwarded, lists, options, ranges, urls
from tests.fuzz.words import TOKENS, check

texts = st.lists(st.sampled_from(TOKENS), max_size=12).map("".join) | st.text(max_size=20)

# Each of these made some parser of some server slow or wrong.
HOSTILE = [
    '"', "\\", '\\"', '"\\', '"a', 'a"', '"a,', ',"', ';"', '="', 'a="', 'a="b;', 'a="\\";', "; ",
    ' "', 'a= "', 'a=  x"y', ";a=", ";a=b", ';a="b"', ";a*0*=b", ";a*", ";a*1=", " ", "\t ", ",",
    ", ", "W/", 'W/"', '"a"b,', "%", "%2", "%25", "%C3", "%FF", "0-1,", "-", "9", "1-", "q=0.",
    "for=a,", 'for="', "for=a;", "[", "]", ":", "@", "#", "?", "/", ".", "xn--", "\xe9", "\u2603.",
]  # fmt: skip


@given(texts)
@example("")
@example("//\u2100@[::1]:80/\r\n")
def test_the_words_keep_their_promises_for_any_text(text: str) -> None:
    check(text)


def read_all(text: str) -> None:
    lists.split_list(text)
    lists.parse_pairs(text)
    lists.parse_qualities(text)
    lists.parse_directives(text)
    options.parse_options("a;" + text)
    options.unquote_value(f'"{text}"')
    cookies.parse_cookie_pairs(text)
    cookies.dump_cookie("a", text)
    etags.parse_etags(text)
    ranges.parse_range("bytes=" + text)
    ranges.parse_content_range("bytes " + text)
    urls.iri_to_uri(text)
    urls.iri_to_uri("http://" + text)
    urls.uri_to_iri("http://" + text)
    forwarded.split_forwarded(text)


@pytest.mark.parametrize("unit", HOSTILE, ids=ascii)
@pytest.mark.parametrize("head", ["", '"', 'a="', "a= "], ids=ascii)
def test_time_grows_no_faster_than_the_text(unit: str, head: str) -> None:
    """A hundred thousand characters in a moment; what is quadratic would take a minute."""
    text = head + unit * (100_000 // len(unit)) + "\0"
    start = time.process_time()
    read_all(text)
    assert time.process_time() - start < 2
