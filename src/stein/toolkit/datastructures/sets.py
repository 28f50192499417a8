"""A set of header words that ignores case, and a dict that tells of its changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableSet
from typing import TYPE_CHECKING, Self, TypeVar

from stein.http.lists import dump_list
from stein.toolkit.datastructures.mixins import UpdateDictMixin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import SupportsIndex

__all__ = ["CallbackDict", "HeaderSet"]

K = TypeVar("K")
V = TypeVar("V")


class CallbackDict(UpdateDictMixin[K, V]):
    """A dict that calls a function after each change.

    :param initial: a mapping or pairs; they make no call.
    :param on_update: called with the dict.
    """

    def __init__(
        self,
        initial: Mapping[K, V] | Iterable[tuple[K, V]] | None = None,
        on_update: Callable[[Self], None] | None = None,
    ) -> None:
        super().__init__(initial or ())
        self.on_update = on_update

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {dict.__repr__(self)}>"


class HeaderSet(MutableSet[str]):
    """The words of a header such as Vary, Allow or Content-Language: ordered, each once.

    Case makes no difference between words, but each keeps that in which it came first.

    :param headers: the words.
    :param on_update: called with the set after each change.
    """

    def __init__(
        self,
        headers: Iterable[str] | None = None,
        on_update: Callable[[Self], None] | None = None,
    ) -> None:
        #: lower-case word -> the word
        self._words: dict[str, str] = {}
        for word in headers or ():
            self._words.setdefault(word.lower(), word)
        self.on_update = on_update

    def _changed(self: Self) -> None:  # said again, as mypy takes it for the class otherwise
        if self.on_update is not None:
            self.on_update(self)

    def add(self, header: str) -> None:
        """Add a word, if it is not there."""
        self.update((header,))

    def update(self, iterable: Iterable[str]) -> None:
        """Add the words that are not there; one call of ``on_update`` for all of them."""
        before = len(self._words)
        for word in iterable:
            self._words.setdefault(word.lower(), word)
        if len(self._words) != before:
            self._changed()

    def remove(self, header: str) -> None:
        """Remove a word.

        :raises KeyError: if it is not there.
        """
        if self._words.pop(header.lower(), None) is None:
            raise KeyError(header)
        self._changed()

    def discard(self, header: str) -> None:
        """Remove a word, if it is there."""
        if header in self:
            self.remove(header)

    def clear(self) -> None:
        """Remove all words."""
        self._words.clear()
        self._changed()

    def find(self, header: str) -> int:
        """Give the position of a word, or -1."""
        wanted = header.lower()
        for at, word in enumerate(self._words):
            if word == wanted:
                return at
        return -1

    def index(self, header: str) -> int:
        """Give the position of a word.

        :raises IndexError: if it is not there.
        """
        at = self.find(header)
        if at < 0:
            raise IndexError(header)
        return at

    def as_set(self, preserve_casing: bool = False) -> set[str]:  # noqa: FBT001, FBT002 - werkzeug's signature
        """Give a plain set of the words.

        :param preserve_casing: in the case in which they came; otherwise in lower case.
        """
        return set(self._words.values() if preserve_casing else self._words)

    def to_header(self) -> str:
        """Write the words as the value of a header."""
        return dump_list(self)

    def __getitem__(self, idx: SupportsIndex) -> str:
        return list(self)[idx]

    def __setitem__(self, idx: SupportsIndex, value: str) -> None:
        words = list(self)
        words[idx] = value
        # Where the new word stood elsewhere, it stands only here now.
        old = value.lower()
        self._words = {word.lower(): word for word in words if word is value or word.lower() != old}
        self._changed()

    def __delitem__(self, idx: SupportsIndex) -> None:
        self.remove(self[idx])

    def __contains__(self, header: object) -> bool:
        return isinstance(header, str) and header.lower() in self._words

    def __iter__(self) -> Iterator[str]:
        return iter(self._words.values())

    def __len__(self) -> int:
        return len(self._words)

    def __str__(self) -> str:
        return self.to_header()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"
