"""Dates as HTTP writes them (RFC 9110 5.6.7)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

__all__ = ["http_date"]

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
    moment = datetime.fromtimestamp(int(seconds), UTC)
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    return f"{day}, {moment.day:02} {month} {moment.year:04} {moment:%H:%M:%S} GMT"
