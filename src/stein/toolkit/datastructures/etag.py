"""The entity tags that If-Match and If-None-Match name (RFC 9110 8.8.3, 13.1)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from stein.http.etags import generate_etag, unquote_etag

__all__ = ["ETags"]


class ETags(Collection[str]):
    """Strong and weak entity tags, without their quotes, or a star that means any.

    As a collection it is that of its strong tags.  What is written keeps the order of the header.

    :param strong_etags: are left out where there is a star.
    :param weak_etags: those that came with ``W/``.
    :param star_tag: whether the header was ``*``.
    """

    def __init__(
        self,
        strong_etags: Iterable[str] | None = None,
        weak_etags: Iterable[str] | None = None,
        star_tag: bool = False,  # noqa: FBT001, FBT002 - werkzeug's signature
    ) -> None:
        self.star_tag = star_tag
        # Dicts for the sake of the order.
        self._strong = dict.fromkeys(() if star_tag else strong_etags or ())
        self._weak = dict.fromkeys(weak_etags or ())

    def as_set(self, include_weak: bool = False) -> set[str]:  # noqa: FBT001, FBT002 - werkzeug's signature
        """Give a plain set of the strong tags, and of the weak ones if asked for."""
        return {*self._strong, *self._weak} if include_weak else set(self._strong)

    def is_weak(self, etag: str) -> bool:
        """Whether a tag is among the weak ones."""
        return etag in self._weak

    def is_strong(self, etag: str) -> bool:
        """Whether a tag is among the strong ones; a star does not count."""
        return etag in self._strong

    def contains(self, etag: str) -> bool:
        """Whether a strong tag matches (RFC 9110 8.8.3.2, strong comparison); a star does."""
        return self.star_tag or etag in self._strong

    def contains_weak(self, etag: str) -> bool:
        """Whether a tag matches, strong or weak (weak comparison); a star does."""
        return etag in self._weak or self.contains(etag)

    def contains_raw(self, etag: str) -> bool:
        """Whether a tag matches that still has its quotes, and maybe ``W/``, which decides how."""
        tag, weak = unquote_etag(etag)
        return self.contains_weak(tag) if weak else self.contains(tag)

    def to_header(self) -> str:
        """Write the tags as the value of a header."""
        if self.star_tag:
            return "*"
        return ", ".join(
            [*(f'"{tag}"' for tag in self._strong), *(f'W/"{tag}"' for tag in self._weak)]
        )

    def __call__(
        self,
        etag: str | None = None,
        data: bytes | None = None,
        include_weak: bool = False,  # noqa: FBT001, FBT002 - werkzeug's signature
    ) -> bool:
        """Whether a tag, or that of some content, is among the strong ones.

        :param etag: without quotes.
        :param data: the content whose tag is meant, where no tag is given.
        :param include_weak: look at the weak ones, too.
        """
        if etag is None:
            if data is None:
                raise TypeError("neither a tag nor content: pass 'etag', or the bytes as 'data'")
            etag = generate_etag(data)
        return etag in self._strong or (include_weak and etag in self._weak)

    def __bool__(self) -> bool:
        return bool(self.star_tag or self._strong or self._weak)

    def __contains__(self, etag: object) -> bool:
        return self.star_tag or etag in self._strong

    def __iter__(self) -> Iterator[str]:
        return iter(self._strong)

    def __len__(self) -> int:
        return len(self._strong)

    def __str__(self) -> str:
        return self.to_header()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.to_header()!r}>"
