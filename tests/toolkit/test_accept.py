# ruff: noqa: S301 - unpickles what it pickled itself

from __future__ import annotations

import encodings
import pickle
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.lists import parse_qualities
from stein.toolkit.datastructures.accept import (
    Accept,
    CharsetAccept,
    LanguageAccept,
    MIMEAccept,
)

BROWSER = [
    ("text/html", 1), ("application/xhtml+xml", 1), ("application/xml", 0.9), ("*/*", 0.8),
]  # fmt: skip

KINDS = [Accept, MIMEAccept, LanguageAccept, CharsetAccept]


def test_the_most_specific_entries_come_first_then_the_best() -> None:
    accept = Accept([("*", 1), ("a", 0.5), ("b", 0.7), ("c", 0.7)])
    assert list(accept.values()) == ["b", "c", "a", "*"]
    assert accept.best == "b"
    assert accept[0] == ("b", 0.7)
    assert accept[1:3] == [("c", 0.7), ("a", 0.5)]
    assert Accept().best is None


def test_the_most_specific_entry_gives_a_value_its_quality() -> None:
    accept = Accept([("*", 0.1), ("a", 0)])
    assert accept["a"] == accept.quality("A") == 0
    assert accept["b"] == 0.1
    assert Accept([("a", 1)])["b"] == 0


def test_an_entry_has_a_position() -> None:
    accept = Accept([("b", 0.5), ("a", 1)])
    assert accept.index("A") == accept.find("a") == 0
    assert accept.index(("b", 0.5)) == 1
    assert accept.find("c") == accept.find(("a", 0.5)) == -1
    with pytest.raises(ValueError, match="c"):
        accept.index("c")
    for value, there in {"a": True, "c": False, 5: False}.items():
        assert accept.__contains__(value) is there


def test_an_offer_must_be_wanted_to_be_the_best() -> None:
    accept = Accept([("a", 0), ("b", 0.5), ("c", 0.5), ("*", 0.5)])
    assert accept.best_match(["a"]) is None
    assert accept.best_match(["a"], "x") == "x"
    assert accept.best_match(["a", "c", "b"]) == "c"  # equals: the first offer
    assert accept.best_match(["z", "b"]) == "b"  # equals: the more specific entry
    assert accept.best_match(iter(["z"])) == "z"
    assert accept.best_match([]) is None
    assert Accept().best_match(["a"], "x") == "x"


def test_it_is_written_as_it_came() -> None:
    accept = Accept([("a", 1), ("b", 0.5), ("c", 0)])
    assert accept.to_header() == str(accept) == "a,b;q=0.5,c;q=0"
    assert repr(accept) == "Accept([('a', 1), ('b', 0.5), ('c', 0)])"


def test_it_knows_whether_there_was_a_header() -> None:
    assert Accept([]).provided
    assert not Accept(None).provided
    for accept in (Accept(None), Accept([("a", 1)])):
        assert Accept(accept).provided == accept.provided
        again = pickle.loads(pickle.dumps(accept))
        assert again == accept
        assert again.provided == accept.provided


def test_it_cannot_be_changed() -> None:
    accept: Any = Accept([("a", 1)])
    with pytest.raises(TypeError, match="'Accept' objects are immutable"):
        accept.append(("b", 1))


# --- media types


@pytest.mark.parametrize(
    ("offers", "chosen"),
    [
        (["application/json", "text/html"], "text/html"),
        (["application/json", "application/xml"], "application/xml"),
        (["application/json"], "application/json"),
        (["TEXT/HTML"], "TEXT/HTML"),
        (["text/html;level=1"], "text/html;level=1"),  # by */*
        (["text/*"], "text/*"),
    ],
)
def test_a_browser_gets(offers: list[str], chosen: str) -> None:
    assert MIMEAccept(BROWSER).best_match(offers) == chosen


