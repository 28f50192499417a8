"""The words of HTTP: tokens, field values, host names.  Each pattern names its source.

All patterns are plain character classes without nested repetition: matching is linear in the
length of the input, whatever it holds.
"""

from __future__ import annotations

import ipaddress
import re

__all__ = ["is_field_value", "is_host", "is_token"]

#: RFC 9110 5.6.2, as the inside of a character class
TCHAR = r"!#$%&'*+\-.^_`|~0-9A-Za-z"

_TOKEN = re.compile(f"[{TCHAR}]+")
# RFC 9110 5.5: no control character but HTAB; obs-text (0x80-0xff) passes
_FIELD_VALUE = re.compile("[\t\x20-\x7e\x80-\xff]*")
# RFC 3986 3.2.2: a registered name or IPv4 address, then the port of RFC 9110 7.2
_REG_NAME = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*(?::[0-9]{0,5})?")
_IP_LITERAL = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{0,5})?")


def is_token(text: str) -> bool:
    """Whether ``text`` is a token (RFC 9110 5.6.2): a method or a field name."""
    return _TOKEN.fullmatch(text) is not None


def is_field_value(text: str) -> bool:
    """Whether ``text`` may stand in a field (RFC 9110 5.5)."""
    return _FIELD_VALUE.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """Whether ``text`` is a value of the Host field: a host and an optional port (RFC 9110 7.2).

    The empty text is one: a client sends it when its target has no authority.
    """
    if text.startswith("["):
        match = _IP_LITERAL.fullmatch(text)
        if match is None:
            return False
        try:
            ipaddress.IPv6Address(match[1])
        except ValueError:
            return False
        return True
    return _REG_NAME.fullmatch(text) is not None
