"""The words of HTTP, read into the toolkit's values and written from them.

What the words are is in ``stein.http``, which gives plain Python values; here are the names and the
types that programs written for Werkzeug know.
"""

# ruff: noqa: FBT001, FBT002, PLR0913, PLR0917 - the signatures are what programs call

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from time import mktime, struct_time, time
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, overload

from stein.http import cookies
from stein.http.dates import LAST_MOMENT, format_moment, parse_date
from stein.http.dates import http_date as date_of_seconds
from stein.http.etags import generate_etag, is_etag, quote_etag, unquote_etag
from stein.http.etags import parse_etags as read_etags
from stein.http.lists import dump_list, dump_pairs, parse_directives, parse_qualities
from stein.http.lists import parse_pairs as parse_dict_header
from stein.http.lists import split_list as parse_list_header
from stein.http.numbers import parse_int
from stein.http.options import dump_options as dump_options_header
from stein.http.options import parse_options as parse_options_header
from stein.http.options import quote_value as quote_header_value
from stein.http.options import unquote_value as unquote_header_value
from stein.http.ranges import is_byte_range_valid, parse_content_range, parse_range
from stein.http.status import REASONS
from stein.toolkit.datastructures.accept import Accept
from stein.toolkit.datastructures.cache_control import CacheControl, RequestCacheControl
from stein.toolkit.datastructures.csp import ContentSecurityPolicy
from stein.toolkit.datastructures.etag import ETags
from stein.toolkit.datastructures.multidict import MultiDict
from stein.toolkit.datastructures.range import ContentRange, IfRange, Range
from stein.toolkit.datastructures.sets import HeaderSet
from stein.toolkit.sansio import http as conditions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stein.toolkit.datastructures.headers import Headers
    from stein.typing import Environ

__all__ = [
    "COEP",
    "COOP",
    "HTTP_STATUS_CODES",
    "dump_age",
    "dump_cookie",
    "dump_csp_header",
    "dump_header",
    "dump_options_header",
    "generate_etag",
    "http_date",
    "is_byte_range_valid",
    "is_entity_header",
    "is_hop_by_hop_header",
    "is_resource_modified",
    "parse_accept_header",
    "parse_age",
    "parse_cache_control_header",
    "parse_content_range_header",
    "parse_cookie",
    "parse_csp_header",
    "parse_date",
    "parse_dict_header",
    "parse_etags",
    "parse_if_range_header",
    "parse_list_header",
    "parse_options_header",
    "parse_range_header",
    "parse_set_header",
    "quote_etag",
    "quote_header_value",
    "remove_entity_headers",
    "remove_hop_by_hop_headers",
    "unquote_etag",
    "unquote_header_value",
]

#: Reason phrases as programs have them from Werkzeug: some are those of RFC 2616 or are spelled
#: otherwise than today's, and two were never standard.
HTTP_STATUS_CODES: Final[dict[int, str]] = dict(
    sorted({
        **REASONS,
        203: "Non Authoritative Information", 207: "Multi Status", 306: "Switch Proxy",
        413: "Request Entity Too Large", 414: "Request URI Too Long",
        416: "Requested Range Not Satisfiable", 418: "I'm a teapot", 422: "Unprocessable Entity",
        449: "Retry With", 511: "Network Authentication Failed",
    }.items())
)  # fmt: skip

# The fields that tell about the content (RFC 2616 7.1).
_ENTITY_HEADERS: Final = frozenset({
    "allow", "expires", "last-modified", "content-md5", "content-type", "content-range",
    "content-length", "content-encoding", "content-language", "content-location",
})  # fmt: skip
# RFC 2616 13.5.1
_HOP_BY_HOP_HEADERS: Final = frozenset({
    "te", "trailer", "transfer-encoding", "upgrade", "connection", "keep-alive",
    "proxy-authenticate", "proxy-authorization",
})  # fmt: skip

_LAST_SECOND: Final = int(LAST_MOMENT.timestamp())

Fields: TypeAlias = "Headers | list[tuple[str, str]]"
AnyAccept = TypeVar("AnyAccept", bound=Accept)
AnyCacheControl = TypeVar("AnyCacheControl", bound=CacheControl)
AnyCookies = TypeVar("AnyCookies", bound="MultiDict[str, str]")
AnyPolicy = TypeVar("AnyPolicy", bound=ContentSecurityPolicy)


