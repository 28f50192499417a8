"""One header field: what may stand in its name and in its value."""

from __future__ import annotations

import re
from typing import Any, Final

__all__ = ["checked"]

# RFC 9110 5.5: of the control characters only HTAB may stand in a value, and none in a name.
_CONTROL_IN_VALUE: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_CONTROL_IN_NAME: Final = re.compile("[\x00-\x1f\x7f]")


def checked(name: str, value: Any) -> tuple[str, str]:
    """Give the pair as it is stored; refuse control characters in it (response splitting).

    :raises ValueError: names the field and shows what is wrong with it.
    """
    if value.__class__ is not str:
        value = _text(value)
    # PERF: one search by pattern costs four times what isprintable() does; what is printable has
    # no control character, and the rest (a tab, a no-break space) is rare.
    if not (value.isprintable() and name.isprintable()):
        if _CONTROL_IN_NAME.search(name):
            raise ValueError(
                f"the header name {name!r} holds a control character; a name is a word of "
                "letters, digits and dashes (RFC 9110 5.1)"
            )
        if _CONTROL_IN_VALUE.search(value):
            raise ValueError(
                f"the value {value!r} of the header {name!r} holds a newline or another control "
                "character, with which a client could be fed headers of somebody else's; "
                "remove or encode it first"
            )
    return name, value


def _text(value: Any) -> str:
    if isinstance(value, str):
        # PEP 3333 asks for str itself.  This takes the characters of a Markup or an enum's
        # member, where str() might give its name.
        return str.__str__(value)
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return str(value)
