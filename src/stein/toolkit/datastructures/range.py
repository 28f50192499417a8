"""Ranges that a client asks for, and the one that a response is (RFC 9110 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stein.http.dates import format_moment
from stein.http.etags import quote_etag
from stein.http.ranges import is_byte_range_valid, range_for_length

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

__all__ = ["ContentRange", "IfRange", "Range"]


class IfRange:
    """The If-Range header (RFC 9110 13.1.5): an entity tag, or a date, or neither.

    :param etag: without quotes.
    :param date: aware, or naive in UTC.
    """

    def __init__(self, etag: str | None = None, date: datetime | None = None) -> None:
        #: the tag; whether it is weak does not matter here, as ranges need a strong one
        self.etag = etag
        #: the date
        self.date = date

    def to_header(self) -> str:
        """Write the value of the header; empty where there is neither."""
        if self.date is not None:
            return format_moment(self.date)
        if self.etag is not None:
            return quote_etag(self.etag)
        return ""

    def __str__(self) -> str:
        return self.to_header()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.to_header()!r}>"


class Range:
    """The Range header (RFC 9110 14.2).

    :param units: ``bytes``; what gives a part of something answers for no other unit.
    :param ranges: pairs of the first position and the one behind the last, or ``None`` for the
        end.  The last ``n`` are ``(-n, None)``.
    :raises ValueError: if a range is empty or goes backwards.
    """

    def __init__(self, units: str, ranges: Sequence[tuple[int, int | None]]) -> None:
        #: the unit
        self.units = units
        #: the pairs
        self.ranges = ranges
        for start, end in ranges:
            # `None` is not what the types say, but what is written by mistake for "the last n".
            if start is None or (  # type: ignore[redundant-expr]
                end is not None and not 0 <= start < end
            ):
                raise ValueError(
                    f"({start}, {end}) is not a valid range: the end lies behind the start; "
                    "(-n, None) stands for the last n"
                )

    def range_for_length(self, length: int | None) -> tuple[int, int] | None:
        """Tell which part of something is meant.

        :param length: of the whole; ``None`` if it is not known.
        :return: the first position and the one behind the last; ``None`` where the unit is not
            ``bytes``, there are several ranges, or nothing of the range is in the whole.
        """
        if self.units != "bytes" or len(self.ranges) != 1:
            return None
        start, end = self.ranges[0]
        return range_for_length(start, end, length)

    def make_content_range(self, length: int | None) -> ContentRange | None:
        """Make the :class:`ContentRange` of the part, as :meth:`range_for_length` gives it."""
        part = self.range_for_length(length)
        return None if part is None else ContentRange(self.units, *part, length)

    def to_content_range_header(self, length: int | None) -> str | None:
        """Write the Content-Range header of the part, as :meth:`range_for_length` gives it."""
        content_range = self.make_content_range(length)
        return None if content_range is None else content_range.to_header()

    def to_header(self) -> str:
        """Write the value of the header."""
        parts = []
        for start, end in self.ranges:
            if end is not None:
                parts.append(f"{start}-{end - 1}")
            else:
                parts.append(f"{start}-" if start >= 0 else f"{start}")
        return f"{self.units}={','.join(parts)}"

    def __str__(self) -> str:
        return self.to_header()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.to_header()!r}>"


def _told(name: str, doc: str) -> Any:
    """Make a property that tells the content range when it is set."""

    def read(content_range: ContentRange) -> Any:
        return content_range.__dict__[name]

    def write(content_range: ContentRange, value: Any) -> None:
        content_range.__dict__[name] = value
        content_range._changed()  # noqa: SLF001 - a property of that very class

    return property(read, write, doc=doc)


class ContentRange:
    """The Content-Range header (RFC 9110 14.4).  It is false while there is to be no header.

    :param units: ``bytes``; ``None`` for no header.
    :param start: the first position; ``None``, together with ``stop``, for no range of that length.
    :param stop: the position behind the last one.
    :param length: of the whole; ``None`` if it is not known.
    :param on_update: called with the object after each change.
    """

    def __init__(
        self,
        units: str | None,
        start: int | None,
        stop: int | None,
        length: int | None = None,
        on_update: Callable[[ContentRange], None] | None = None,
    ) -> None:
        self.on_update = on_update
        self.set(start, stop, length, units)

    units: str | None = _told("_units", "The unit; ``None`` for no header.")
    start: int | None = _told("_start", "The first position, or ``None``.")
    stop: int | None = _told("_stop", "The position behind the last one, or ``None``.")
    length: int | None = _told("_length", "The length of the whole, or ``None``.")

    def _changed(self) -> None:
        if self.on_update is not None:
            self.on_update(self)

    def set(
        self,
        start: int | None,
        stop: int | None,
        length: int | None = None,
        units: str | None = "bytes",
    ) -> None:
        """Set all of it at once.

        :raises ValueError: if that is no range of something of that length.
        """
        if not is_byte_range_valid(start, stop, length):
            raise ValueError(
                f"start {start}, stop {stop}, length {length}: that is no range of the whole; "
                "stop lies behind start, which lies before length (or both are None)"
            )
        own = self.__dict__
        own["_units"], own["_start"], own["_stop"], own["_length"] = units, start, stop, length
        self._changed()

    def unset(self) -> None:
        """Let there be no header."""
        self.set(None, None, units=None)

    def to_header(self) -> str:
        """Write the value of the header; empty where there is to be none."""
        if self.units is None:
            return ""
        whole = "*" if self.length is None else self.length
        if self.start is None or self.stop is None:
            return f"{self.units} */{whole}"
        return f"{self.units} {self.start}-{self.stop - 1}/{whole}"

    def __bool__(self) -> bool:
        return self.units is not None

    def __str__(self) -> str:
        return self.to_header()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.to_header()!r}>"
