from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.ranges import parse_content_range, parse_range
from stein.toolkit.datastructures.range import ContentRange, IfRange, Range


def test_if_range_is_a_tag_or_a_date() -> None:
    assert IfRange("abc").to_header() == str(IfRange("abc")) == '"abc"'
    moment = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
    assert IfRange(date=moment).to_header() == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert IfRange().to_header() == ""
    assert repr(IfRange("a")) == "<IfRange '\"a\"'>"


@pytest.mark.parametrize(
    ("ranges", "length", "part"),
    [
        ([(0, 10)], 100, (0, 10)),
        ([(90, 110)], 100, (90, 100)),
        ([(5, None)], 100, (5, 100)),
        ([(-5, None)], 100, (95, 100)),
        ([(-500, None)], 100, (0, 100)),  # RFC 9110 14.1.2
        ([(100, None)], 100, None),
        ([(0, 10)], None, None),
        ([(0, 1), (2, 3)], 100, None),
        ([(0, None)], 0, None),
    ],
)
def test_a_range_means_a_part_of_something_of_a_length(
    ranges: list[tuple[int, int | None]], length: int | None, part: tuple[int, int] | None
) -> None:
    asked = Range("bytes", ranges)
    assert asked.range_for_length(length) == part
    content_range = asked.make_content_range(length)
    header = asked.to_content_range_header(length)
    if part is None:
        assert content_range is None
        assert header is None
    else:
        assert header == f"bytes {part[0]}-{part[1] - 1}/{length}"
        assert content_range is not None
        assert content_range.to_header() == header


def test_other_units_mean_nothing_here() -> None:
    assert Range("lines", [(0, 1)]).range_for_length(10) is None


@pytest.mark.parametrize("ranges", [[(0, 0)], [(1, 0)], [(None, 5)], [(-5, 3)], [(0, 1), (2, 2)]])
def test_a_range_that_is_none_is_refused(ranges: Any) -> None:
    with pytest.raises(ValueError, match="is not a valid range"):
        Range("bytes", ranges)


@given(st.lists(st.integers(0, 99), min_size=2, max_size=8, unique=True), st.booleans())
def test_ranges_are_written_and_read_again(
    positions: list[int],
    suffix: bool,  # noqa: FBT001 - hypothesis passes it by name
) -> None:
    positions.sort()
    ranges: list[Any] = list(zip(positions[::2], positions[1::2]))  # noqa: B905 - odd ones stay out
    if suffix:
        ranges.append((-5, None))
    asked = Range("bytes", ranges)
    assert parse_range(str(asked)) == ("bytes", ranges)
    assert repr(asked) == f"<Range '{asked}'>"


def test_a_content_range_is_written() -> None:
    assert str(ContentRange("bytes", 0, 10, 100)) == "bytes 0-9/100"
    assert str(ContentRange("bytes", 0, 10)) == "bytes 0-9/*"
    assert str(ContentRange("bytes", None, None, 100)) == "bytes */100"
    assert str(ContentRange(None, None, None)) == ""
    assert repr(ContentRange("bytes", 0, 10)) == "<ContentRange 'bytes 0-9/*'>"


def test_each_change_of_a_content_range_is_told() -> None:
    calls: list[str] = []
    content_range = ContentRange("bytes", 0, 10, 100, lambda each: calls.append(str(each)))
    assert bool(content_range) is True
    content_range.start = 5
    content_range.stop = None
    content_range.stop = 8
    content_range.length = None
    content_range.units = "lines"
    content_range.set(1, 2, 3)
    content_range.unset()
    assert bool(content_range) is False
    assert {content_range.start, content_range.stop, content_range.length} == {None}
    assert calls == [
        "bytes 0-9/100", "bytes 5-9/100", "bytes */100", "bytes 5-7/100", "bytes 5-7/*",
        "lines 5-7/*", "bytes 1-1/3", "",
    ]  # fmt: skip


@pytest.mark.parametrize("wrong", [(5, 5, 10), (10, 12, 10), (None, 5, 10), (0, None, 10)])
def test_a_content_range_outside_of_the_whole_is_refused(wrong: tuple[Any, Any, Any]) -> None:
    with pytest.raises(ValueError, match="that is no range of the whole"):
        ContentRange("bytes", *wrong)


@given(st.integers(0, 50), st.integers(1, 50), st.none() | st.integers(0, 50))
def test_a_content_range_is_written_and_read_again(start: int, size: int, more: int | None) -> None:
    parts = (start, start + size, None if more is None else start + size + more)
    assert parse_content_range(str(ContentRange("bytes", *parts))) == ("bytes", *parts)
