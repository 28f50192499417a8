"""Ranges, against RFC 9110 14."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.ranges import (
    MAX_RANGES,
    is_byte_range_valid,
    parse_content_range,
    parse_range,
    range_for_length,
)

HUGE = "9" * 5000


@pytest.mark.parametrize(
    ("value", "ranges"),
    [
        ("0-499", [(0, 500)]),
        ("500-", [(500, None)]),
        ("-500", [(-500, None)]),
        ("0-0,-1", [(0, 1), (-1, None)]),
        (" 1 - 2 , 4-", [(1, 3), (4, None)]),
        ("0-9,10-19", [(0, 10), (10, 20)]),
        (f"0-{'9' * 30}", [(0, 10**30)]),
    ],
)
def test_ranges(value: str, ranges: list[tuple[int, int | None]]) -> None:
    assert parse_range(f" Bytes={value}") == ("bytes", ranges)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "-",
        "-0",
        "- 1",
        "a",
        "1",
        "1-a",
        "a-1",
        "2-1",
        "--1",
        "1--2",
        "+1-",
        "1_0-",
        "\u0661-",
        "0-5,5-6,6-5",
        "0-5,5-",
        "0-,5-6",
        "-1,-2",
        "-1,0-1",
        "0-1,",
        ",",
        HUGE + "-",
        "-" + HUGE,
    ],
)
def test_what_is_no_range_is_ignored_as_a_whole(value: str) -> None:
    expected = ("bytes", [(0, 6), (6, 7)]) if value == "" else None
    assert parse_range(f"bytes={value}" if value else "bytes=0-5,6-6") == expected


@pytest.mark.parametrize("value", [None, "", "bytes", "0-1"])
def test_a_field_without_a_unit_is_ignored(value: str | None) -> None:
    assert parse_range(value) is None


def test_many_ranges_are_ignored() -> None:
    """CVE-2025-62727: each range is work for the server."""
    some = ",".join(f"{each}-{each}" for each in range(MAX_RANGES))
    found = parse_range(f"bytes={some}")
    assert found is not None
    assert len(found[1]) == MAX_RANGES
    assert parse_range(f"bytes={some},1000-1001") is None
    assert parse_range("bytes=" + "0-0," * 1_000_000) is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("bytes 0-99/100", ("bytes", 0, 100, 100)),
        (" bytes 0-99/* ", ("bytes", 0, 100, None)),
        ("bytes */100", ("bytes", None, None, 100)),
        ("bytes */*", ("bytes", None, None, None)),
        ("items 1-1/2", ("items", 1, 2, 2)),
    ],
)
def test_content_ranges(value: str, found: tuple[str, int, int, int]) -> None:
    assert parse_content_range(value) == found


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "bytes",
        "bytes 0-1",
        "bytes 0/1",
        "bytes a-1/2",
        "bytes 0-a/2",
        "bytes 2-1/5",
        "bytes 5-6/5",
        "bytes 0-1/",
        "bytes 0-1/-1",
        "bytes */-1",
        "bytes */a",
        "bytes */+1",
        f"bytes 0-{HUGE}/*",
        f"bytes */{HUGE}",
    ],
)
def test_what_is_no_content_range(value: str | None) -> None:
    assert parse_content_range(value) is None


@given(
    st.none() | st.integers(-2, 4), st.none() | st.integers(-2, 4), st.none() | st.integers(-2, 4)
)
def test_valid_ranges(start: int | None, stop: int | None, length: int | None) -> None:
    if start is None and stop is None:
        expected = length is None or length >= 0
    elif start is None or stop is None:
        expected = False
    else:
        whole = 10 if length is None else length
        expected = any(position == start for position in range(max(0, whole))) and start < stop
    assert is_byte_range_valid(start, stop, length) == expected


@given(st.integers(-12, 12), st.none() | st.integers(1, 20), st.integers(0, 10))
def test_a_range_is_what_slicing_gives(start: int, stop: int | None, length: int) -> None:
    if stop is not None and not 0 <= start < stop:
        return
    whole = range(length)
    expected = whole[start:] if stop is None else whole[start:stop]
    found = range_for_length(start, stop, length)
    assert found == ((expected.start, expected.stop) if expected else None)


def test_there_is_no_part_of_an_unknown_length() -> None:
    assert range_for_length(0, 1, None) is None
