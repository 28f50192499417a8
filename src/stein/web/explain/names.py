"""Names that somebody may have meant, and lists of names for messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["did_you_mean", "listed", "nearest"]

#: how many names are shown of a list, and how many are compared; the names may be a client's
_SHOWN: Final = 12
_COMPARED: Final = 1000
#: how many characters of a name are shown, and compared
_LONGEST: Final = 100


def nearest(name: str, candidates: Iterable[str], most: int = 3) -> list[str]:
    """The names that are most like a name, the likest first.

    :param name: that was not found.
    :param candidates: what there is; at most the first thousand are looked at.
    :param most: how many to give.
    """
    from difflib import get_close_matches  # noqa: PLC0415 - only after a mistake

    known: dict[str, str] = {}
    for each in candidates:
        if len(known) == _COMPARED:
            break
        if len(each) <= _LONGEST:
            known.setdefault(each.lower(), each)
    # Compared without case, as that is the likeliest mistake.
    found = get_close_matches(name[:_LONGEST].lower(), known, most, 0.6)
    return [known[each] for each in found if known[each] != name]


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """A sentence that proposes the nearest names; empty if none is near."""
    found = nearest(name, candidates)
    return f"Did you mean {' or '.join(map(repr, found))}?" if found else ""


def listed(names: Iterable[str]) -> str:
    """Names for a message, in order; of many only the first."""
    each = [repr(name if len(name) <= _LONGEST else f"{name[:_LONGEST]}...") for name in names]
    more = f" and {len(each) - _SHOWN} more" if len(each) > _SHOWN else ""
    return ", ".join(each[:_SHOWN]) + more
