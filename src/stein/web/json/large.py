r"""Large values are written by orjson, if it is installed and would write the same.

It is five to ten times as fast as the standard library, but not in all the same: it writes floats
with other exponents, NaN as null, members of an Enum without asking, and nothing as ``\uXXXX``.
What a value is made of shows whether any of this matters, and looking costs half of what there
is to gain in a list of dicts, and next to nothing in a long text.  So it pays for large values,
and small ones are left alone; see ``LOOKS`` in :mod:`stein.web.json.provider`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["is_large", "write_large"]

# Types of which there is only one way to write them.  Not float; and only these very classes, as
# a subclass may be an Enum.
_PLAIN: Final = frozenset({str, int, bool, type(None)})

_MANY: Final = 16  # items
_LONG: Final = 1024  # characters


def is_large(value: Any) -> bool:
    """Whether a value may be worth a look at what it is made of."""
    kind = type(value)
    if kind is list:
        return len(value) >= _MANY
    if kind is dict:
        for item in value.values():
            kind = type(item)
            if kind is list:
                if len(item) >= _MANY:
                    return True
            elif kind is str and len(item) >= _LONG and item.isascii():
                return True
    return False


def write_large(value: Any, *, ensure_ascii: bool, sort_keys: bool) -> str | None:
    """Write a value as compact JSON, just as the standard library does.

    :return: the JSON; None if it is not certain to be the same, or orjson is not installed.
    """
    write = _orjson()
    try:
        if write is None or not _is_plain(value):
            return None
        data = write(value, sort_keys)
    except (TypeError, RecursionError):
        # A key that is no text, a number of more than 64 bits, half of a surrogate pair, or a
        # circle: the standard library knows what to do, or what to say.
        return None
    if ensure_ascii and (not data.isascii() or b"\x7f" in data):
        return None
    return data.decode()


def _is_plain(value: Any) -> bool:
    """Whether there is nothing in a value but text, whole numbers, truth, lists and dicts."""
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind is dict:
        value = value.values()
    elif kind is not list:
        return False
    # PERF: a set of the types is made in C, and says it for most dicts and lists: a quarter of the
    # time of asking for each item.
    if _PLAIN.issuperset(map(type, value)):
        return True
    return all(map(_is_plain, value))


@cache
def _orjson() -> Callable[[Any, bool], bytes] | None:
    """What writes JSON with or without sorted keys; None if orjson is not installed."""
    try:
        import orjson  # noqa: PLC0415 - optional, and only for large values
    except ImportError:
        return None
    dumps, sort = orjson.dumps, orjson.OPT_SORT_KEYS
    return lambda value, sort_keys: dumps(value, None, sort if sort_keys else None)
