"""Dates, against the standard library's."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.dates import http_date

LAST = int(datetime(2100, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


def test_the_example_of_the_rfc() -> None:
    assert http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"


@given(st.integers(0, LAST))
def test_every_second_as_the_standard_library_writes_it(second: int) -> None:
    moment = datetime.fromtimestamp(second, UTC)
    assert http_date(second) == format_datetime(moment, usegmt=True)


@given(st.floats(0, LAST))
def test_parts_of_a_second_are_dropped(seconds: float) -> None:
    assert http_date(seconds) == formatdate(int(seconds), usegmt=True)


@pytest.mark.parametrize("year", [1970, 1999, 2000, 2023, 2024, 2099, 2100])
def test_every_day_of_a_year(year: int) -> None:
    start = int(datetime(year, 1, 1, 12, 34, 56, tzinfo=UTC).timestamp())
    for second in range(start, start + 366 * 86400, 86400):
        assert http_date(second) == formatdate(second, usegmt=True)


def test_seconds_before_1970() -> None:
    assert http_date(-1) == "Wed, 31 Dec 1969 23:59:59 GMT"
