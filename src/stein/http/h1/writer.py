"""Responses to bytes: the head of a response and its chunks (RFC 9112 4, 6, 7).

What the application says is checked here, so that no CR, LF or NUL of its own ever reaches the
wire and the length that it declares is one that can be kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from stein.errors import ApplicationError
from stein.http.dates import http_date
from stein.http.grammar import is_field_value, is_token
from stein.http.status import BODILESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stein.http.exchange import Exchange
    from stein.typing import HeaderList

__all__ = ["LAST_CHUNK", "UNKNOWN", "Head", "Tail", "chunk", "continue_head", "make_head"]

UNKNOWN: Final = -1  #: a body whose length nobody has told
LAST_CHUNK: Final = b"0\r\n\r\n"
continue_head: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


#: A response head and what it promises about the body: its bytes; the number of body bytes that
#: will follow, or :data:`UNKNOWN`; whether they go out in chunks; whether none go out whatever
#: the application gives.  (PERF: a plain tuple, as a named one costs four times as much.)
Head: TypeAlias = tuple[bytes, int, bool, bool]


class Tail:
    """What ends most heads: the Server and Date fields and the empty line, made once a second.

    Shared by all threads: two of them may make the same text at the same time, which does no
    harm.

    :param server: the value of the Server field; empty for none.
    :param wall: a wall clock in seconds, for the date.
    """

    __slots__ = ("_server", "_wall", "data", "date", "expires")

    def __init__(self, server: str, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._server = f"Server: {server}\r\n".encode("latin-1") if server else b""
        self.expires = float("-inf")  #: moment of the monotonic clock from which it is stale
        self.date = b""
        self.data = b""

    def refresh(self, now: float) -> None:
        """Make the text anew.

        :param now: seconds of a monotonic clock.
        """
        wall = self._wall()
        self.date = f"Date: {http_date(wall)}\r\n".encode("ascii")
        self.data = self._server + self.date + b"\r\n"
        self.expires = now + 1.0 - wall % 1.0

    def without(self, *, date: bool, server: bool) -> bytes:
        """The text without the fields that an application sets itself."""
        return (b"" if server else self._server) + (b"" if date else self.date) + b"\r\n"


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

#: What an application's status and fields come to: their bytes, the code, the declared length
#: or UNKNOWN, and what they want of the rest of the head (a set of the bits below).
_Checked: TypeAlias = tuple[bytes, int, int, int]
_OWN_DATE: Final = 1
_OWN_SERVER: Final = 2
_CLOSE: Final = 4

# Memories of what was checked; emptied when full, since an application may make up names.
# Atomic operations only, so threads may share them.
_MOST_REMEMBERED: Final = 1024
_LONGEST_REMEMBERED: Final = 1024
_meanings: dict[str, int] = {}
_checked: dict[tuple[str, tuple[tuple[str, str], ...]], _Checked] = {}


def make_head(  # noqa: PLR0913, PLR0917 - PERF: the parts of one answer, without a bag for them
    status: str | None,
    headers: HeaderList,
    exchange: Exchange,
    length: int,
    tail: Tail,
    now: float,
) -> Head:
    """Make the head of the response to ``exchange`` and set its status and persistence.

    :param status: as the application gave it, e.g. ``"200 OK"``; ``None`` if it gave none.
    :param headers: as the application gave them.
    :param length: how many bytes the body has, as far as the server can tell, or
        :data:`UNKNOWN`.  What the application declares goes before it.
    :param tail: the Server and Date fields.
    :param now: seconds of the monotonic clock, to tell whether ``tail`` is still fresh.
    :raises ApplicationError: the status or a field may not be sent.
    """
    if now >= tail.expires:
        tail.refresh(now)
    # PERF: many answers have the very same fields; checking them anew costs twice what the rest
    # of this function does (bench: hello).
    fields: Iterable[tuple[str, str]] = headers
    try:
        fields = tuple(headers)  # which may be an iterator, that gives them only once
        checked = _checked.get((status, fields))  # type: ignore[arg-type]
    except TypeError:  # something that is no str is in there
        checked = None
    if checked is None:
        checked = _check(status, fields)
    data, code, declared, wants = checked
    line = exchange.line
    bodiless = line[0] == "HEAD" or code in BODILESS
    chunked = False
    if declared == UNKNOWN:
        declared = length
        chunked = length == UNKNOWN and not bodiless and line[4] == "HTTP/1.1"
        data += _framing_field(code, length, exchange, chunked=chunked, bodiless=bodiless)
    end = tail.data
    if wants:
        end = tail.without(date=bool(wants & _OWN_DATE), server=bool(wants & _OWN_SERVER))
        if wants & _CLOSE:
            exchange.persistent = False
    if not exchange.persistent:
        data += b"Connection: close\r\n"
    elif line[4] == "HTTP/1.0":
        data += b"Connection: keep-alive\r\n"
    exchange.status = code
    return data + end, declared, chunked, bodiless


def _check(status: str | None, headers: Iterable[tuple[object, object]]) -> _Checked:
    """Check what the application gave, and put it into bytes."""
    status, code = _check_status(status)
    declared = UNKNOWN
    wants = 0
    # The blank must be there even if no reason follows it (RFC 9112 4).
    lines = [f"HTTP/1.1 {status}\r\n" if len(status) > 3 else f"HTTP/1.1 {status} \r\n"]
    pairs = _plain_pairs(headers)
    for name, value in pairs:
        meaning = _meanings.get(name)
        if meaning is None:
            meaning = _check_name(name)
        _check_value(name, value)
        if meaning == _LENGTH:
            declared = _declared_length(value, declared)
            if code == 204:  # RFC 9110 8.6: none in a 204
                continue
        elif meaning == _CONNECTION:
            # PEP 3333 forbids it, but so many programs send "Connection: keep-alive" with an
            # event stream, or "close" with good reason, that a refusal would help nobody.
            if name.lower() == "connection" and value.strip().lower() == "close":
                wants |= _CLOSE
            continue
        elif meaning == _HOP_BY_HOP:
            message = f"hop-by-hop header field {name!r} is the server's to set (PEP 3333)"
            raise ApplicationError(message)
        elif meaning:
            wants |= _OWN_DATE if meaning == _DATE else _OWN_SERVER
        lines.append(f"{name}: {value}\r\n")
    data = "".join(lines).encode("latin-1")
    checked = (data, code, declared, wants)
    _remember(status, pairs, checked)
    return checked


def _plain_pairs(headers: Iterable[tuple[object, object]]) -> HeaderList:
    """The fields with each text a plain ``str``."""
    try:
        pairs = [(name, value) for name, value in headers]
    except (TypeError, ValueError):
        message = f"headers must be a list of (name, value) tuples, not {headers!r:.200}"
        raise ApplicationError(message) from None
    return [(_plain_text(name, name), _plain_text(value, name)) for name, value in pairs]


def _plain_text(text: object, name: object) -> str:
    """A name or value of a field as a plain ``str``.

    A subclass, such as an enumeration's or that of a lazy translation, may print as something
    else than the text that is checked.
    """
    if type(text) is str:
        return text
    if isinstance(text, str):
        return str.__str__(text)
    if text is name:
        message = f"header name {name!r} is not a str"
    else:
        message = f"header {name!r} has the value {text!r}, which is not a str"
    raise ApplicationError(message)


def _remember(status: str, headers: HeaderList, checked: _Checked) -> None:
    if len(checked[0]) > _LONGEST_REMEMBERED:
        return
    if len(_checked) >= _MOST_REMEMBERED:
        _checked.clear()
    _checked[status, tuple(headers)] = checked


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body (RFC 9112 7.1); ``data`` is not empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _check_status(status: object) -> tuple[str, int]:
    """An application's status text, checked, and its code."""
    if status is None:
        message = "the application gave its body before it called start_response()"
        raise ApplicationError(message)
    if not isinstance(status, str):
        message = f"status must be a str such as '200 OK', not {status!r}"
        raise ApplicationError(message)
    status = str.__str__(status)  # not what a subclass prints itself as
    code, _, reason = status.partition(" ")
    if not (len(code) == 3 and code.isascii() and code.isdigit() and is_field_value(reason)):
        message = f"status {status[:80]!r} is not three digits, a blank and a reason"
        raise ApplicationError(message)
    if not 200 <= int(code) <= 599:
        message = f"status {status[:80]!r}: an application can send final statuses only, 200 to 599"
        raise ApplicationError(message)
    return status, int(code)


