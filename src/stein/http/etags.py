"""Entity tags (RFC 9110 8.8.3)."""

from __future__ import annotations

from typing import NamedTuple, overload

__all__ = ["TagList", "generate_etag", "is_etag", "parse_etags", "quote_etag", "unquote_etag"]


class TagList(NamedTuple):
    """What If-Match and If-None-Match hold: tags, or a star that stands for any."""

    strong: list[str]
    weak: list[str]
    star: bool = False


def quote_etag(etag: str, weak: bool = False) -> str:  # noqa: FBT001, FBT002 - werkzeug's signature
    """Write a tag with its quotes.

    :param etag: without quotes.
    :param weak: whether to put ``W/`` in front.
    :raises ValueError: if the tag holds a quote or a control character, which no tag can.
    """
    if not is_etag(etag):
        raise ValueError(
            f"{etag!r} cannot be an entity tag: a quote or a control character stands in it;"
            " hash it, or encode it, for instance in base64 (RFC 9110 8.8.3)"
        )
    return f'W/"{etag}"' if weak else f'"{etag}"'


def is_etag(text: str) -> bool:
    """Whether a text can be a tag: neither a quote nor a control character stands in it."""
    if '"' in text:
        return False
    # Blanks beyond ASCII may stand in a tag, too, though they are not "printable".
    return text.isprintable() or all(char >= "\x80" or " " <= char <= "~" for char in text)


@overload
def unquote_etag(etag: str) -> tuple[str, bool]: ...
@overload
def unquote_etag(etag: None) -> tuple[None, None]: ...
@overload
def unquote_etag(etag: str | None) -> tuple[str, bool] | tuple[None, None]: ...
def unquote_etag(etag: str | None) -> tuple[str, bool] | tuple[None, None]:
    """Read one tag.

    :param etag: as it stands in the field; the quotes may be missing.
    :return: the tag without quotes, and whether it is weak; twice ``None`` for nothing.
    """
    if not etag:
        return None, None
    weak = etag[:2] in {"W/", "w/"}
    if weak:
        etag = etag[2:]
    if etag[:1] == '"' and etag[-1] == '"':
        etag = etag[1:-1]
    return etag, weak


def parse_etags(value: str | None) -> TagList:
    """Read a list of tags (RFC 9110 13.1.1).

    A tag without quotes is taken as a tag; what is neither is passed over up to the next comma.
    """
    if not value:
        return TagList([], [])
    if value == "*":
        return TagList([], [], star=True)
    strong: list[str] = []
    weak: list[str] = []
    # PERF: hardly any tag has a comma in it, so the list is cut at all commas first, which is
    # three times as fast; _careful() takes over at a member that is not all of a tag.
    for member in value.split(","):
        tag = member.strip(" \t")
        if tag.count('"') != 2 or tag[-1] != '"':
            return _careful(value)
        if tag[0] == '"':
            strong.append(tag[1:-1])
        elif tag[:3] in {'W/"', 'w/"'}:
            weak.append(tag[3:-1])
        else:
            return _careful(value)
    return TagList(strong, weak)


def _careful(value: str) -> TagList:
    """Read a list in which there is more than tags in quotes and commas between them."""
    tags = TagList([], [])
    position, length = 0, len(value)
    while position < length:
        stop = _find(value, ",", position)
        member = value[position:stop].strip(" \t")
        weak = member[:2] in {"W/", "w/"} and len(member) > 2
        found = tags.weak if weak else tags.strong
        if weak:
            member = member[2:]
        if member[:1] == '"':
            # The tag's own quote ends it, and may stand behind the comma.  The search stops at
            # the next quote there is, so that no part of the value is walked more than twice.
            start = value.index('"', position) + 1
            end = _find(value, '"', start)
            after = _find(value, ",", end)
            if end < length and not value[end + 1 : after].strip(" \t"):
                found.append(value[start:end])
                stop = after
        elif member and not ('"' in member or " " in member or "\t" in member):
            found.append(member)
        position = stop + 1
    return tags


def _find(text: str, char: str, start: int) -> int:
    """Where a character stands next; the text's length if nowhere."""
    found = text.find(char, start)
    return found if found != -1 else len(text)


def generate_etag(data: bytes) -> str:
    """A tag for some content: the SHA-1 of it, as hexadecimal digits.

    The hash tells versions of one's own content apart; it protects nothing.
    """
    # Late: hashlib loads OpenSSL, which takes longer than all of this layer.
    from hashlib import sha1  # noqa: PLC0415 - see above

    return sha1(data, usedforsecurity=False).hexdigest()
