"""A response as a value: status and header fields, without a body."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.http import HTTP_STATUS_CODES, dump_cookie
from stein.toolkit.sansio.headerfields import HeaderFields, get_content_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, timedelta
    from http import HTTPStatus

__all__ = ["Response", "get_content_type"]

Pair = tuple[str, str]

_CONTROL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


@lru_cache(maxsize=128)
def content_type_pair(value: str) -> Pair:
    """The header field for a media type with its parameters."""
    return Headers([("Content-Type", value)])[0]


@lru_cache(maxsize=128)
def mimetype_pair(mimetype: str) -> Pair:
    """The header field for a media type, to which the charset is added if it is a text."""
    return content_type_pair(get_content_type(mimetype, "utf-8"))


_lines: Final[dict[int, tuple[str, str]]] = {}  # code -> the phrase it was made of, status line


def status_line(code: int) -> str:
    """The status for a number, such as ``404 NOT FOUND``."""
    phrase = HTTP_STATUS_CODES.get(code)
    if phrase is None:
        return f"{code} UNKNOWN"
    # PERF: upper() and the formatting take 0.2 us.  Programs may change a phrase at any time.
    known = _lines.get(code)
    if known is None or known[0] is not phrase:
        known = _lines[code] = (phrase, f"{code} {phrase.upper()}")
    return known[1]


class Response(HeaderFields):
    """What a response says, without its body.

    :param status: a number, ``404 Not Found``, or only one of the two.
    :param headers: is used as it is if it is a :class:`Headers`; otherwise a mapping or pairs, of
        which one is made.
    :param mimetype: the media type, to which ``charset=utf-8`` is added if it is a text.
    :param content_type: the media type as it shall be.
    """

    #: the status where none is given
    default_status: int | str = 200

    #: the media type where none is given; ``None`` for none
    default_mimetype: str | None = "text/plain"

    #: A Set-Cookie field that is longer gives a warning, since browsers may drop it; 0 for any.
    max_cookie_size = 4093

    _status: str
    _status_code: int
    # One of the two holds the fields: the list as long as nobody has asked for the headers, and
    # then both, as the headers are made around the list.
    _fields: list[Pair]
    _headers: Headers | None = None

    def __init__(
        self,
        status: int | str | HTTPStatus | None = None,
        headers: Mapping[str, Any] | Iterable[tuple[str, Any]] | Headers | None = None,
        mimetype: str | None = None,
        content_type: str | None = None,
    ) -> None:
        self.headers = own = headers if isinstance(headers, Headers) else Headers(headers)
        if content_type is None:
            if mimetype is None and "Content-Type" not in own:
                mimetype = self.default_mimetype
            if mimetype is not None:
                content_type = get_content_type(mimetype, "utf-8")
        if content_type is not None:
            own["Content-Type"] = content_type
        self.status = self.default_status if status is None else status

    def __repr__(self) -> str:
        return f"<{type(self).__name__} [{self.status}]>"

    @property
    def headers(self) -> Headers:
        """The fields."""
        headers = self._headers
        if headers is None:
            headers = self._headers = Headers.from_checked(self._fields)
        return headers

    @headers.setter
    def headers(self, value: Headers) -> None:
        self._headers = value

    @property
    def status(self) -> str:
        """The status as text, such as ``404 NOT FOUND``; can be set in all forms."""
        return self._status

    @status.setter
    def status(self, value: str | int | HTTPStatus) -> None:
        self._status, self._status_code = self._clean_status(value)

    @property
    def status_code(self) -> int:
        """The number of the status."""
        return self._status_code

    @status_code.setter
    def status_code(self, code: int) -> None:
        self.status = code

    def _clean_status(self, value: str | int | HTTPStatus) -> tuple[str, int]:
        if isinstance(value, int):
            code = int(value)
            return status_line(code), code
        text = value.strip()
        if not text:
            raise ValueError("Empty status argument: give a number, or a text such as '200 OK'")
        if _CONTROL.search(text):
            raise ValueError(
                f"the status {value!r} holds a newline or another control character; take it out"
            )
        number, blank, _ = text.partition(" ")
        try:
            code = int(number)
        except ValueError:
            return f"0 {text}", 0
        return (text if blank else status_line(code)), code

    def set_cookie(  # noqa: PLR0913, PLR0917 - a cookie has that many attributes
        self,
        key: str,
        value: str = "",
        max_age: timedelta | int | None = None,
        expires: str | datetime | float | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,  # noqa: FBT001, FBT002 - werkzeug's signature
        httponly: bool = False,  # noqa: FBT001, FBT002
        samesite: str | None = None,
        partitioned: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Set a cookie (RFC 6265).

        :param key: its name.
        :param value: any text; what cannot stand in a cookie is quoted and escaped.
        :param max_age: how long it lives, in seconds; without it, until the browser is closed.
        :param expires: until when it lives: a date, a moment, or seconds since 1970.
        :param path: below which path it is sent back; ``None`` for that of the request.
        :param domain: the host that it is sent back to, with all hosts below; without it, only the
            host of the request.
        :param secure: send it over TLS only.
        :param httponly: hide it from scripts.
        :param samesite: ``Strict``, ``Lax`` or ``None``, as text: whether it is sent along when
            another site makes the request.
        :param partitioned: let each site that embeds this one have its own (CHIPS).
        :raises ValueError: if a part of it would end the cookie, or is not known.
        """
        field = dump_cookie(
            key,
            value=value,
            max_age=max_age,
            expires=expires,
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            max_size=self.max_cookie_size,
            samesite=samesite,
            partitioned=partitioned,
        )
        self.headers.add("Set-Cookie", field)

    def delete_cookie(  # noqa: PLR0913, PLR0917 - as many as to set one
        self,
        key: str,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,  # noqa: FBT001, FBT002 - werkzeug's signature
        httponly: bool = False,  # noqa: FBT001, FBT002
        samesite: str | None = None,
        partitioned: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Have the client forget a cookie that was set with the same path, domain and partition.

        The parameters are those of :meth:`set_cookie`.
        """
        self.set_cookie(
            key,
            expires=0,
            max_age=0,
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
            partitioned=partitioned,
        )