def test_wildcards_and_parameters_of_media_types() -> None:
    accept = MIMEAccept([("text/*", 0.5), ("text/html; b=1 ;A=2", 1), ("*/html", 1), ("junk", 1)])
    assert accept["text/html;a=2;b=1"] == 1
    assert accept["text/html"] == 0.5
    assert accept["image/html"] == 0
    assert accept["*/*"] == 1
    assert MIMEAccept([("image/*", 0.2)])["image/*"] == 0.2
    assert MIMEAccept([("image/png", 0.2)])["image/*"] == 0.2


@pytest.mark.parametrize("offer", ["html", "*/html", "text/", "*"])
def test_an_offer_that_is_no_media_type_is_the_programs_mistake(offer: str) -> None:
    with pytest.raises(ValueError, match="invalid mimetype '"):
        MIMEAccept(BROWSER).best_match([offer])


def test_what_a_program_asks_most_has_a_name() -> None:
    accept = MIMEAccept(BROWSER)
    assert accept.accept_html
    assert accept.accept_xhtml
    assert accept.accept_json
    api = MIMEAccept([("application/json", 1)])
    assert api.accept_json
    assert not api.accept_html
    assert MIMEAccept([("application/xml", 1)]).accept_html
    # A quality of 0 says "not this" (RFC 9110 12.4.2).
    assert not MIMEAccept([("application/json", 0), ("*/*", 1)]).accept_json


# --- languages


@pytest.mark.parametrize(
    ("wanted", "offers", "chosen"),
    [
        ([("en-US", 1)], ["en_us"], "en_us"),
        ([("*", 0.1), ("de", 1)], ["fr", "de"], "de"),
        ([("en-GB", 1)], ["de", "en"], "en"),
        ([("en", 1)], ["de", "en-US"], "en-US"),
        ([("en-GB", 1)], ["en-US"], None),
        ([("en", 1)], ["eng", "en-US"], "en-US"),
        ([("de-AT", 0.9), ("en-US", 1)], ["de", "en"], "en"),
        ([], ["de"], None),
    ],
)
def test_the_language_of_a_dialect(
    wanted: list[tuple[str, float]], offers: list[str], chosen: str | None
) -> None:
    assert LanguageAccept(wanted).best_match(iter(offers)) == chosen
    if chosen is None:
        assert LanguageAccept(wanted).best_match(offers, "x") == "x"


# --- charsets


def test_a_charset_has_several_names() -> None:
    accept = CharsetAccept([("ISO-8859-1", 1), ("utf-8", 0.7)])
    assert accept["latin1"] == 1
    assert accept["UTF8"] == accept["utf_8"] == 0.7
    assert accept["utf7"] == 0
    assert CharsetAccept([("*", 0.1)])["utf-8"] == 0.1


def test_unknown_charsets_do_not_fill_the_memory() -> None:
    before = len(encodings._cache)
    accept = CharsetAccept([(f"x-{number}\0", 1) for number in range(100)])
    assert accept.best_match(["utf-8"]) is None
    assert len(encodings._cache) <= before + 1


# --- properties


@pytest.mark.parametrize("kind", KINDS)
@given(value=st.text(alphabet='a*/;,q=.01 -_\t"\\\0é', max_size=40))
def test_any_header_gives_an_answer(kind: type[Accept], value: str) -> None:
    accept = kind(parse_qualities(value))
    assert accept.best_match(["a/b", "a/a"]) in {None, "a/b", "a/a"}
    assert 0 <= accept.quality("a/a") <= 1
    assert accept.find("a/a") >= -1
    assert kind(parse_qualities(accept.to_header())).provided


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_entry_takes_no_longer_than_its_length(kind: type[Accept]) -> None:
    begin = time.perf_counter()
    accept = kind([("a/b" + " \t" * 50_000, 1), ("a/b" + ";" * 50_000, 1), ("-" * 50_000, 1)])
    accept.best_match(["text/html", "text/plain"])
    assert time.perf_counter() - begin < 2
