"""A request as a value: method, address and header fields, and what can be read out of them.

Nothing here reads a body or knows of WSGI; :class:`stein.toolkit.request.Request` does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast

from stein.http.dates import parse_date
from stein.http.lists import parse_qualities, split_list
from stein.http.numbers import parse_int
from stein.http.options import parse_options
from stein.http.urlencoded import parse_pairs
from stein.toolkit.datastructures.accept import (
    Accept,
    CharsetAccept,
    LanguageAccept,
    MIMEAccept,
)
from stein.toolkit.datastructures.auth import Authorization
from stein.toolkit.datastructures.cache_control import RequestCacheControl
from stein.toolkit.datastructures.headers import EnvironHeaders
from stein.toolkit.datastructures.multidict import ImmutableList, ImmutableMultiDict
from stein.toolkit.http import (
    parse_cache_control_header,
    parse_etags,
    parse_if_range_header,
    parse_range_header,
    parse_set_header,
)
from stein.toolkit.properties import cached_property, header_property
from stein.toolkit.sansio.hosts import get_content_length, get_current_url, get_host
from stein.toolkit.sansio.http import parse_cookie
from stein.toolkit.useragent import UserAgent

if TYPE_CHECKING:
    from datetime import datetime

    from stein.toolkit.datastructures.etag import ETags
    from stein.toolkit.datastructures.headers import Headers
    from stein.toolkit.datastructures.multidict import MultiDict
    from stein.toolkit.datastructures.range import IfRange, Range
    from stein.toolkit.datastructures.sets import HeaderSet

__all__ = ["Request"]

#: host and port, or the path of a Unix socket and ``None``
Address: TypeAlias = tuple[str, int | None]

AnyAccept = TypeVar("AnyAccept", bound=Accept)

#: what "surrogateescape" makes of a byte that is no UTF-8 -> the byte, percent-encoded
_ENCODED: Final = {0xDC00 + byte: f"%{byte:02X}" for byte in range(0x80, 0x100)}

_LONGEST_ACCEPT: Final = 512


def _make_accept(kind: type[AnyAccept], value: str | None) -> AnyAccept:
    return kind(parse_qualities(value)) if value else kind(None)


_remembered_accept: Final = lru_cache(maxsize=256)(_make_accept)


def _accept(kind: type[AnyAccept], value: str | None) -> AnyAccept:
    """The preferences that an Accept field states."""
    # PERF: reading and sorting what a browser sends takes 15 us, and each browser sends the same
    # all day.  They cannot be changed, so that requests may share them.
    if value is None or len(value) <= _LONGEST_ACCEPT:
        return cast("AnyAccept", _remembered_accept(kind, value))
    return _make_accept(kind, value)


def query_text(query: bytes) -> str:
    """A query string as text; bytes that are no UTF-8 become percent-encoded ones."""
    try:
        return query.decode()
    except UnicodeDecodeError:
        return query.decode("utf-8", "surrogateescape").translate(_ENCODED)


class Request:
    """What a request says, without its body.

    Everything is read on first touch and then kept, so that a change of :attr:`headers` shows only
    in what nobody has looked at.  All attributes can be set.

    :param method: such as ``GET``; in upper case afterwards.
    :param scheme: ``http``, ``https``, ``ws`` or ``wss``.
    :param server: address and port where the server listens; path and ``None`` if that is a Unix
        socket; ``None`` if it is not known.
    :param root_path: where the application is mounted, decoded.
    :param path: below :attr:`root_path`, decoded.
    :param query_string: behind the ``?``, as it was sent.
    :param headers: the fields.
    :param remote_addr: where the client connects from.
    """

    #: makes :attr:`args` and forms out of pairs
    parameter_storage_class: type[MultiDict[str, Any]] = ImmutableMultiDict

    #: makes :attr:`cookies` out of pairs
    dict_storage_class: type[MultiDict[str, Any]] = ImmutableMultiDict

    #: makes :attr:`access_route` out of a list
    list_storage_class: type[list[Any]] = ImmutableList

    #: makes :attr:`user_agent` out of the header's text
    user_agent_class: type[UserAgent] = UserAgent

    #: The hosts that the application answers for; where a name begins with a dot, its subdomains
    #: are meant as well.  A request for another host raises ``SecurityError`` (400) when
    #: :attr:`host` or a URL is asked for.  ``None``: any host, and then nothing that a client says
    #: about the host should get into links.
    trusted_hosts: list[str] | None = None

    method: str  #: in upper case
    scheme: str  #: ``http``, ``https``, ``ws`` or ``wss``
    server: Address | None  #: where the server listens, if it is known
    root_path: str  #: where the application is mounted, without a slash at the end
    path: str  #: below :attr:`root_path`, with exactly one slash in front; for routing
    query_string: bytes  #: behind the ``?``, as it was sent
    headers: Headers  #: the fields
    remote_addr: str | None  #: where the client (or its last proxy) connects from

    def __init__(  # noqa: PLR0913, PLR0917 - werkzeug's signature
        self, method: str, scheme: str, server: Address | None, root_path: str, path: str,
        query_string: bytes, headers: Headers, remote_addr: str | None,
    ) -> None:  # fmt: skip
        self.method = method.upper()
        self.scheme = scheme
        self.server = server
        self.root_path = root_path.rstrip("/")
        self.path = f"/{path.lstrip('/')}"
        self.query_string = query_string
        self.headers = headers
        self.remote_addr = remote_addr

    def __repr__(self) -> str:
        try:
            address = repr(self.url)
        except Exception as error:  # noqa: BLE001 - a log line must not fail, whatever the subclass does
            address = f"'(no URL: {error})'"
        return f"<{type(self).__name__} {address} [{self.method}]>"

    # -- the address --------------------------------------------------------------------------

    def _query_text(self) -> str:
        return query_text(self.query_string)

    @cached_property
    def args(self) -> MultiDict[str, str]:
        """The arguments in the query string, decoded.

        Bytes that are no UTF-8 stay percent-encoded.
        """
        return self.parameter_storage_class(parse_pairs(self._query_text()))

    @cached_property
    def full_path(self) -> str:
        """The path with a ``?`` and the query string, also where that is empty."""
        return f"{self.path}?{self._query_text()}"

    @cached_property
    def host(self) -> str:
        """The host that the client asked for, with the port unless it is the scheme's own.

        Without a Host field it is where the server listens; empty if that is not known, either, or
        if the field holds what cannot be a host.

        :raises SecurityError: it is none of the :attr:`trusted_hosts`.
        """
        return get_host(self.scheme, self.headers.get("Host"), self.server, self.trusted_hosts)

    @cached_property
    def url(self) -> str:
        """The whole URL as an IRI: for people, and decoded where that is not ambiguous."""
        return get_current_url(self.scheme, self.host, self.root_path, self.path, self.query_string)

    @cached_property
    def base_url(self) -> str:
        """The :attr:`url` without its query string."""
        return get_current_url(self.scheme, self.host, self.root_path, self.path)

    @cached_property
    def root_url(self) -> str:
        """The URL where the application is mounted, with a slash at the end."""
        return get_current_url(self.scheme, self.host, self.root_path)

    @cached_property
    def host_url(self) -> str:
        """Scheme and host as a URL, with a slash at the end."""
        return get_current_url(self.scheme, self.host)

    @property
    def is_secure(self) -> bool:
        """Whether the client came over TLS."""
        return self.scheme in {"https", "wss"}

    @cached_property
    def access_route(self) -> list[str]:
        """The addresses on the way of the request, the client's first, as X-Forwarded-For has it.

        Clients can write anything in that field; where it matters, use ``ProxyFix`` and
        :attr:`remote_addr`.
        """
        forwarded = self.headers.get("X-Forwarded-For")
        if forwarded is not None:
            return self.list_storage_class(split_list(forwarded))
        if self.remote_addr is not None:
            return self.list_storage_class([self.remote_addr])
        return self.list_storage_class()

    # -- fields that any message may have -----------------------------------------------------

    @cached_property
    def cookies(self) -> MultiDict[str, str]:
        """The cookies; of several with one name the first comes from the closest path."""
        headers = self.headers
        if headers.__class__ is EnvironHeaders:
            field = headers.get("Cookie")
        else:
            field = ";".join(headers.getlist("Cookie"))
        return parse_cookie(field, self.dict_storage_class)

    content_type: header_property[str] = header_property(
        "Content-Type", read_only=True, doc="The media type of the body, with its parameters."
    )
    content_encoding: header_property[str] = header_property(
        "Content-Encoding", read_only=True, doc="How the body is compressed (RFC 9110 8.4)."
    )
    content_md5: header_property[str] = header_property(
        "Content-MD5", read_only=True, doc="A checksum of the body (RFC 1864, obsolete)."
    )
    date: header_property[datetime | None] = header_property(
        "Date", None, parse_date, read_only=True, doc="When the request was made, in UTC."
    )

    def _field(self, name: str, variable: str) -> str | None:
        """A field's value, for what is read often.

        :param variable: what CGI calls the field, for a subclass that has an environ.
        """
        del variable
        return self.headers.get(name)

    @cached_property
    def content_length(self) -> int | None:
        """The length of the body in bytes; ``None`` if it shows only at its end."""
        field = self._field
        return get_content_length(
            field("Content-Length", "CONTENT_LENGTH"),
            field("Transfer-Encoding", "HTTP_TRANSFER_ENCODING"),
        )

    @cached_property
    def _parsed_content_type(self) -> tuple[str, dict[str, str]]:
        media_type, parameters = parse_options(self._field("Content-Type", "CONTENT_TYPE"))
        return media_type.lower(), parameters

    @property
    def mimetype(self) -> str:
        """The media type of the body without parameters, in lower case; empty if there is none."""
        return self._parsed_content_type[0]

    @property
    def mimetype_params(self) -> dict[str, str]:
        """The parameters of the media type, such as ``{"charset": "utf-8"}``."""
        return self._parsed_content_type[1]

    @property
    def is_json(self) -> bool:
        """Whether the media type is ``application/json`` or ``application/...+json``."""
        kind = self.mimetype
        return kind == "application/json" or (
            kind.startswith("application/") and kind.endswith("+json")
        )

    # -- what the client would like to get ----------------------------------------------------

    @cached_property
    def accept_mimetypes(self) -> MIMEAccept:
        """Accept: the media types that the client takes."""
        return _accept(MIMEAccept, self._field("Accept", "HTTP_ACCEPT"))

    @cached_property
    def accept_charsets(self) -> CharsetAccept:
        """Accept-Charset."""
        return _accept(CharsetAccept, self._field("Accept-Charset", "HTTP_ACCEPT_CHARSET"))

    @cached_property
    def accept_encodings(self) -> Accept:
        """Accept-Encoding: the compressions that the client can undo."""
        return _accept(Accept, self._field("Accept-Encoding", "HTTP_ACCEPT_ENCODING"))

    @cached_property
    def accept_languages(self) -> LanguageAccept:
        """Accept-Language."""
        return _accept(LanguageAccept, self._field("Accept-Language", "HTTP_ACCEPT_LANGUAGE"))

    # -- conditions, ranges, caches -----------------------------------------------------------

    @cached_property
    def cache_control(self) -> RequestCacheControl:
        """What the client wants from caches (RFC 9111 5.2.1)."""
        field = self.headers.get("Cache-Control")
        return parse_cache_control_header(field, None, RequestCacheControl)

    @cached_property
    def if_match(self) -> ETags:
        """The tags of If-Match."""
        return parse_etags(self.headers.get("If-Match"))

    @cached_property
    def if_none_match(self) -> ETags:
        """The tags of If-None-Match."""
        return parse_etags(self.headers.get("If-None-Match"))

    @cached_property
    def if_modified_since(self) -> datetime | None:
        """The date of If-Modified-Since, in UTC."""
        return parse_date(self.headers.get("If-Modified-Since"))

    @cached_property
    def if_unmodified_since(self) -> datetime | None:
        """The date of If-Unmodified-Since, in UTC."""
        return parse_date(self.headers.get("If-Unmodified-Since"))

    @cached_property
    def if_range(self) -> IfRange:
        """The tag or the date of If-Range."""
        return parse_if_range_header(self.headers.get("If-Range"))

    @cached_property
    def range(self) -> Range | None:
        """The part that the client asks for; ``None`` if it asks for none, or nonsense."""
        return parse_range_header(self.headers.get("Range"))

    @cached_property
    def pragma(self) -> HeaderSet:
        """The words of Pragma (RFC 9111 5.4, obsolete)."""
        return parse_set_header(self.headers.get("Pragma"))

    max_forwards: header_property[int | None] = header_property(
        "Max-Forwards", None, parse_int, read_only=True,
        doc="How many proxies may pass a TRACE or OPTIONS on (RFC 9110 7.6.2).",
    )  # fmt: skip

    # -- who asks, and from where -------------------------------------------------------------

    referrer: header_property[str] = header_property(
        "Referer", read_only=True, doc="The page that the link was on; clients may leave it out."
    )

    @cached_property
    def user_agent(self) -> UserAgent:
        """The User-Agent field, as :attr:`user_agent_class` reads it."""
        return self.user_agent_class(self.headers.get("User-Agent", ""))

    @cached_property
    def authorization(self) -> Authorization | None:
        """The credentials; ``None`` if there are none, or none that can be read."""
        return Authorization.from_header(self.headers.get("Authorization"))

    origin: header_property[str] = header_property(
        "Origin", read_only=True, doc="Where the page comes from that makes the request (CORS)."
    )
    access_control_request_headers: header_property[HeaderSet | None] = header_property(
        "Access-Control-Request-Headers", None, parse_set_header, read_only=True,
        doc="The fields that the request to come will have; in a preflight request (CORS).",
    )  # fmt: skip
    access_control_request_method: header_property[str] = header_property(
        "Access-Control-Request-Method", read_only=True,
        doc="The method that the request to come will have; in a preflight request (CORS).",
    )  # fmt: skip