class COOP(Enum):
    """The values of Cross-Origin-Opener-Policy (HTML 7.1.3)."""

    UNSAFE_NONE = "unsafe-none"
    SAME_ORIGIN_ALLOW_POPUPS = "same-origin-allow-popups"
    SAME_ORIGIN = "same-origin"


class COEP(Enum):
    """The values of Cross-Origin-Embedder-Policy (HTML 7.1.4)."""

    UNSAFE_NONE = "unsafe-none"
    REQUIRE_CORP = "require-corp"


def dump_header(iterable: dict[str, Any] | Iterable[Any]) -> str:
    """Write a comma list.

    :param iterable: the members; a dictionary gives ``name=value`` members, or the bare name where
        the value is ``None``.  What is no token is quoted.
    """
    if isinstance(iterable, dict):
        return dump_pairs(iterable)
    return dump_list(iterable)


def dump_csp_header(header: ContentSecurityPolicy) -> str:
    """Write a content security policy."""
    return "; ".join([f"{name} {value}" for name, value in header.items()])


@overload
def parse_accept_header(value: str | None, cls: None = None) -> Accept: ...
@overload
def parse_accept_header(value: str | None, cls: type[AnyAccept]) -> AnyAccept: ...
def parse_accept_header(value: str | None, cls: type[Accept] | None = None) -> Accept:
    """Read Accept, Accept-Charset, -Encoding or -Language (RFC 9110 12.5).

    :param cls: what to make of the members and their qualities.
    """
    make = Accept if cls is None else cls
    return make(parse_qualities(value)) if value else make(None)


@overload
def parse_cache_control_header(
    value: str | None, on_update: Callable[[Any], None] | None = None, cls: None = None
) -> RequestCacheControl: ...
@overload
def parse_cache_control_header(
    value: str | None,
    on_update: Callable[[Any], None] | None = None,
    *,
    cls: type[AnyCacheControl],
) -> AnyCacheControl: ...
@overload
def parse_cache_control_header(
    value: str | None, on_update: Callable[[Any], None] | None, cls: type[AnyCacheControl]
) -> AnyCacheControl: ...
def parse_cache_control_header(
    value: str | None,
    on_update: Callable[[Any], None] | None = None,
    cls: type[CacheControl] | None = None,
) -> CacheControl:
    """Read Cache-Control (RFC 9111 5.2).

    :param on_update: called with the result after each change of it.
    :param cls: what to make of the directives; those of a request if it is not given.
    """
    make: Any = RequestCacheControl if cls is None else cls
    control: CacheControl = make(parse_dict_header(value) if value else (), on_update)
    return control


@overload
def parse_csp_header(
    value: str | None, on_update: Callable[[Any], None] | None = None, cls: None = None
) -> ContentSecurityPolicy: ...
@overload
def parse_csp_header(
    value: str | None, on_update: Callable[[Any], None] | None = None, *, cls: type[AnyPolicy]
) -> AnyPolicy: ...
@overload
def parse_csp_header(
    value: str | None, on_update: Callable[[Any], None] | None, cls: type[AnyPolicy]
) -> AnyPolicy: ...
def parse_csp_header(
    value: str | None,
    on_update: Callable[[Any], None] | None = None,
    cls: type[ContentSecurityPolicy] | None = None,
) -> ContentSecurityPolicy:
    """Read Content-Security-Policy (CSP level 3).

    :param on_update: called with the result after each change of it.
    :param cls: what to make of the directives.
    """
    make: Any = ContentSecurityPolicy if cls is None else cls
    policy: ContentSecurityPolicy = make(parse_directives(value) if value else (), on_update)
    return policy


def parse_set_header(
    value: str | None, on_update: Callable[[HeaderSet], None] | None = None
) -> HeaderSet:
    """Read a comma list whose order and case do not matter.

    :param on_update: called with the result after each change of it.
    """
    return HeaderSet(parse_list_header(value) if value else None, on_update)


