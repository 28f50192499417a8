"""Whole numbers as fields write them: ASCII digits and nothing else."""

from __future__ import annotations

from typing import Final

__all__ = ["MAX_DIGITS", "parse_int"]

#: Longer numbers count as no numbers.  ``sys.set_int_max_str_digits`` cannot go below 640, so what
#: passes here can always be written again, also after one was added to it.
MAX_DIGITS: Final = 600


def parse_int(text: str) -> int | None:
    """The number that a field's digits stand for (``1*DIGIT``, RFC 9110 8.6).

    ``int()`` also takes signs, underscores and the digits of other scripts, and raises for numbers
    of some thousand digits; a field may hold none of these.

    :param text: may have blanks and tabs around it.
    :return: the number; ``None`` where ``text`` is none.
    """
    text = text.strip(" \t")
    if text.isdecimal() and text.isascii() and len(text) <= MAX_DIGITS:
        return int(text)
    return None
