"""Responses to bytes: the head of a response and its chunks (RFC 9112 4, 6, 7).

What the application says is checked here, so that no CR, LF or NUL of its own ever reaches the
wire and the length that it declares is one that can be kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from stein.errors import ApplicationError
from stein.http.dates import http_date
from stein.http.grammar import is_field_value, is_token
from stein.http.status import BODILESS

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.http.exchange import Exchange
    from stein.typing import HeaderList

__all__ = ["LAST_CHUNK", "UNKNOWN", "Head", "Tail", "chunk", "continue_head", "make_head"]

UNKNOWN: Final = -1  #: a body whose length nobody has told
LAST_CHUNK: Final = b"0\r\n\r\n"
continue_head: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Head(NamedTuple):
    """A response head and what it promises about the body.

    ``length`` is the number of body bytes that will follow, or :data:`UNKNOWN`; ``chunked`` says
    whether they go out in chunks; ``bodiless`` that none go out whatever the application gives.
    """

    data: bytes
    length: int
    chunked: bool
    bodiless: bool


class Tail:
    """What ends most heads: the Server and Date fields and the empty line, made once a second.

    Shared by all threads: two of them may make the same text at the same time, which does no
    harm.

    :param server: the value of the Server field; empty for none.
    :param wall: a wall clock in seconds, for the date.
    """

    __slots__ = ("_expires", "_server", "_wall", "date", "server", "text")

    def __init__(self, server: str, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._expires = float("-inf")
        self.server = f"Server: {server}\r\n" if server else ""
        self.date = ""
        self.text = ""

    def refresh(self, now: float) -> None:
        """Make the text anew if it is a second old.

        :param now: seconds of a monotonic clock.
        """
        if now >= self._expires:
            wall = self._wall()
            self.date = f"Date: {http_date(wall)}\r\n"
            self.text = f"{self.server}{self.date}\r\n"
            self._expires = now + 1.0 - wall % 1.0


# What a field name of the application's means to the head.
_PLAIN: Final = 0
_LENGTH: Final = 1
_DATE: Final = 2
_SERVER: Final = 3
_CONNECTION: Final = 4
_HOP_BY_HOP: Final = 5
_MEANINGS: Final = {
    "content-length": _LENGTH,
    "date": _DATE,
    "server": _SERVER,
    "connection": _CONNECTION,
    "keep-alive": _CONNECTION,
    # PEP 3333 "Other HTTP Features", RFC 9110 7.6.1
    "proxy-authenticate": _HOP_BY_HOP,
    "proxy-authorization": _HOP_BY_HOP,
    "te": _HOP_BY_HOP,
    "trailer": _HOP_BY_HOP,
    "trailers": _HOP_BY_HOP,
    "transfer-encoding": _HOP_BY_HOP,
    "upgrade": _HOP_BY_HOP,
}

# Memories of what was checked; emptied when full, since an application may make up names.
_MOST_REMEMBERED: Final = 1024
_meanings: dict[str, int] = {}
_status_lines: dict[str, tuple[str, int]] = {}


def make_head(
    status: str, headers: HeaderList, exchange: Exchange, length: int, tail: Tail
) -> Head:
    """Make the head of the response to ``exchange`` and set its status and persistence.

    :param status: as the application gave it, e.g. ``"200 OK"``.
    :param headers: as the application gave them.
    :param length: how many bytes the body has, as far as the server can tell, or
        :data:`UNKNOWN`.  What the application declares goes before it.
    :param tail: the Server and Date fields.
    :raises ApplicationError: the status or a field may not be sent.
    """
    known = _status_lines.get(status)
    if known is None:
        known = _check_status(status)
    status_line, code = known
    declared = UNKNOWN
    end = tail.text
    parts: list[str] = []
    for name, value in headers:
        meaning = _meanings.get(name)
        if meaning is None:
            meaning = _check_name(name)
        if meaning:
            if meaning == _LENGTH:
                declared = _declared_length(value, declared)
                continue
            if meaning == _CONNECTION:
                _honour_connection(name, value, exchange)
                continue
            if meaning == _HOP_BY_HOP:
                message = f"hop-by-hop header field {name!r} is the server's to set (PEP 3333)"
                raise ApplicationError(message)
            end = _without(end, meaning, tail)
        # PERF: four parts and one check of the joined text instead of a check per field; it
        # halves the cost of a head (bench: hello).
        parts += name, ": ", value, "\r\n"
    try:
        fields = "".join(parts)
    except TypeError:
        raise _guilty(headers) from None
    lines = len(parts) // 4
    if fields.count("\n") != lines or fields.count("\r") != lines or "\0" in fields:
        raise _guilty(headers)
    bodiless = code in BODILESS or exchange.line[0] == "HEAD"
    chunked = False
    if declared == UNKNOWN:
        declared = length
        if length == UNKNOWN and not bodiless:
            chunked = exchange.line[4] == "HTTP/1.1"
            if not chunked:
                exchange.persistent = False
    text = status_line + fields
    if declared != UNKNOWN and code != 204:  # RFC 9110 8.6: none in a 204
        text += f"Content-Length: {declared}\r\n"
    elif chunked:
        text += "Transfer-Encoding: chunked\r\n"
    if not exchange.persistent:
        text += "Connection: close\r\n"
    elif exchange.line[4] == "HTTP/1.0":
        text += "Connection: keep-alive\r\n"
    try:
        data = (text + end).encode("latin-1")
    except UnicodeEncodeError:
        raise _guilty(headers) from None
    exchange.status = code
    return Head(data, declared, chunked, bodiless)


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body (RFC 9112 7.1); ``data`` is not empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _check_status(status: object) -> tuple[str, int]:
    """The status line of an application's status text, and its code."""
    if not isinstance(status, str):
        message = f"status must be a str such as '200 OK', not {status!r}"
        raise ApplicationError(message)
    code, _, reason = status.partition(" ")
    if not (len(code) == 3 and code.isascii() and code.isdigit() and is_field_value(reason)):
        message = f"status {status[:80]!r} is not three digits, a blank and a reason"
        raise ApplicationError(message)
    if not 200 <= int(code) <= 599:
        message = f"status {status[:80]!r}: an application can send final statuses only, 200 to 599"
        raise ApplicationError(message)
    known = (f"HTTP/1.1 {status}\r\n", int(code))
    if len(_status_lines) >= _MOST_REMEMBERED:
        _status_lines.clear()
    _status_lines[status] = known
    return known