def parse_if_range_header(value: str | None) -> IfRange:
    """Read If-Range (RFC 9110 13.1.5): a date, or else a tag, whose weakness is dropped.

    What can be neither becomes the empty tag, which is none of a resource's: so the range that
    depends on it is not given.
    """
    if not value:
        return IfRange()
    moment = parse_date(value)
    if moment is not None:
        return IfRange(date=moment)
    tag, _ = unquote_etag(value)
    return IfRange(tag if is_etag(tag) else "")


def parse_range_header(value: str | None, make_inclusive: bool = True) -> Range | None:  # noqa: ARG001 - werkzeug has it and ignores it
    """Read Range (RFC 9110 14.2).

    :param make_inclusive: without a meaning.
    :return: ``None`` if the field is missing, or to be ignored as it is malformed.
    """
    found = parse_range(value)
    return None if found is None else Range(*found)


def parse_content_range_header(
    value: str | None, on_update: Callable[[ContentRange], None] | None = None
) -> ContentRange | None:
    """Read Content-Range (RFC 9110 14.4).

    :param on_update: called with the result after each change of it.
    :return: ``None`` if the field is missing or malformed.
    """
    found = parse_content_range(value)
    return None if found is None else ContentRange(*found, on_update=on_update)


def parse_etags(value: str | None) -> ETags:
    """Read If-Match or If-None-Match (RFC 9110 13.1)."""
    found = read_etags(value)
    return ETags(found.strong, found.weak, star_tag=found.star)


def http_date(timestamp: datetime | date | float | struct_time | None = None) -> str:
    """Write a date as HTTP has it (RFC 9110 5.6.7).

    :param timestamp: seconds since 1970; a moment, which without a time zone is one of UTC; a day,
        which stands for its midnight in UTC; a local ``struct_time``; or nothing, for now.
    """
    if timestamp is None:
        return date_of_seconds(time())
    if isinstance(timestamp, datetime):
        return format_moment(timestamp)
    if isinstance(timestamp, date):
        return format_moment(datetime(timestamp.year, timestamp.month, timestamp.day, tzinfo=UTC))
    if isinstance(timestamp, struct_time):
        timestamp = mktime(timestamp)
    return date_of_seconds(timestamp)


def parse_age(value: str | None = None) -> timedelta | None:
    """Read a number of seconds, as Age has it (RFC 9111 5.1).

    :return: ``None`` if it is no number, or longer than a ``timedelta`` can be.
    """
    seconds = parse_int(value or "")
    if seconds is None:
        return None
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        return None


def dump_age(age: timedelta | int | None = None) -> str | None:
    """Write a number of seconds, as Age has it.

    :param age: ``None`` gives ``None``.
    :raises ValueError: if it is negative.
    """
    if age is None:
        return None
    seconds = int(age.total_seconds() if isinstance(age, timedelta) else age)
    if seconds < 0:
        raise ValueError(f"age is {age!r}; nothing is younger than 0 seconds")
    return str(seconds)


def is_resource_modified(
    environ: Environ,
    etag: str | None = None,
    data: bytes | None = None,
    last_modified: datetime | str | None = None,
    ignore_if_range: bool = True,
) -> bool:
    """Whether the client must be sent the resource, as its conditions say (RFC 9110 13).

    :param environ: the request's.
    :param etag: the resource's tag as the ETag field has it.
    :param data: the resource itself, to make its tag of.
    :param last_modified: when the resource last changed; as a text, an HTTP date.
    :param ignore_if_range: whether If-Range is left out of account.
    :raises TypeError: if both a tag and data are given.
    """
    get = environ.get
    return conditions.is_resource_modified(
        get("HTTP_RANGE"),
        get("HTTP_IF_RANGE"),
        get("HTTP_IF_MODIFIED_SINCE"),
        get("HTTP_IF_NONE_MATCH"),
        get("HTTP_IF_MATCH"),
        etag,
        data,
        last_modified,
        ignore_if_range,
    )


def is_entity_header(header: str) -> bool:
    """Whether a field tells about the content (RFC 2616 7.1)."""
    return header.lower() in _ENTITY_HEADERS


