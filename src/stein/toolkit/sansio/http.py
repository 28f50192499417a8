"""Cookies and conditions of a request, from its fields alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from stein.http.cookies import parse_cookie_pairs
from stein.http.dates import parse_date
from stein.http.etags import generate_etag, parse_etags, unquote_etag
from stein.toolkit.datastructures.multidict import MultiDict

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["is_resource_modified", "parse_cookie"]

Cookies = TypeVar("Cookies", bound="MultiDict[str, str]")


@overload
def parse_cookie(cookie: str | None = None, cls: None = None) -> MultiDict[str, str]: ...
@overload
def parse_cookie(cookie: str | None, cls: type[Cookies]) -> Cookies: ...
def parse_cookie(
    cookie: str | None = None, cls: type[MultiDict[str, str]] | None = None
) -> MultiDict[str, str]:
    """Read a Cookie field.

    :param cookie: the field, decoded.
    :param cls: what to make of the pairs; a name may come several times.
    """
    make: Any = MultiDict if cls is None else cls
    cookies: MultiDict[str, str] = make(parse_cookie_pairs(cookie)) if cookie else make()
    return cookies


def is_resource_modified(  # noqa: PLR0913, PLR0917 - the fields of RFC 9110 13.1, and werkzeug's signature
    http_range: str | None = None, http_if_range: str | None = None,
    http_if_modified_since: str | None = None, http_if_none_match: str | None = None,
    http_if_match: str | None = None, etag: str | None = None, data: bytes | None = None,
    last_modified: datetime | str | None = None,
    ignore_if_range: bool = True,  # noqa: FBT001, FBT002 - werkzeug's signature
) -> bool:  # fmt: skip
    """Whether the client must be sent the resource, as its conditions say (RFC 9110 13).

    :param etag: the resource's tag as the ETag field has it.
    :param data: the resource itself, to make its tag of.
    :param last_modified: when the resource last changed; as a text, an HTTP date.
    :param ignore_if_range: whether If-Range is left out of account.
    :return: ``False`` if 304 or 412 is the answer, or with If-Range, if the range may be sent.
    :raises TypeError: if both a tag and data are given.
    """
    if data is not None:
        if etag is not None:
            raise TypeError(
                "is_resource_modified() was given etag and data; data is only there to make an"
                " etag of, so give one of them"
            )
        etag = generate_etag(data)
    if_range = None if ignore_if_range or http_range is None else http_if_range
    range_date = parse_date(if_range)
    unmodified = _not_since(last_modified, range_date or parse_date(http_if_modified_since))
    if not etag:
        return not unmodified
    tag, weak = unquote_etag(etag)
    if if_range and range_date is None:
        # RFC 9110 13.1.5: a range of something that is only much the same would be patched into
        # something else, so both tags have to be strong.
        asked, asked_weak = unquote_etag(if_range)
        return asked != tag or weak or asked_weak
    if http_if_none_match:
        tags = parse_etags(http_if_none_match)
        if tags.star or tags.strong or tags.weak:
            unmodified = tags.star or tag in tags.strong or tag in tags.weak
    if http_if_match:
        tags = parse_etags(http_if_match)
        if tags.star or tags.strong or tags.weak:
            unmodified = not tags.star and (weak or tag not in tags.strong)
    return not unmodified


def _not_since(changed: datetime | str | None, moment: datetime | None) -> bool:
    """Whether something stayed as it was since a moment; a date in HTTP has whole seconds."""
    if isinstance(changed, str):
        changed = parse_date(changed)
    if changed is None or moment is None:
        return False
    if changed.tzinfo is None:
        changed = changed.replace(tzinfo=moment.tzinfo)
    return changed.replace(microsecond=0) <= moment
