"""What a client would like to get: the Accept headers, and the choice among offers (RFC 9110 12.5).

An entry is a pair of a value, which may hold wildcards, and its quality from 0 to 1.  For one offer
the most specific entry that matches counts; among offers the highest quality wins.
"""

from __future__ import annotations

from encodings.aliases import aliases
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, overload

from stein.toolkit.datastructures.conversion import ImmutableList

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import SupportsIndex

__all__ = ["Accept", "CharsetAccept", "LanguageAccept", "MIMEAccept"]

Entry: TypeAlias = tuple[str, float]


class Accept(ImmutableList[Entry]):
    """The entries of an Accept header: the most specific ones first, then by quality.

    Entries that are equal in both keep the order of the header.  Subscripts by index give entries;
    by value, the quality of the value.

    :param values: entries; ``None`` for a header that is not there.
    """

    def __init__(self, values: Accept | Iterable[Entry] | None = ()) -> None:
        #: whether there was a header
        self.provided = values is not None
        if values is None:
            super().__init__()
        elif isinstance(values, Accept):
            self.provided = values.provided
            super().__init__(values)
        else:
            super().__init__(sorted(values, key=self._rank, reverse=True))

    def _rank(self, entry: Entry) -> tuple[tuple[bool, ...], float]:
        return self._specificity(entry[0]), entry[1]

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return type(self), (list(self) if self.provided else None,)

    # The two which other kinds of values redefine; programs' own classes do, too.

    def _specificity(self, value: str) -> tuple[bool, ...]:
        """Tell how much an entry says; what says more compares as greater."""
        return (value != "*",)

    def _value_matches(self, value: str, item: str) -> bool:
        """Whether a value (the application's) is what an entry (the client's) means."""
        return item == "*" or item.lower() == value.lower()

    def _entry_for(self, value: str) -> Entry | None:
        """The most specific entry that means a value."""
        for entry in self:
            if self._value_matches(value, entry[0]):
                return entry
        return None

    @overload
    def __getitem__(self, key: str) -> float: ...
    @overload
    def __getitem__(self, key: SupportsIndex) -> Entry: ...
    @overload
    def __getitem__(self, key: slice) -> list[Entry]: ...
    def __getitem__(self, key: str | SupportsIndex | slice) -> float | Entry | list[Entry]:
        if isinstance(key, str):
            return self.quality(key)
        return super().__getitem__(key)

    def quality(self, key: str) -> float:
        """Give the quality of a value; 0 where no entry means it."""
        entry = self._entry_for(key)
        return 0 if entry is None else entry[1]

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and self._entry_for(value) is not None

    def index(self, key: str | Entry) -> int:  # type: ignore[override]
        """Give the position of an entry, or of the one that means a value.

        :raises ValueError: if there is none.
        """
        if isinstance(key, str):
            key = self._entry_for(key) or (key, 0)
        return super().index(key)

    def find(self, key: str | Entry) -> int:
        """Give the position of an entry, or of the one that means a value, or -1."""
        try:
            return self.index(key)
        except ValueError:
            return -1

    def values(self) -> Iterator[str]:
        """Give the values without their qualities."""
        return (value for value, _ in self)

    @property
    def best(self) -> str | None:
        """The value of the first entry; ``None`` if there is none."""
        return self[0][0] if self else None

    @overload
    def best_match(self, matches: Iterable[str]) -> str | None: ...
    @overload
    def best_match(self, matches: Iterable[str], default: str) -> str: ...
    @overload
    def best_match(self, matches: Iterable[str], default: str | None) -> str | None: ...
    def best_match(self, matches: Iterable[str], default: str | None = None) -> str | None:
        """Choose among offers.

        :param matches: the offers; of those that the client would like equally, and means equally
            specifically, the first one wins.
        :param default: what to give where the client accepts none of them.
        """
        result = default
        best: tuple[float, tuple[bool, ...]] = (0, ())
        for offer in matches:
            entry = self._entry_for(offer)
            if entry is not None and entry[1] > 0:
                rank = (entry[1], self._specificity(entry[0]))
                if rank > best:
                    result, best = offer, rank
        return result

    def to_header(self) -> str:
        """Write the entries as the value of a header."""
        return ",".join(
            [value if quality == 1 else f"{value};q={quality}" for value, quality in self]
        )

    def __str__(self) -> str:
        return self.to_header()

    def __repr__(self) -> str:
        entries = ", ".join(f"({value!r}, {quality})" for value, quality in self)
        return f"{type(self).__name__}([{entries}])"


