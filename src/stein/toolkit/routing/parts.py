"""Parts of rules: what stands between two slashes, and how a request's text is held against it.

A part is *static* (a text), or it has placeholders and is held against one segment of the path.
Once a placeholder takes slashes (``<path:name>``), its part is *final*: it goes on to the end of
the rule and is held against all the rest of the path.  If such a rule ends with a slash, the part
is *suffixed*: the slash is left out of the part and follows as an empty segment of its own, as it
does in other rules.

Nearly all parts hold a single placeholder, and nearly all of these need no regular expression:
whether a text is one segment, or digits, is asked of the text itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from stein.toolkit.routing.spans import make_spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from stein.toolkit.routing.converters import BaseConverter

__all__ = [
    "DIGITS",
    "OTHER",
    "PATH",
    "WORD",
    "Finder",
    "Piece",
    "RulePart",
    "Weighting",
    "is_path",
    "kind_of",
    "make_finder",
    "pattern_of",
]

Piece: TypeAlias = "str | BaseConverter"
#: what the placeholders of a part took from a text; None if it does not fit
Finder: TypeAlias = "Callable[[str], Sequence[str] | None]"

#: kinds of parts: one placeholder and nothing else, for a segment of any length (WORD), decimal
#: digits (DIGITS) or all the rest of the path (PATH); all others need their finder
WORD, DIGITS, PATH, OTHER = range(4)


class Weighting(NamedTuple):
    """The place of a part among its neighbours; the least comes first.

    That is: parts with more texts before parts with fewer; of these, parts with longer texts;
    then parts with more placeholders, and of these the ones whose converters weigh less.
    """

    number_static_weights: int
    static_weights: Sequence[tuple[int, int]]
    number_argument_weights: int
    argument_weights: Sequence[int]


class RulePart(NamedTuple):
    """One part of a rule; parts that are equal share what follows them."""

    content: str  #: the text or, if the part is not static, a pattern that stands for it
    final: bool
    static: bool
    suffixed: bool
    weight: Weighting


# -- how a text is held against a part -----------------------------------------------------------

_ANY_LENGTH: Final = frozenset({"[^/]+", "[^/]{1,}"})
_ANY_DIGITS: Final = r"\d+"
_ANY_PATH: Final = "[^/].*?"
#: A pattern with n placeholders tries at most about len(text) ** n splits; up to this many are
#: tried, which takes half a millisecond.
_MOST_SPLITS: Final = 50_000


def kind_of(part: RulePart, pieces: Sequence[Piece]) -> int:
    """Whether a part with placeholders is one of the simple kinds."""
    if len(pieces) == 1 and not isinstance(pieces[0], str):
        regex = pieces[0].regex
        if part.final:
            return PATH if regex == _ANY_PATH and not part.suffixed else OTHER
        if regex in _ANY_LENGTH:
            return WORD
        if regex == _ANY_DIGITS:
            return DIGITS
    return OTHER


def pattern_of(pieces: Iterable[Piece]) -> str:
    """The pattern of a part, with a group for each placeholder."""
    texts = []
    for number, piece in enumerate(pieces):
        if isinstance(piece, str):
            texts.append(re.escape(piece))
        else:
            # Named, since a converter's own pattern may have groups.
            texts.append(f"(?P<__stein_{number}>{piece.regex})")
    return "".join(texts)


def make_finder(pieces: Sequence[Piece], *, suffixed: bool) -> Finder:
    """A function that holds a text against a part.

    :param pieces: the texts and converters of the part, at least one converter among them.
    :param suffixed: whether the text may have a slash at its end that is not of the part.
    """
    finder = _direct(pieces) or _by_pattern(pieces)
    return _without_suffix(finder) if suffixed else finder


def _without_suffix(finder: Finder) -> Finder:
    def find(text: str) -> Sequence[str] | None:
        text = text.removesuffix("/")
        # Two slashes at the end are no suffix.
        return None if text[-1:] in {"", "/"} else finder(text)

    return find


def _direct(pieces: Sequence[Piece]) -> Finder | None:
    """A finder without a pattern, for one well-known placeholder with texts around it."""
    converters = [piece for piece in pieces if not isinstance(piece, str)]
    if len(converters) != 1:
        return None
    regex = converters[0].regex
    if regex in _ANY_LENGTH:
        fits: Callable[[str], Any] = _is_segment
    elif regex == _ANY_DIGITS:
        fits = str.isdecimal
    elif regex == _ANY_PATH:
        fits = is_path
    else:
        return None
    place = pieces.index(converters[0])
    head = "".join(piece for piece in pieces[:place] if isinstance(piece, str))
    tail = "".join(piece for piece in pieces[place + 1 :] if isinstance(piece, str))
    begin, shortest = len(head), len(head) + len(tail) + 1
    if shortest == 1:
        return lambda text: (text,) if text and fits(text) else None

    def find(text: str) -> Sequence[str] | None:
        if len(text) < shortest or not (text.startswith(head) and text.endswith(tail)):
            return None
        taken = text[begin : len(text) - len(tail)]
        return (taken,) if fits(taken) else None

    return find


def _is_segment(text: str) -> bool:
    return "/" not in text


def is_path(text: str) -> bool:
    """Whether ``path`` takes a text: no slash comes first, and no line feed after that."""
    return text[:1] not in {"", "/"} and text.find("\n", 1) < 0


def _by_pattern(pieces: Sequence[Piece]) -> Finder:
    names = [f"__stein_{i}" for i, piece in enumerate(pieces) if not isinstance(piece, str)]
    try:
        match = re.compile(rf"{pattern_of(pieces)}\Z").match
    except re.error as error:
        regexes = [piece.regex for piece in pieces if not isinstance(piece, str)]
        raise ValueError(f"no pattern, of a converter in the rule: {regexes}: {error}") from error

    def find_one(text: str) -> Sequence[str] | None:
        found = match(text)
        return None if found is None else (found[name],)

    def find_all(text: str) -> Sequence[str] | None:
        found = match(text)
        return None if found is None else found.group(*names)

    if len(names) == 1:
        name = names[0]
        return find_one
    spans = make_spans(pieces)
    if spans is None:  # a pattern of somebody's own: it alone knows what it takes
        return find_all
    # Two parts that can both grow make a pattern try every split of the text between them. A
    # longer text than this one is split in linear time instead.
    longest = int(_MOST_SPLITS ** (1 / len(names)))

    def find(text: str) -> Sequence[str] | None:
        return find_all(text) if len(text) <= longest else spans.find(text)

    return find
