"""Dates, against the standard library's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.dates import LAST_MOMENT, format_moment, http_date, parse_date

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


MOMENT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994", " Sun, 06 Nov 1994 08:49:37 GMT\t",
        "sun, 6 nov 1994 8:49:37 gmt",
        "06 November 1994 08:49:37", "Sun 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 UT",
        "Sun, 06 Nov 1994 10:49:37 +0200", "Sun, 06 Nov 1994 03:49:37 EST",
        "Sun, 06 Nov 1994 03:19:37 -0530", "Sun, 06 Nov 1994 08:49:37 Z",
        "Sun,06 Nov 1994 08:49:37 GMT", "expires=Sun, 06 Nov 1994 08:49:37 GMT",
    ],
)  # fmt: skip
def test_one_moment_in_many_forms(text: str) -> None:
    moment = parse_date(text)
    assert moment == MOMENT
    assert moment is not None
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        None, "", " ", "foo", "1994", "Sun, 06 Nov 1994", "Sun, 06 Nov 1994 08:49:37 FOO",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 10000 08:49:37 GMT", "Fri, 31 Dec 9999 23:59:59 -0100",
        "Mon, 01 Jan 0001 00:00:00 +2359", "Sun, \u0660\u0666 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +9", "9" * 5000, "Sun Foo  6 08:49:37 1994",
        "Sun, 06 Nov 199 08:49:37 GMT",
    ],
)  # fmt: skip
def test_what_is_no_date_is_none(text: str | None) -> None:
    assert parse_date(text) is None


def test_a_minute_is_exact_enough_and_a_leap_second_is_allowed() -> None:
    assert parse_date("06 Nov 1994 08:49 GMT") == MOMENT.replace(second=0)
    assert parse_date("Sat, 31 Dec 2016 23:59:60 GMT") == datetime(
        2016, 12, 31, 23, 59, 59, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("short", "year"), [("00", 2000), ("68", 2068), ("69", 1969), ("99", 1999)]
)
def test_years_of_two_digits(short: str, year: int) -> None:
    moment = parse_date(f"Sunday, 06-Nov-{short} 08:49:37 GMT")
    assert moment is not None
    assert moment.year == year


@given(
    st.datetimes(timezones=st.timezones() | st.just(UTC)).filter(lambda each: 1 < each.year < 9999)
)
def test_every_moment_is_read_as_written(moment: datetime) -> None:
    # As UTC, since times that a clock skips in spring equal none of another zone (PEP 495).
    assert parse_date(format_moment(moment)) == moment.replace(microsecond=0).astimezone(UTC)


@given(st.datetimes())
def test_a_moment_without_a_zone_is_one_of_utc(moment: datetime) -> None:
    assert format_moment(moment) == format_moment(moment.replace(tzinfo=UTC))


def test_the_ends_of_time() -> None:
    west, east = timezone(timedelta(hours=-1)), timezone(timedelta(hours=1))
    assert format_moment(datetime.max.replace(tzinfo=west)) == "Fri, 31 Dec 9999 23:59:59 GMT"
    assert format_moment(datetime.min.replace(tzinfo=east)) == "Mon, 01 Jan 0001 00:00:00 GMT"
    assert format_moment(LAST_MOMENT) == "Fri, 31 Dec 9999 23:59:59 GMT"


@given(st.text("SunNov 06194:8,-+GMT", max_size=32))
def test_any_text_is_a_date_or_none(text: str) -> None:
    moment = parse_date(text)
    assert moment is None or moment.tzinfo is UTC