#: values up to this length are remembered, as the same few come with each request
_LONGEST: Final = 128

Media: TypeAlias = tuple[str, str, tuple[str, ...]]


def _media(value: str) -> Media:
    """The type, the subtype and the sorted parameters of a media range (RFC 9110 12.5.1)."""
    head, *parameters = value.lower().split(";")
    kind, _, subtype = head.partition("/")
    return (
        kind.strip(" \t"),
        subtype.strip(" \t"),
        tuple(sorted([p.strip(" \t") for p in parameters])),
    )


# PERF: taking a value apart costs ten times what the look-up does, and is done for each entry with
# each offer.  The memory is bounded, as clients can send ever new values.
_remembered_media = lru_cache(maxsize=512)(_media)


def _media_of(value: str) -> Media:
    return _remembered_media(value) if len(value) <= _LONGEST else _media(value)


class MIMEAccept(Accept):
    """The media ranges of Accept (RFC 9110 12.5.1)."""

    def _specificity(self, value: str) -> tuple[bool, ...]:
        kind, subtype, parameters = _media_of(value)
        return (kind != "*", subtype not in {"*", ""}, *[each != "*" for each in parameters])

    def _value_matches(self, value: str, item: str) -> bool:
        if "/" not in item:
            return False
        kind, subtype, parameters = _media_of(value)
        if not subtype or (kind == "*" and subtype != "*"):
            raise ValueError(
                f"invalid mimetype {value!r} among the offers; write it as 'type/subtype', "
                "where 'type/*' and '*/*' stand for several"
            )
        wanted_kind, wanted_subtype, wanted_parameters = _media_of(item)
        if wanted_kind == "*" or kind == "*":
            # The client's "*/html" means nothing.
            return wanted_kind != "*" or wanted_subtype == "*"
        if wanted_kind != kind:
            return False
        return (
            wanted_subtype == "*"
            or subtype == "*"
            or (wanted_subtype == subtype and wanted_parameters == parameters)
        )

    @property
    def accept_html(self) -> bool:
        """Whether the client accepts HTML, or else XHTML."""
        return self.quality("text/html") > 0 or self.accept_xhtml

    @property
    def accept_xhtml(self) -> bool:
        """Whether the client accepts XHTML or XML."""
        return self.quality("application/xhtml+xml") > 0 or self.quality("application/xml") > 0

    @property
    def accept_json(self) -> bool:
        """Whether the client accepts JSON."""
        return self.quality("application/json") > 0


def _tag(value: str) -> str:
    """A language tag in the form in which tags are compared (RFC 5646 2.1.1)."""
    return value.lower().replace("_", "-")


def _primary(value: str) -> str:
    """The first subtag of a language tag: the language."""
    return value.replace("_", "-").partition("-")[0]


class LanguageAccept(Accept):
    """The language ranges of Accept-Language (RFC 9110 12.5.4)."""

    def _value_matches(self, value: str, item: str) -> bool:
        return item == "*" or _tag(value) == _tag(item)

    @overload
    def best_match(self, matches: Iterable[str]) -> str | None: ...
    @overload
    def best_match(self, matches: Iterable[str], default: str) -> str: ...
    @overload
    def best_match(self, matches: Iterable[str], default: str | None) -> str | None: ...
    def best_match(self, matches: Iterable[str], default: str | None = None) -> str | None:
        """Choose among languages.

        Where no tag as a whole is accepted, the client's ``en-GB`` is taken as ``en``, and where
        that does not help either, the offered ``en-US`` as ``en``.  Two tags that differ in a
        later subtag never match.

        :param matches: the offers, given back as they are written here.
        :param default: what to give where the client accepts none of them.
        """
        offers = list(matches)
        result = super().best_match(offers)
        if result is None:
            result = Accept([(_primary(value), quality) for value, quality in self]).best_match(
                offers
            )
        if result is None:
            languages: dict[str, str] = {}
            for offer in offers:
                languages.setdefault(_primary(offer), offer)
            language = super().best_match(languages)
            result = None if language is None else languages[language]
        return default if result is None else result


def _charset(name: str) -> str:
    """One name for a charset that has several.

    By the table alone: ``codecs.lookup`` keeps each unknown name, of which clients can send many,
    in memory for good, and raises for some.
    """
    name = name.lower().replace("-", "_").replace(" ", "_")
    return aliases.get(name, name)


class CharsetAccept(Accept):
    """The charsets of Accept-Charset (RFC 9110 12.5.2)."""

    def _value_matches(self, value: str, item: str) -> bool:
        return item == "*" or _charset(value) == _charset(item)
