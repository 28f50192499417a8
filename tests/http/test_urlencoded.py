"""application/x-www-form-urlencoded, against the standard library's reading of it."""

from __future__ import annotations

from itertools import pairwise
from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stein.http import urlencoded
from stein.http.overrun import Overrun
from stein.http.urlencoded import Decoder, group_body, parse_pairs, unquote_plus

PIECES = st.sampled_from(
    ["a", "é", "&", "=", "+", "%", "%4", "%41", "%C3%A9", "%c3", "%ff", "%26", "%3D", "%25", "\n",
     "\r", "%\n", "=\n", "==", "%%41", "\0", " ", ";", "€", "%E2%82", "%ED%A0%80", "=41"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=12).map("".join)


def decode(pieces: list[bytes], **limits: int) -> list[tuple[str, str]]:
    decoder = Decoder(**limits)
    pairs = []
    for piece in pieces:
        pairs += decoder.feed(piece)
    return pairs + decoder.close()


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("&&", []),
        ("a", [("a", "")]),
        ("a=", [("a", "")]),
        ("=b", [("", "b")]),
        ("=", [("", "")]),
        ("a=1&a=2&b=3", [("a", "1"), ("a", "2"), ("b", "3")]),
        ("a=b=c", [("a", "b=c")]),
        ("a+b=c+d%2Be", [("a b", "c d+e")]),
        ("a%26b=c%3Dd", [("a&b", "c=d")]),
        ("a;b=c", [("a;b", "c")]),
        ("n=%C3%A9&é=ü", [("n", "é"), ("é", "ü")]),
        ("a=%C3%28%ff", [("a", "%C3(%FF")]),
        ("a=100%&b=%zz&c=%4&d=%%41", [("a", "100%"), ("b", "%zz"), ("c", "%4"), ("d", "%A")]),
        ("a=%00%0a", [("a", "\0\n")]),
        ("a=%ED%A0%80", [("a", "%ED%A0%80")]),
    ],
)
def test_pairs(text: str, pairs: list[tuple[str, str]]) -> None:
    assert parse_pairs(text) == pairs


@given(TEXTS)
@example("a=%41&b=%\r\n41")
@example("a=%41=\n")
@example("%C3%A9=%41%")
def test_what_is_utf_8_as_the_standard_library_reads_it(text: str) -> None:
    theirs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
    ours = parse_pairs(text)
    kept = [
        tuple("".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in each)
              for each in pair)
        for pair in theirs
    ]  # fmt: skip
    assert ours == kept


@given(TEXTS)
def test_the_fast_way_decodes_like_the_plain_one(text: str) -> None:
    if "%" in text and urlencoded._is_regular(text):
        assert urlencoded._unquote_regular(text) == urlencoded._unquote(text)


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_what_was_encoded_is_decoded(pairs: list[tuple[str, str]]) -> None:
    for quote in (quote_plus, lambda text, *_: "".join(f"%{byte:02x}" for byte in text.encode())):
        text = "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)
        assert parse_pairs(text) == pairs
    assert decode([urlencode(pairs).encode()]) == pairs


def test_one_name() -> None:
    assert unquote_plus("a+b%20c") == "a b c"
    assert unquote_plus("plain") == "plain"


def test_a_lone_surrogate_of_the_caller_does_no_harm() -> None:
    assert parse_pairs("a=\ud800&b=%41\ud800&c=%\ud800") == [
        ("a", "\ud800"),
        ("b", "A%ED%A0%80"),
        ("c", "%%ED%A0%80"),
    ]


@given(st.lists(PIECES, max_size=12).map("".join), st.lists(st.integers(0, 40), max_size=5))
def test_however_a_body_is_cut_the_same_comes_of_it(text: str, positions: list[int]) -> None:
    data = text.encode()
    inner = sorted({min(each, len(data)) for each in positions} | {0, len(data)})
    pieces = [data[a:b] for a, b in pairwise(inner)]
    assert decode(pieces) == parse_pairs(text)
    assert decode([data[i : i + 1] for i in range(len(data))]) == parse_pairs(text)


@given(st.binary(max_size=30))
def test_any_bytes_give_pairs_or_a_value_error(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        with pytest.raises(ValueError, match="the form is not UTF-8"):
            decode([data])
    else:
        assert decode([data]) == parse_pairs(text)


def test_as_many_bytes_as_allowed_and_not_one_more() -> None:
    assert decode([b"a=12", b"34"], max_size=6) == [("a", "1234")]
    with pytest.raises(Overrun, match=r"more than 6 bytes \(setting: max_urlencoded_size\)"):
        decode([b"a=12", b"345"], max_size=6)


def test_as_many_fields_as_allowed_and_not_one_more() -> None:
    assert len(decode([b"a=1&", b"b=2&c=3"], max_fields=3)) == 3
    with pytest.raises(Overrun, match=r"more than 3 fields \(setting: max_form_fields\)"):
        decode([b"a=1&", b"b=2&c=3&d"], max_fields=3)


def test_empty_fields_count_and_nothing_is_decoded_before() -> None:
    with pytest.raises(Overrun, match="more than 3 fields"):
        decode([b"\xff&&&"], max_fields=3)


def test_pairs_come_before_the_end_of_a_long_body() -> None:
    decoder = Decoder()
    assert decoder.feed(b"a=1&b") == []
    assert decoder.feed(b"=2&c=") == [("a", "1"), ("b", "2")]
    assert decoder.feed(b"3") == []
    assert decoder.close() == [("c", "3")]


@given(
    st.lists(st.sampled_from([*"ab=&+%", "%41", "%e9", "a=1", "&b=2"]), max_size=12).map("".join)
)
def test_a_whole_body_has_the_pairs_of_one_that_arrives(text: str) -> None:
    groups: dict[str, list[str]] = {}
    for name, value in decode([text.encode()]):
        groups.setdefault(name, []).append(value)
    assert group_body(text.encode()) == groups
    assert list(group_body(text.encode())) == list(groups)


def test_a_whole_body_has_as_many_fields_as_allowed_and_not_one_more() -> None:
    assert group_body(b"a=1&a=2&b", max_fields=3) == {"a": ["1", "2"], "b": [""]}
    with pytest.raises(Overrun, match="more than 3 fields"):
        group_body(b"a&b&c&d", max_fields=3)
    with pytest.raises(ValueError, match="not UTF-8"):
        group_body(b"a=\xff")
