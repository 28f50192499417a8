"""The header fields of a response as attributes.

Most are text, a date, a number; some are values that can be changed, and what is done to these is
done to the header.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from stein.http.dates import LAST_MOMENT, parse_date
from stein.http.etags import quote_etag, unquote_etag
from stein.http.numbers import parse_int
from stein.http.options import dump_options, parse_options
from stein.toolkit.datastructures.auth import WWWAuthenticate
from stein.toolkit.datastructures.cache_control import ResponseCacheControl
from stein.toolkit.datastructures.range import ContentRange
from stein.toolkit.datastructures.sets import CallbackDict
from stein.toolkit.http import (
    COEP,
    COOP,
    dump_age,
    dump_header,
    http_date,
    parse_age,
    parse_cache_control_header,
    parse_content_range_header,
    parse_csp_header,
    parse_set_header,
)
from stein.toolkit.properties import header_property

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stein.toolkit.datastructures.csp import ContentSecurityPolicy
    from stein.toolkit.datastructures.headers import Headers
    from stein.toolkit.datastructures.sets import HeaderSet

__all__ = ["HeaderFields", "get_content_type"]

T = TypeVar("T")

# Types that are text though their names do not say so, of those that IANA gives a charset.
_TEXTS = frozenset({
    "application/ecmascript", "application/javascript", "application/sql", "application/xml",
    "application/xml-dtd", "application/xml-external-parsed-entity",
})  # fmt: skip


def get_content_type(mimetype: str, charset: str) -> str:
    """The value of Content-Type for a media type: with the charset, if the type is a text.

    :param mimetype: such as ``text/html``.
    :param charset: such as ``utf-8``.
    """
    if mimetype.startswith("text/") or mimetype in _TEXTS or mimetype.endswith("+xml"):
        return f"{mimetype}; charset={charset}"
    return mimetype


def _writer(fields: HeaderFields, name: str) -> Callable[[Any], None]:
    """The function that a value calls when it was changed: it writes it, or removes the header."""

    def write(value: Any) -> None:
        if value:
            fields.headers[name] = value.to_header()
        else:
            fields.headers.remove(name)

    return write


def _value(name: str, read: Callable[[HeaderFields, Callable[[Any], None]], Any], doc: str) -> Any:
    """Make a property for a value that can be changed, or set, also as text; false removes it."""

    def get(fields: HeaderFields) -> Any:
        return read(fields, _writer(fields, name))

    def put(fields: HeaderFields, value: Any) -> None:
        if not value:
            fields.headers.remove(name)
        else:
            fields.headers[name] = value if isinstance(value, str) else value.to_header()

    return property(get, put, None, doc)


def _words(name: str, doc: str) -> Any:
    """Make a property for a set of words."""

    def get(fields: HeaderFields) -> HeaderSet:
        return parse_set_header(fields.headers.get(name), _writer(fields, name))

    def put(fields: HeaderFields, value: str | dict[str, Any] | Iterable[str] | None) -> None:
        if not value:
            fields.headers.remove(name)
        else:
            fields.headers[name] = _dump_words(value)

    return property(get, put, None, doc)


def _dump_words(value: str | dict[str, Any] | Iterable[str]) -> str:
    return value if isinstance(value, str) else dump_header(value)


def _dump_age(value: timedelta | int) -> str:
    return dump_age(value) or ""


def _policy(name: str, doc: str) -> Any:
    def read(fields: HeaderFields, write: Callable[[Any], None]) -> ContentSecurityPolicy:
        return parse_csp_header(fields.headers.get(name), write)

    return _value(name, read, doc)


def _read_range(fields: HeaderFields, write: Callable[[Any], None]) -> ContentRange:
    found = parse_content_range_header(fields.headers.get("Content-Range"), write)
    if found is None:
        found = ContentRange(None, None, None)
        found.on_update = write
    return found


class HeaderFields:
    """The fields of a response; the base of the response classes, which bring the headers."""

    headers: Headers

    # -- the content --------------------------------------------------------------------------

    content_type: header_property[str] = header_property(
        "Content-Type", doc="The media type with its parameters."
    )
    content_length: header_property[int | str | None] = header_property(
        "Content-Length", None, int, str, doc="The length of the body in bytes."
    )
    content_encoding: header_property[str] = header_property(
        "Content-Encoding", doc="How the body is compressed (RFC 9110 8.4)."
    )
    content_location: header_property[str] = header_property(
        "Content-Location", doc="The URL of just this content (RFC 9110 8.7)."
    )
    content_md5: header_property[str] = header_property(
        "Content-MD5", doc="A checksum of the body (RFC 1864, obsolete)."
    )
    content_language: HeaderSet = _words("Content-Language", "The languages of the readers.")

    @property
    def mimetype(self) -> str | None:
        """The media type without parameters; when it is set, a text gets its charset."""
        value = self.headers.get("Content-Type")
        return value.partition(";")[0].strip(" \t") if value else None

    @mimetype.setter
    def mimetype(self, value: str) -> None:
        self.headers["Content-Type"] = get_content_type(value, "utf-8")

    @property
    def mimetype_params(self) -> dict[str, str]:
        """The parameters of the media type; what is done to them is done to the header."""

        def write(parameters: CallbackDict[str, str]) -> None:
            self.headers["Content-Type"] = dump_options(self.mimetype, parameters)

        return CallbackDict(parse_options(self.headers.get("Content-Type"))[1], write)

    @property
    def is_json(self) -> bool:
        """Whether the media type is ``application/json`` or ``application/...+json``."""
        kind = self.mimetype
        return kind is not None and (
            kind == "application/json"
            or (kind.startswith("application/") and kind.endswith("+json"))
        )

    # -- where to, and when -------------------------------------------------------------------

    location: header_property[str] = header_property(
        "Location", doc="Where to go on, or what was made; may be an IRI or relative."
    )
    date: header_property[Any] = header_property(
        "Date", None, parse_date, http_date, doc="When the response was made, in UTC."
    )
    expires: header_property[Any] = header_property(
        "Expires", None, parse_date, http_date, doc="Until when it may be kept, in UTC."
    )
    last_modified: header_property[Any] = header_property(
        "Last-Modified", None, parse_date, http_date, doc="When the resource changed, in UTC."
    )
    age: header_property[Any] = header_property(
        "Age", None, parse_age, _dump_age, doc="How long a cache has had it; set also in seconds."
    )

    @property
    def retry_after(self) -> datetime | None:
        """When to try again, in UTC; can be set to a moment, or to seconds from now."""
        value = self.headers.get("Retry-After")
        if value is None:
            return None
        seconds = parse_int(value)
        if seconds is None:
            return parse_date(value)
        try:
            return datetime.now(UTC) + timedelta(seconds=seconds)
        except OverflowError:
            return LAST_MOMENT

    @retry_after.setter
    def retry_after(self, value: datetime | int | str | None) -> None:
        if value is None:
            self.headers.remove("Retry-After")
        else:
            self.headers["Retry-After"] = (
                http_date(value) if isinstance(value, datetime) else str(value)
            )

    # -- caches, tags, ranges -----------------------------------------------------------------

    @property
    def cache_control(self) -> ResponseCacheControl:
        """What caches may do; what is done to it is done to the header."""
        return parse_cache_control_header(
            self.headers.get("Cache-Control"), _writer(self, "Cache-Control"), ResponseCacheControl
        )

    vary: HeaderSet = _words("Vary", "The fields of a request that the response depends on.")

    def set_etag(self, etag: str, weak: bool = False) -> None:  # noqa: FBT001, FBT002 - werkzeug's signature
        """Set the tag of this state of the resource.

        :param etag: without quotes.
        :param weak: whether it stands for all states that mean the same.
        :raises ValueError: a quote or a control character is in it.
        """
        self.headers["ETag"] = quote_etag(etag, weak)

    def get_etag(self) -> tuple[str, bool] | tuple[None, None]:
        """Give the tag without quotes, and whether it is weak; twice ``None`` for no tag."""
        return unquote_etag(self.headers.get("ETag"))

    accept_ranges: header_property[str] = header_property(
        "Accept-Ranges", doc="The unit in which parts may be asked for: ``bytes`` or ``none``."
    )
    content_range: ContentRange = _value(
        "Content-Range", _read_range, "Which part the body is; false while there is no such header."
    )

    # -- access -------------------------------------------------------------------------------

    allow: HeaderSet = _words("Allow", "The methods that the resource has; for a 405.")

    @property
    def www_authenticate(self) -> WWWAuthenticate:
        """What to show to get further; for a 401.  Of several challenges, the first.

        It can be set to one or to a list of them, and deleted; what is done to one that was set
        alone, or was got from here, is done to the header.
        """
        challenge = WWWAuthenticate.from_header(self.headers.get("WWW-Authenticate"))
        if challenge is None:
            challenge = WWWAuthenticate("basic")
        self._watch(challenge)
        return challenge

    @www_authenticate.setter
    def www_authenticate(self, value: WWWAuthenticate | list[WWWAuthenticate] | None) -> None:
        if not value:
            self.headers.remove("WWW-Authenticate")
        elif isinstance(value, list):
            self.headers.setlist("WWW-Authenticate", [each.to_header() for each in value])
        else:
            self.headers["WWW-Authenticate"] = value.to_header()
            self._watch(value)

    @www_authenticate.deleter
    def www_authenticate(self) -> None:
        self.headers.remove("WWW-Authenticate")

    def _watch(self, challenge: WWWAuthenticate) -> None:
        def write(changed: WWWAuthenticate) -> None:
            self.headers["WWW-Authenticate"] = changed.to_header()

        challenge._on_update = write  # noqa: SLF001 - it is there for us

    # -- what browsers may do with it ---------------------------------------------------------

    content_security_policy: ContentSecurityPolicy = _policy(
        "Content-Security-Policy", "What the page may load and do."
    )
    content_security_policy_report_only: ContentSecurityPolicy = _policy(
        "Content-Security-Policy-Report-Only", "The same, of which breaches are only reported."
    )
    cross_origin_opener_policy: header_property[COOP] = header_property(
        "Cross-Origin-Opener-Policy", COOP.UNSAFE_NONE, COOP, lambda value: value.value,
        doc="Whether the page shares its window group with others.",
    )  # fmt: skip
    cross_origin_embedder_policy: header_property[COEP] = header_property(
        "Cross-Origin-Embedder-Policy", COEP.UNSAFE_NONE, COEP, lambda value: value.value,
        doc="Whether the page may load what does not allow it.",
    )  # fmt: skip

    @property
    def access_control_allow_credentials(self) -> bool:
        """Whether a page of another origin may send cookies and see the answer (CORS)."""
        return "Access-Control-Allow-Credentials" in self.headers

    @access_control_allow_credentials.setter
    def access_control_allow_credentials(self, value: bool | None) -> None:
        if value is True:
            self.headers["Access-Control-Allow-Credentials"] = "true"
        else:
            self.headers.remove("Access-Control-Allow-Credentials")

    access_control_allow_origin: header_property[str] = header_property(
        "Access-Control-Allow-Origin", doc="The origin whose pages may see the answer, or ``*``."
    )
    access_control_allow_headers: header_property[Any] = header_property(
        "Access-Control-Allow-Headers", None, parse_set_header, _dump_words,
        doc="The fields that a page of another origin may send.",
    )  # fmt: skip
    access_control_allow_methods: header_property[Any] = header_property(
        "Access-Control-Allow-Methods", None, parse_set_header, _dump_words,
        doc="The methods that a page of another origin may use.",
    )  # fmt: skip
    access_control_expose_headers: header_property[Any] = header_property(
        "Access-Control-Expose-Headers", None, parse_set_header, _dump_words,
        doc="The fields that a page of another origin may see.",
    )  # fmt: skip
    access_control_max_age: header_property[int | None] = header_property(
        "Access-Control-Max-Age", None, int, str,
        doc="For how many seconds a browser may keep the answer to a preflight request.",
    )  # fmt: skip
