"""Comma lists: plain ones, ``name=value`` ones, ones with qualities (RFC 9110 5.6.1, 12.4.2)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from stein.http.options import (
    closing_quote,
    decode_extended,
    dump_options,
    parse_options,
    quote_value,
    unquote_value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "dump_list",
    "dump_pairs",
    "parse_directives",
    "parse_pairs",
    "parse_qualities",
    "split_list",
]

#: values up to this many characters are remembered: a browser's Accept fields never change
_LONGEST_REMEMBERED: Final = 512

# RFC 9110 12.4.2 wants at most three decimals; who sends more of them means no harm.
_QVALUE: Final = re.compile(r"[01](?:\.[0-9]*)?")
# A member as clients write it: no parameter but a plain q, nothing quoted.
_WEIGHTED: Final = re.compile(r"([\w!#$&'*+.^`|~/-]+);[ \t]*q=([01](?:\.[0-9]*)?)", re.ASCII)


def split_list(value: str) -> list[str]:
    """The members of a comma list (RFC 9110 5.6.1.2); empty ones are left out.

    A comma in a quoted string separates nothing.  A member that is quoted as a whole loses its
    quotes and escapes; one of which only a part is quoted keeps them for whoever reads it next.

    :return: nothing at all if a quoted string never ends, as the rest cannot be trusted then.
    """
    if '"' not in value:
        return [each for part in value.split(",") if (each := part.strip(" \t"))]
    return [unquote_value(each) for part in _split_quoted(value) if (each := part.strip(" \t"))]


def _split_quoted(value: str) -> list[str]:
    """Split at the commas that stand outside of quoted strings."""
    if "\\" not in value:
        # PERF: the plain version is the loop below, which takes twice as long.  Without escapes
        # every second piece between quotes is a string; its commas are hidden for the split.
        pieces = value.split('"')
        if len(pieces) % 2 == 0:
            return []
        if "," not in "".join(pieces[1::2]):
            return value.split(",")
        if "\0" not in value:
            pieces[1::2] = [piece.replace(",", "\0") for piece in pieces[1::2]]
            return [part.replace("\0", ",") for part in '"'.join(pieces).split(",")]
    members: list[str] = []
    begin = position = 0
    while True:
        quote = value.find('"', position)
        stop = quote if quote != -1 else len(value)
        while (comma := value.find(",", position, stop)) != -1:
            members.append(value[begin:comma])
            begin = position = comma + 1
        if quote == -1:
            members.append(value[begin:])
            return members
        position = closing_quote(value, quote + 1) + 1
        if not position:
            return []


def parse_pairs(value: str) -> dict[str, str | None]:
    """A list of ``name=value``, as Cache-Control and the authentication fields have it.

    :return: the value of each name: ``None`` where only the name was given.  A member without a
        name is left out, the last of several equal names counts, and ``name*=utf-8''value`` is
        decoded under ``name`` (RFC 8187).
    """
    pairs: dict[str, str | None] = {}
    for member in split_list(value):
        name, equals, text = member.partition("=")
        name = name.rstrip(" \t")
        if not name:
            continue
        if not equals:
            pairs[name] = None
            continue
        text = text.lstrip(" \t")
        if name[-1] == "*":
            name = name[:-1]
            text = decode_extended(text)[1]
        pairs[name] = unquote_value(text)
    return pairs


def parse_qualities(value: str) -> list[tuple[str, float]]:
    """The members of an Accept field with their qualities (RFC 9110 12.4.2).

    :return: in the order of the field; a member whose quality is no number from 0 to 1 is left
        out.  Parameters other than ``q`` stay with the member, written in one way.
    """
    # PERF: the plain version parses each time, and takes 15 times as long for a browser's field.
    if len(value) <= _LONGEST_REMEMBERED:
        return list(_remembered(value))
    return list(_qualities(value))


def _qualities(value: str) -> tuple[tuple[str, float], ...]:
    """Do what parse_qualities says."""
    found: list[tuple[str, float]] = []
    for member in split_list(value):
        if ";" not in member:
            found.append((member, 1))
            continue
        # PERF: the plain version takes each member apart with parse_options(), 2 us (bench:
        # request-varied).
        weighted = _WEIGHTED.fullmatch(member)
        if weighted is not None and (number := float(weighted[2])) <= 1:
            found.append((weighted[1], number))
            continue
        item, options = parse_options(member)
        quality = options.pop("q", None)
        if options:
            item = dump_options(item, options)
        if quality is None:
            found.append((item, 1))
        else:
            quality = quality.strip(" \t")
            if _QVALUE.fullmatch(quality) is not None and (number := float(quality)) <= 1:
                found.append((item, number))
    return tuple(found)


_remembered = lru_cache(maxsize=512)(_qualities)


def parse_directives(value: str) -> list[tuple[str, str]]:
    """The directives of a content security policy (CSP level 3, 2.2.1).

    :return: name and value; a directive without a value is left out.
    """
    found = []
    for part in value.split(";"):
        name, blank, text = part.strip(" \t").partition(" ")
        if blank:
            found.append((name.rstrip("\t"), text.strip(" \t")))
    return found


def dump_list(items: Iterable[object]) -> str:
    """Write a comma list; what is no token is quoted."""
    return ", ".join([quote_value(each) for each in items])


def dump_pairs(pairs: Mapping[str, object]) -> str:
    """Write a list of ``name=value``.

    :param pairs: where a value is ``None`` only the name is written; where a name ends with ``*``
        its value must be encoded already (RFC 8187) and is written as it is.
    """
    parts = []
    for name, value in pairs.items():
        if value is None:
            parts.append(name)
        elif name[-1:] == "*":
            parts.append(f"{name}={value}")
        else:
            parts.append(f"{name}={quote_value(value)}")
    return ", ".join(parts)
