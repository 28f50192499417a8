"""Dates as HTTP writes them (RFC 9110 5.6.7)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

__all__ = ["LAST_MOMENT", "format_moment", "http_date", "parse_date"]

# The names are English whatever the process's locale, so strftime cannot be used.
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip


def http_date(seconds: float) -> str:
    """The IMF-fixdate of a moment.

    :param seconds: since 1970-01-01 UTC.
    :return: for instance ``Sun, 06 Nov 1994 08:49:37 GMT``.
    """
    return _written(int(seconds))


# PERF: files keep their dates, and requests come many a second: 0.1 us instead of 1.5.
@lru_cache(maxsize=256)
def _written(second: int) -> str:
    """Do what http_date says, for a whole second."""
    return format_moment(datetime.fromtimestamp(second, UTC))


#: the last moment that a date can name
LAST_MOMENT: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def format_moment(moment: datetime) -> str:
    """The IMF-fixdate of a moment; one without a time zone is taken as UTC.

    A moment which UTC has in the year 0 or 10000 becomes the first or the last that a date can
    name.
    """
    if moment.tzinfo is not None and moment.tzinfo is not UTC:
        moment = _to_utc(moment)
    # PERF: the plain version formats each number; the parts of the ISO form take half the time.
    text = moment.isoformat()
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    return f"{day}, {text[8:10]} {month} {text[:4]} {text[11:19]} GMT"


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return LAST_MOMENT if moment.year > 5000 else datetime(1, 1, 1, tzinfo=UTC)


# The three formats of RFC 9110 5.6.7 in one, and what mail has besides (RFC 5322): no weekday, no
# seconds, other zones.  Between the parts one or more blanks, or the hyphens of RFC 850.  What ends
# with a comma counts as a weekday, as with Python's email: Flask's tests read `expires=Sat, ...`.
_DATE: Final = re.compile(
    r"(?:[^ \t,]*,[ \t]*|[A-Za-z]{3,9}[ \t]+)?"
    r"([0-9]{1,2})[ \t\-]+([A-Za-z]{3})[a-z]{0,6}[ \t\-]+([0-9]{2}|[0-9]{4})[ \t]+"
    r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?(?:[ \t]+([A-Za-z]{1,3}|[+\-][0-9]{4}))?"
)
_ASCTIME: Final = re.compile(
    r"[A-Za-z]{3,9}[ \t]+([A-Za-z]{3})[ \t]+([0-9]{1,2})[ \t]+"
    r"([0-9]{1,2}):([0-9]{2}):([0-9]{2})[ \t]+([0-9]{4})"
)
_LONGEST_DATE: Final = 64
_MONTH_NUMBERS: Final = {name.lower(): number for number, name in enumerate(_MONTHS, 1)}
# hours behind UTC; the American zones are those of RFC 5322 4.3
_ZONES: Final = {
    "GMT": 0, "UTC": 0, "UT": 0, "Z": 0,
    "EDT": 4, "EST": 5, "CDT": 5, "CST": 6, "MDT": 6, "MST": 7, "PDT": 7, "PST": 8,
}  # fmt: skip


def parse_date(value: str | None) -> datetime | None:
    """Read a date in any of HTTP's three formats (RFC 9110 5.6.7), or as mail has it.

    A two-digit year is in this century up to 68, as POSIX has it, since there is no clock in this
    layer.  Second 60 counts as 59.  Whether the day of the week is right is not looked at.

    :return: the moment, in UTC; ``None`` if the text is no date, or none that exists.
    """
    if not value:
        return None
    text = value.strip(" \t")
    # PERF: a client asks with the date it was given, again and again: 0.1 us instead of 2.
    return _parse_date(text) if len(text) <= _LONGEST_DATE else None


@lru_cache(maxsize=256)
def _parse_date(text: str) -> datetime | None:
    """Do what parse_date says."""
    zone: str | None
    match = _DATE.fullmatch(text)
    if match is not None:
        day, name, year, hour, minute, second, zone = match.groups()
    else:
        match = _ASCTIME.fullmatch(text)
        if match is None:
            return None
        name, day, hour, minute, second, year = match.groups()
        zone = None
    month = _MONTH_NUMBERS.get(name.lower())
    ahead = _offset(zone)
    if month is None or ahead is None:
        return None
    full_year = int(year)
    if len(year) == 2:
        full_year += 1900 if full_year > 68 else 2000
    # RFC 9110 allows the leap second, datetime does not.
    seconds = 59 if second == "60" else int(second or 0)
    try:
        moment = datetime(full_year, month, int(day), int(hour), int(minute), seconds, tzinfo=UTC)
        return moment - ahead if ahead else moment
    except (ValueError, OverflowError):
        return None


def _offset(zone: str | None) -> timedelta | None:
    """How far a zone is ahead of UTC; ``None`` if it is none."""
    if zone is None:
        return timedelta(0)
    if zone[0] in "+-":
        ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:]))
        return -ahead if zone[0] == "-" else ahead
    behind = _ZONES.get(zone.upper())
    return None if behind is None else timedelta(hours=-behind)