def is_hop_by_hop_header(header: str) -> bool:
    """Whether a field is for the next hop only (RFC 9110 7.6.1), hence nothing for a program."""
    return header.lower() in _HOP_BY_HOP_HEADERS


def remove_entity_headers(
    headers: Fields, allowed: Iterable[str] = ("expires", "content-location")
) -> None:
    """Take the fields that tell about the content out, in place, as for a 304.

    :param allowed: names of such fields that stay.
    """
    out = _ENTITY_HEADERS.difference([name.lower() for name in allowed])
    headers[:] = [(name, value) for name, value in headers if name.lower() not in out]


def remove_hop_by_hop_headers(headers: Fields) -> None:
    """Take the fields out, in place, that are for the next hop only."""
    headers[:] = [(name, value) for name, value in headers if not is_hop_by_hop_header(name)]


@overload
def parse_cookie(header: Environ | str | None, cls: None = None) -> MultiDict[str, str]: ...
@overload
def parse_cookie(header: Environ | str | None, cls: type[AnyCookies]) -> AnyCookies: ...
def parse_cookie(
    header: Environ | str | None, cls: type[MultiDict[str, str]] | None = None
) -> MultiDict[str, str]:
    """Read the cookies of a request.

    :param header: the Cookie field as WSGI has it, each byte a character (PEP 3333), or the
        environ that holds it.  Bytes that are no UTF-8 are replaced.
    :param cls: what to make of the pairs; a name may come several times.
    """
    field = header.get("HTTP_COOKIE") if isinstance(header, dict) else header
    if field and not field.isascii():
        try:
            field = field.encode("latin-1").decode("utf-8", "replace")
        except UnicodeEncodeError:
            pass  # decoded before
    make: Any = MultiDict if cls is None else cls
    found: MultiDict[str, str] = make(cookies.parse_cookie_pairs(field)) if field else make()
    return found


def dump_cookie(
    key: str, value: str = "", max_age: timedelta | int | None = None,
    expires: str | datetime | float | None = None, path: str | None = "/",
    domain: str | None = None, secure: bool = False, httponly: bool = False,
    sync_expires: bool = True, max_size: int = 4093, samesite: str | None = None,
    partitioned: bool = False,
) -> str:  # fmt: skip
    """Write a Set-Cookie field (RFC 6265 4.1).

    :param key: the name.
    :param value: any text; what cannot stand in a value is quoted and escaped.
    :param max_age: how long the cookie lives, in seconds; without it, as long as the browser's
        session.
    :param expires: until when; whatever :func:`http_date` takes, or a date that is written.
    :param path: below which path the cookie is sent back; ``None`` for that of the request.
    :param domain: the host that it is sent back to, with all below it; without one, only to the
        host that set it.
    :param secure: whether it is sent over TLS only.
    :param httponly: whether scripts cannot see it.
    :param sync_expires: whether ``max_age`` is written as a date as well, for old browsers.
    :param max_size: how many characters the field may have before a warning says that browsers
        may drop it; 0 for any.
    :param samesite: ``Strict``, ``Lax`` or ``None``, as a text.
    :param partitioned: whether each site that embeds this one has its own (CHIPS); implies
        ``secure``.
    :raises ValueError: if a part of it would end the cookie, or is not known.
    """
    if max_age is not None:
        max_age = int(max_age.total_seconds() if isinstance(max_age, timedelta) else max_age)
        if expires is None and sync_expires:
            # A date ends with the year 9999, and so does what lives longer.
            expires = date_of_seconds(max(0, min(int(time()) + max_age, _LAST_SECOND)))
    if expires is not None and not isinstance(expires, str):
        expires = http_date(expires)
    field = cookies.dump_cookie(
        key,
        value,
        max_age=max_age,
        expires=expires,
        path=path,
        domain=domain,
        secure=secure,
        httponly=httponly,
        samesite=samesite,
        partitioned=partitioned,
    )
    if 0 < max_size < len(field):
        warnings.warn(
            f"The {key!r} cookie is too large: it takes {len(field)} bytes, and the limit is"
            f" {max_size} bytes. Browsers drop such cookies without a word; keep the data on the"
            " server and only its key in the cookie.",
            stacklevel=2,
        )
    return field
