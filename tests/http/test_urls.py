"""URLs, against RFC 3986, RFC 3987 and the standard library."""

from __future__ import annotations

import urllib.parse

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stein.http.urls import (
    current_url,
    encode_query,
    iri_to_uri,
    percent_decode,
    percent_encode,
    split_url,
    uri_to_iri,
)

near_urls = st.text(alphabet="ab:/?#@[]%2Fé. \t\n\u2603", max_size=16)


@given(near_urls)
def test_a_url_is_put_together_as_it_was(url: str) -> None:
    assert split_url(url).join() == url


def test_the_parts_of_a_url() -> None:
    assert split_url("http://a:b@c:1/d?e?f#g#h") == ("http", "a:b@c:1", "/d", "e?f", "g#h")
    assert split_url("//a") == (None, "a", "", None, None)
    assert split_url("1a:b?") == (None, None, "1a:b", "", None)


@given(st.text() | st.binary(), st.text("/:?&=;,+%", max_size=4))
def test_encoding_is_that_of_the_standard_library(text: str | bytes, safe: str) -> None:
    assert percent_encode(text, safe) == urllib.parse.quote(text, safe)


@given(st.text("a%2F0éC3A9fF ", max_size=16), st.sampled_from(["utf-8", "ascii", "latin-1"]))
@example("%C3%A9%2f%zz%", "utf-8")
def test_decoding_is_that_of_the_standard_library(text: str, charset: str) -> None:
    assert percent_decode(text, charset=charset) == urllib.parse.unquote(text, charset)


def test_half_a_surrogate_pair_is_encoded() -> None:
    assert percent_encode("\ud800") == "%ED%A0%80"
    assert iri_to_uri("/\ud800?\udc80") == "/%ED%A0%80?%ED%B2%80"
    assert iri_to_uri("http://\ud800/") == "http://%ed%a0%80/"


PAIRS = [
    (
        "http://\u2603.example/p\xe5th?q=\xe8#\xe9",
        "http://xn--n3h.example/p%C3%A5th?q=%C3%A8#%C3%A9",
    ),
    ("http://\xfc:p\xe4@\u2603:80/", "http://%C3%BC:p%C3%A4@xn--n3h:80/"),
    ("http://a/%2F%25?x=%3D%26#%25", "http://a/%2F%25?x=%3D%26#%25"),
    ("http://u@a:0", "http://u@a:0"),
    ("http://:@a", "http://:@a"),
    ("http://[::1]:80/a", "http://[::1]:80/a"),
    ("itms-services://?a=b", "itms-services://?a=b"),
    ("mailto:a@b", "mailto:a@b"),
    ("////a", "////a"),
    ("/a?", "/a?"),
    ("", ""),
]


@pytest.mark.parametrize(("iri", "uri"), PAIRS)
def test_a_url_in_both_forms(iri: str, uri: str) -> None:
    assert iri_to_uri(iri) == uri
    assert iri_to_uri(uri) == uri
    assert uri_to_iri(uri) == iri
    assert uri_to_iri(iri) == iri


@pytest.mark.parametrize(
    ("iri", "uri"),
    [
        ("HTTP://EXAMPLE.com/A", "http://example.com/A"),
        (" http://a/ \n", "http://a/"),
        ("http://a:/", "http://a/"),
        ("http://a:b c/", "http://a:b%20c/"),
        ("http://a b/", "http://a%20b/"),
        ("http://[::1/", "http://%5b%3a:1/"),
        ("http://a@b@c/", "http://a%40b@c/"),
        ("http://\xe4..b/", "http://%c3%a4..b/"),
        ("http://\u2100.evil/", "http://a%2fc.evil/"),
        ("http://" + "\xe4" * 300, "http://" + "%c3%a4" * 300),
        ("/[a]?[b]#[c]", "/%5Ba%5D?%5Bb%5D#%5Bc%5D"),
    ],
)  # fmt: skip
def test_what_cannot_stand_in_a_url_is_encoded(iri: str, uri: str) -> None:
    assert iri_to_uri(iri) == uri


def test_a_control_character_does_not_make_a_path_an_authority() -> None:
    """Browsers drop tabs and line ends, so ``/<tab>/evil`` would lead to another host."""
    assert iri_to_uri("/\t/evil.test") == "/%09/evil.test"
    assert iri_to_uri("/\r\n/evil.test") == "/%0D%0A/evil.test"


@given(near_urls | st.text())
@example("http://\u2603:\u2603@\u2603:\u2603/\u2603?\u2603#\u2603")
def test_a_uri_is_printable_ascii_and_stays(iri: str) -> None:
    uri = iri_to_uri(iri)
    assert uri.isascii()
    assert uri.isprintable()
    assert " " not in uri
    assert iri_to_uri(uri) == uri


@pytest.mark.parametrize(
    ("uri", "iri"),
    [
        ("/%20%00%7F%25%2f%3f%23", "/%20%00%7F%25%2f%3f%23"),
        ("?%26%3d%2B%23%2F", "?%26%3d%2B%23/"),
        ("#%23%20", "##%20"),
        ("/%FF%C3%A9%C3", "/%FF\xe9%C3"),
        ("http://%3A%40@a/", "http://%3A%40@a/"),
        ("http://xn--a/", "http://xn--a/"),
        ("http://xn--\xe9/", "http://xn--\xe9/"),
        ("http://b.xn--n3h.XN--N3H/", "http://b.\u2603.\u2603/"),
        ("http://xn--" + "a" * 80, "http://xn--" + "a" * 80),
        ("http://[z/", "http://[z/"),
        ("http://[::1", "http://[::1"),
    ],
)
def test_what_means_something_stays_encoded(uri: str, iri: str) -> None:
    assert uri_to_iri(uri) == iri


@given(near_urls | st.text())
def test_no_text_breaks_the_way_back(uri: str) -> None:
    assert isinstance(uri_to_iri(uri), str)


def test_the_url_of_a_request() -> None:
    assert current_url("http", "a") == "http://a/"
    assert current_url("http", "a", "/b/") == "http://a/b/"
    assert current_url("http", "a", "", "/c", b"") == "http://a/c"
    assert current_url("http", "a", "/b", "/c d", b"e=%C3%A9&\xff") == "http://a/b/c%20d?e=\xe9&%FF"
    assert current_url("https", "xn--n3h:8000", "/", "/\xe9?") == "https://\u2603:8000/\xe9%3F"


@given(st.lists(st.tuples(st.text(), st.text() | st.binary() | st.integers())))
def test_a_query_is_that_of_the_standard_library(pairs: list[tuple[str, str]]) -> None:
    assert encode_query(pairs) == urllib.parse.urlencode(pairs, safe="!$'()*,/:;?@")


def test_what_is_none_is_left_out_of_a_query() -> None:
    assert encode_query([("a", None), ("b", "c d"), ("e", 1)]) == "b=c+d&e=1"
