"""Ranges of bytes asked for and given (RFC 9110 14)."""

from __future__ import annotations

from typing import Final

from stein.http.numbers import parse_int

__all__ = [
    "MAX_RANGES",
    "is_byte_range_valid",
    "parse_content_range",
    "parse_range",
    "range_for_length",
]

#: A field with more ranges is ignored (RFC 9110 14.2): nobody needs them, and each is work.
MAX_RANGES: Final = 100


def parse_range(value: str | None) -> tuple[str, list[tuple[int, int | None]]] | None:
    """Read a Range field.

    :return: the unit in lower case, and for each range the first position and the one behind the
        last.  Up to the end is ``(first, None)``, the last ``n`` are ``(-n, None)``.  ``None``
        stands for a field to ignore: it is malformed, holds more than :data:`MAX_RANGES`, or its
        ranges overlap or go back.
    """
    if not value:
        return None
    unit, equals, text = value.partition("=")
    members = text.split(",", MAX_RANGES)
    if not equals or len(members) > MAX_RANGES:
        return None
    ranges: list[tuple[int, int | None]] = []
    behind: int | None = 0
    for member in members:
        found = _one_range(member, behind)
        if found is None:
            return None
        ranges.append(found)
        behind = found[1]
    return unit.strip(" \t").lower(), ranges


def _one_range(member: str, behind: int | None) -> tuple[int, int | None] | None:
    """Read ``first-last``, ``first-`` or ``-length``.

    :param behind: where the range before ended; ``None`` if nothing may follow it.
    """
    first_text, dash, last_text = member.strip(" \t").partition("-")
    if not dash or behind is None:
        return None
    if not first_text:
        length = parse_int(last_text)
        return (-length, None) if length and last_text[0] not in " \t" else None
    first = parse_int(first_text)
    if first is None or first < behind:
        return None
    if not last_text.strip(" \t"):
        return first, None
    last = parse_int(last_text)
    return (first, last + 1) if last is not None and first <= last else None


def parse_content_range(value: str | None) -> tuple[str, int | None, int | None, int | None] | None:
    """Read a Content-Range field (RFC 9110 14.4).

    :return: the unit, the first position, the one behind the last, and the whole length, each of
        the three ``None`` where a star stands for it; ``None`` for a field that is malformed.
    """
    if value is None:
        return None
    unit, _, text = value.strip(" \t").partition(" ")
    positions, slash, whole = text.partition("/")
    length = None if whole == "*" else parse_int(whole)
    if not slash or (length is None and whole != "*"):
        return None
    if positions == "*":
        return unit, None, None, length
    first_text, dash, last_text = positions.partition("-")
    first, last = parse_int(first_text), parse_int(last_text)
    if not dash or first is None or last is None:
        return None
    if not is_byte_range_valid(first, last + 1, length):
        return None
    return unit, first, last + 1, length


def is_byte_range_valid(start: int | None, stop: int | None, length: int | None) -> bool:
    """Whether a range can be part of something.

    :param start: the first position; ``None``, together with ``stop``, for no range.
    :param stop: the position behind the last one; may lie beyond the length.
    :param length: of the whole; ``None`` if it is not known.
    """
    if start is None or stop is None:
        return start is stop and (length is None or length >= 0)
    return 0 <= start < stop and (length is None or start < length)


def range_for_length(start: int, stop: int | None, length: int | None) -> tuple[int, int] | None:
    """What one range of :func:`parse_range` means for something of a known length.

    A suffix that is longer than the whole means all of it (RFC 9110 14.1.2).

    :return: the first position and the one behind the last, or ``None`` if there is nothing of
        the range in it (then 416 answers).
    """
    if length is None:
        return None
    if stop is None:
        stop = length
        if start < 0:
            start = max(0, start + length)
    if not is_byte_range_valid(start, stop, length):
        return None
    return start, min(stop, length)
