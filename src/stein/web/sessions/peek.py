"""A look into a session cookie, before it is known whether it is genuine.

Only to decide whether finding that out is worth it: nothing that is read here may be believed.
"""

from __future__ import annotations

from binascii import a2b_base64
from typing import Final

__all__ = ["MOST_SEEN", "peek", "value_of"]

# Base64 for URLs, and for a2b_base64 (RFC 4648 5).
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")

#: in bytes; what fits into a cookie may have been made to unpack to a thousand times its length
MOST_SEEN: Final = 1 << 16


def value_of(name: str, field: str) -> str | None:
    """Find the value of a cookie in a Cookie field, where that is easy.

    :param name: of the cookie.
    :param field: all of them, as they were sent.
    :return: the value; empty if there is none; None if only who parses the field can tell.
    """
    before, equals, after = field.partition(f"{name}=")
    if not equals:
        return ""
    if before and before[-1] not in "; ":
        return None  # another name that ends like it, or it stands in a value
    value = after.partition(";")[0].strip()
    return None if '"' in value else value


def peek(value: str) -> bytes:
    """Give the JSON in a cookie, or the beginning of it, or nothing if it is garbage.

    Takes time in proportion to the length of the cookie, and never raises.

    :param value: of the cookie.
    """
    packed = value.startswith(".")
    payload = value[packed:].partition(".")[0]
    try:
        # Padding that is too long does no harm.
        data = a2b_base64(payload.encode("ascii").translate(_STANDARD) + b"===")
    except ValueError:
        return b""
    return _unpacked(data) if packed else data


def _unpacked(data: bytes) -> bytes:
    import zlib  # noqa: PLC0415 - few sessions are long enough to be compressed

    try:
        return zlib.decompressobj().decompress(data, MOST_SEEN)
    except zlib.error:
        return b""