def _check_name(name: object) -> int:
    """What a field name means, once it is known to be a token."""
    if not isinstance(name, str) or not is_token(name):
        message = f"header name {name!r} is not a token (RFC 9110 5.1)"
        raise ApplicationError(message)
    meaning = _MEANINGS.get(name.lower(), _PLAIN)
    if len(_meanings) >= _MOST_REMEMBERED:
        _meanings.clear()
    _meanings[name] = meaning
    return meaning


def _declared_length(value: object, earlier: int) -> int:
    """The number in an application's Content-Length."""
    if earlier != UNKNOWN:
        message = "the application declared Content-Length twice"
        raise ApplicationError(message)
    if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20):
        message = f"Content-Length {value!r} is not a number"
        raise ApplicationError(message)
    return int(value)


def _honour_connection(name: str, value: object, exchange: Exchange) -> None:
    """Read the application's Connection field, which goes no further.

    PEP 3333 forbids it, but so many programs send ``Connection: keep-alive`` with an event
    stream, or ``close`` with good reason, that a refusal would help nobody.
    """
    if not isinstance(value, str):
        message = f"header {name!r} has the value {value!r}, which is not a str"
        raise ApplicationError(message)
    if name.lower() == "connection" and value.strip().lower() == "close":
        exchange.persistent = False


def _without(end: str, meaning: int, tail: Tail) -> str:
    """The end of a head without the field that the application sets itself."""
    return end.replace(tail.date if meaning == _DATE else tail.server, "", 1)


def _guilty(headers: HeaderList) -> ApplicationError:
    """The error that names the field which cannot be sent."""
    for name, value in headers:
        if not isinstance(value, str):
            message = f"header {name!r} has the value {value!r}, which is not a str"
        elif any(char in value for char in "\r\n\0"):
            message = f"header {name!r} has a line end or NUL in its value {value[:80]!r}"
        elif not is_field_value(value) and any(ord(char) > 255 for char in value):
            message = f"header {name!r} has characters beyond latin-1 in its value {value[:80]!r}"
        else:
            continue
        return ApplicationError(message)
    return ApplicationError("the response headers cannot be encoded")
