"""Splitting a text among placeholders does what the pattern does, in linear time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stein.toolkit.routing import BaseConverter, Map
from stein.toolkit.routing.converters import DEFAULT_CONVERTERS
from stein.toolkit.routing.parts import Piece, make_finder, pattern_of
from stein.toolkit.routing.spans import make_spans
from stein.toolkit.routing.syntax import Placeholder, read_rule

URLS = Map()
UUID = "12345678-1234-1234-1234-123456789abc"


def pieces_of(rule: str) -> list[Piece]:
    pieces: list[Piece] = []
    for item in read_rule(rule):
        if isinstance(item, Placeholder):
            pieces.append(DEFAULT_CONVERTERS[item.converter](URLS, *item.args, **item.kwargs))
        else:
            pieces.append(item)
    return pieces


PLACEHOLDERS = st.sampled_from([
    "<a>", "<int:a>", "<int(signed=True):a>", "<float:a>", "<path:a>", "<any(a,ab,b):a>",
    "<any('',a):a>", "<string(minlength=2):a>", "<string(maxlength=2):a>", "<string(length=2):a>",
    "<string(minlength=0):a>", "<string(minlength=0,maxlength=0):a>",
    "<float(signed=True):a>", "<uuid:a>",
])  # fmt: skip
RULES = st.lists(st.one_of(PLACEHOLDERS, st.sampled_from(["/", "a", "-", ".", "1"])), min_size=1)
TEXTS = st.text("ab1-./\n2", max_size=14) | st.just(UUID) | st.just(f"a/{UUID}")


@given(RULES.map("".join), TEXTS)
@example("<path:a>/x/<path:b>", "a/x/b/x/\nc")
@example("<path:a><path:b>", "\n/")
@example("<string(maxlength=2):a>1<any(a,ab):b>", "1111a")
def test_a_text_is_split_as_the_pattern_splits_it(rule: str, text: str) -> None:
    pieces = pieces_of(rule)
    spans = make_spans(pieces)
    assert spans is not None
    found = re.compile(rf"{pattern_of(pieces)}\Z").match(text)
    assert spans.find(text) == (None if found is None else list(found.groups()))


class Own(BaseConverter):
    regex = "[a-z]+?"


def test_a_pattern_of_ones_own_is_left_to_itself() -> None:
    pieces = [Own(URLS), *pieces_of("-<path:a>")]
    assert make_spans(pieces) is None
    assert make_finder(pieces, suffixed=False)("a-b") == ("a", "b")
    assert make_finder(pieces, suffixed=False)("A-b") is None


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("<path:a>/x/<path:b>/y/<path:c>/z", "a/x/b/y/" * 8000),
        ("<path:a>/x/<path:b>/y/<path:c>/z", "a/x/b/y/" * 8000 + "c/z"),
        ("<path:a>/<int:b>/<path:c>/<d>/q", "1/" * 32000),
        ("<path:a><int:b>", "1" * 65000 + "x"),
        ("<a>-<b>-<int:c>", "-1" * 32000 + "x"),
        ("<a>-<b>-<c>-<d>!", "-" * 65000),
        ("<float:a><float:b>", "1.1" * 20000),
        ("<any(a,aa):a><any(a,aa):b><path:c>!", "a" * 65000),
        ("<string(maxlength=300):a><string(minlength=3,maxlength=60000):b>", "a" * 65000),
        ("<string(maxlength=30000):a><string(maxlength=30000):b>!", "a" * 60000 + "!"),
        ("<path:a>\n<path:b>", "a\n" * 32000),
        ("<uuid:a><path:b>!", UUID * 1800),
    ],
)
def test_a_long_text_is_split_in_linear_time(rule: str, text: str) -> None:
    find = make_finder(pieces_of(rule), suffixed=False)
    begin = time.perf_counter()
    taken = find(text)
    assert time.perf_counter() - begin < 2  # with the pattern alone: minutes, if not days
    if taken is not None:
        assert len("".join(taken)) <= len(text)