def _check_name(name: str) -> int:
    """What a field name means, once it is known to be a token."""
    if not is_token(name):
        message = f"header name {name!r} is not a token (RFC 9110 5.1)"
        raise ApplicationError(message)
    meaning = _MEANINGS.get(name.lower(), _PLAIN)
    if len(name) <= _LONGEST_REMEMBERED:
        if len(_meanings) >= _MOST_REMEMBERED:
            _meanings.clear()
        _meanings[name] = meaning
    return meaning


def _framing_field(
    code: int, length: int, exchange: Exchange, *, chunked: bool, bodiless: bool
) -> bytes:
    """The field that tells how long the body is, where the application does not (RFC 9112 6)."""
    if chunked:
        return b"Transfer-Encoding: chunked\r\n"
    if bodiless and (code in BODILESS or not length):
        return b""  # not the length that a GET, or a 200, would have had (RFC 9110 8.6)
    if length != UNKNOWN:
        return b"Content-Length: %d\r\n" % length
    if not bodiless:  # HTTP/1.0: the end of the connection is the end of the body
        exchange.persistent = False
    return b""


def _declared_length(value: str, earlier: int) -> int:
    """The number in an application's Content-Length."""
    if earlier != UNKNOWN:
        message = "the application declared Content-Length twice"
        raise ApplicationError(message)
    if not (value.isascii() and value.isdigit() and len(value) < 20):
        message = f"Content-Length {value!r} is not a number"
        raise ApplicationError(message)
    return int(value)


def _check_value(name: str, value: str) -> None:
    """Refuse a field value that cannot be sent."""
    if is_field_value(value):
        return
    if any(ord(char) > 255 for char in value):
        message = f"header {name!r} has characters beyond latin-1 in its value {value[:80]!r}"
    else:
        message = f"header {name!r} has a control character in its value {value[:80]!r}"
    raise ApplicationError(message)
